"""A root as it is before it is mounted: a directory, or a stack of them seen as overlayfs will.

Documentation/filesystems/overlayfs.rst: a name is that of the topmost layer
which has it; directories of one name are merged down to one that is opaque;
a character device 0:0 is a whiteout, and says that nothing is there.
"""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError, raise_foreign
from rootgen.linux.libc import error as os_error
from rootgen.linux.mount import descriptor_path
from rootgen.linux.path import is_link, open_beneath, open_in_root
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from rootgen.sandbox.launch import Root

_FORMAT, _DIRECTORY, _CHARACTER = 0o170000, 0o040000, 0o020000
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_LINKS_LIMIT = 40  # path_resolution(7)


class Reading:
    """The directories of a root, open. Raises LaunchError where one cannot be opened."""

    def __init__(self, root: Root) -> None:
        """Open the directories, and the upper one as the topmost if it is one of the host."""
        kept = () if root.upper is None or not root.upper.directory else (root.upper.directory,)
        self._layers: list[int] = []  # the topmost first
        try:
            self._layers += [_open_layer(path) for path in (*kept, *reversed(root.layers))]
        except LaunchError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open."""
        self.close()

    def close(self) -> None:
        """Close the directories."""
        for descriptor in self._layers:
            os.close(descriptor)
        self._layers.clear()

    def open(self, path: str, flags: int = os.O_PATH) -> int:
        """Open ``path`` as a place, its links followed within the root; raise OSError.

        With other flags than O_PATH where the root is one directory alone.
        """
        if len(self._layers) == 1:
            return open_in_root(self._layers[0], path, flags)
        return self._follow(path)

    def open_beneath(self, path: str) -> int:
        """Open ``path`` as a place and follow no link; raise OSError."""
        if len(self._layers) == 1:
            return open_beneath(self._layers[0], path, os.O_PATH)
        found = self._look_up([part for part in path.split("/") if part])
        if is_link(found):
            os.close(found)
            raise os_error(errno.ELOOP, path)
        return found

    def has(self, name: str) -> bool:
        """Say whether the root has this name at its top, be it a link. Raises LaunchError."""
        try:
            if len(self._layers) == 1:
                os.stat(name, dir_fd=self._layers[0], follow_symlinks=False)
            else:
                os.close(self._look_up([name]))
        except OSError as error:
            if error.errno in _ABSENT:
                return False
            raise_foreign(error)
            raise LaunchError(f"{name} of the tree: {error.strerror}") from error
        return True

    def _follow(self, path: str) -> int:
        pending = path.split("/")[::-1]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part in ("", ".", ".."):
                del done[len(done) - (part == "..") :]
                continue
            found = self._look_up([*done, part])
            try:
                if not is_link(found):
                    done.append(part)
                    continue
                target = os.fsdecode(os.readlink("", dir_fd=found))
            finally:
                os.close(found)
            links += 1
            if links > _LINKS_LIMIT:
                raise os_error(errno.ELOOP, path)
            if target.startswith("/"):
                done.clear()
            pending += target.split("/")[::-1]
        return self._look_up(done)

    def _look_up(self, parts: list[str]) -> int:
        """Open what the stack has at a path whose parents are no links; raise OSError."""
        current = [os.dup(one) for one in self._layers]
        for part in parts:
            found = _merge(current, part)
            for one in current:
                os.close(one)
            if not found:
                raise os_error(errno.ENOENT, "/".join(parts))
            current = found
        for one in current[1:]:
            os.close(one)
        return current[0]


def _merge(directories: list[int], name: str) -> list[int]:
    """Open ``name`` in merged directories: what is on top, and what that is merged with."""
    found: list[int] = []
    for beneath, directory in zip(range(len(directories) - 1, -1, -1), directories, strict=True):
        try:
            one = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except OSError as error:
            if error.errno in _ABSENT:
                continue
            raise
        facts = os.fstat(one)
        kind = facts.st_mode & _FORMAT
        whiteout = kind == _CHARACTER and facts.st_rdev == 0
        if whiteout or (found and kind != _DIRECTORY):
            os.close(one)
            break
        found.append(one)
        if kind != _DIRECTORY or (beneath and _is_opaque(one)):
            break
    return found


def _is_opaque(directory: int) -> bool:
    for name in _OPAQUE:
        try:
            if os.getxattr(descriptor_path(directory), name) == b"y":
                return True
        except OSError as error:
            # No such attribute, none on this file system, or not ours to read.
            if error.errno not in (errno.ENODATA, errno.ENOTSUP, errno.EPERM, errno.EACCES):
                raise
    return False


def _open_layer(path: str) -> int:
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise_foreign(error)
        hint = "make one: rootgen make bash ls --out DIR"
        raise LaunchError(f"{path}: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise LaunchError(f"{path!r} is no path: {error}") from error
