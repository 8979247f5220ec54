"""Files that are a launch's own: on no disk, and never written into the tree."""

from __future__ import annotations

import os

from rootgen.linux import mount as mounts
from rootgen.linux.path import first_link, open_beneath, open_in_root, read_link
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure, open_place

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Text

_NAME = ".rootgen"


def mount_text(root: int, step: Text) -> None:
    """Show a file of this launch's own, read-only, over what the tree has there or may have.

    It lies on the tmpfs of /dev, and its name there is gone once it is bound. A link of the tree
    is followed within the tree: what resolves names there would follow it as well.
    """
    try:
        directory = open_beneath(root, "dev", os.O_PATH | os.O_DIRECTORY)
        try:
            source = _write(directory, step.content)
            _bind(root, step.path, source)
            os.close(source)
            os.unlink(_NAME, dir_fd=directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise failure(f"show a file of ours as {step.path}", error) from error


def _write(directory: int, content: str) -> int:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    descriptor = os.open(_NAME, flags, 0o644, dir_fd=directory)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content.encode())
    return descriptor


def _bind(root: int, path: str, source: int) -> None:
    target = _open_place(root, path)
    try:
        mounts.mount_on(mounts.descriptor_path(source), target, "", mounts.MS_BIND)
    finally:
        os.close(target)
    mounted = open_in_root(root, path, os.O_PATH)
    try:
        flags = mounts.MS_RDONLY | mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
        mounts.restrict(mounted, flags, recursive=False)
    finally:
        os.close(mounted)


def _open_place(root: int, path: str) -> int:
    if first_link(root, path) != path:
        return open_place(root, path, directory=False)
    try:
        return open_in_root(root, path, os.O_PATH)
    except FileNotFoundError:
        # systemd's links lead to what it makes when it starts: so it is made, within the tree.
        to = os.path.join(os.path.dirname(path), read_link(root, path))
        return open_place(root, os.path.normpath(to), directory=False)
