"""Files that are a launch's own: on no disk, and never written into the tree."""

from __future__ import annotations

import os

from rootgen.linux import mount as mounts
from rootgen.linux.path import first_link, open_in_root, read_link
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Text
    from rootgen.sandbox.mounter import Mounter
    from rootgen.sandbox.place import Places

_NAME = ".rootgen"
_FLAGS = mounts.MS_RDONLY | mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
_FORMAT, _REGULAR = 0o170000, 0o100000


def show_text(step: Text, places: Places, mounter: Mounter) -> None:
    """Show a file of this launch's own, read-only, over what the tree has there or may have.

    It lies on the tmpfs of /dev, and its name there is gone once it is bound. A link of the tree
    is followed within the tree: what resolves names there would follow it as well. What it leads
    to stays as it is where that is no file: /dev/null says that there is to be none.
    """
    try:
        directory = places.open("/dev", directory=True)
        try:
            source = _write(directory, step.content)
            _bind(step.path, source, places, mounter)
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


def _bind(path: str, source: int, places: Places, mounter: Mounter) -> None:
    target = _open_place(places, path)
    try:
        if os.fstat(target).st_mode & _FORMAT != _REGULAR:
            return
        made = mounter.bind(source, _FLAGS, directory=False)
        try:
            mounter.attach(made, target)
        finally:
            os.close(made)
    finally:
        os.close(target)


def _open_place(places: Places, path: str) -> int:
    if first_link(places.tree, path) != path:
        return places.open(path, directory=False)
    try:
        return open_in_root(places.tree, path, os.O_PATH)
    except FileNotFoundError:
        # systemd's links lead to what it makes when it starts: so it is made, within the tree.
        to = os.path.join(os.path.dirname(path), read_link(places.tree, path))
        return places.open(os.path.normpath(to), directory=False)
