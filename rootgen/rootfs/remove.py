"""Removing a tree: relative to an open directory, no link followed, no mount entered."""

from __future__ import annotations

import os
import stat

from rootgen.errors import TreeError
from rootgen.named import NamedTuple
from rootgen.rootfs.walk import DIRECTORY, mount_of


class Left(NamedTuple):
    """What could not be removed, as a path from the tree's parent, and why."""

    path: str
    why: str


class _Above(NamedTuple):
    """A directory whose child is being emptied."""

    name: str
    identity: tuple[int, int]
    pending: list[str]


def remove_tree(parent: int, name: str) -> list[Left]:
    """Remove the directory ``name`` of ``parent`` and all in it, as far as we may.

    What is already gone is no failure. Directories may be nested to any
    depth: only one is open at a time. Raises TreeError where a directory is
    moved elsewhere meanwhile.
    """
    return _Removal(parent).run(name)


class _Removal:
    def __init__(self, parent: int) -> None:
        self._left: list[Left] = []
        self._current = os.open(".", DIRECTORY, dir_fd=parent)
        self._mount = mount_of(self._current)
        self._above: list[_Above] = []
        self._privileged = os.geteuid() == 0

    def run(self, name: str) -> list[Left]:
        pending = [name]
        try:
            while True:
                while pending:
                    child = pending.pop()
                    if self._descend(child, pending):
                        pending = self._empty()
                if not self._above:
                    return self._left
                above = self._above[-1]
                self._ascend(above)
                self._remove_directory(above.name)
                self._above.pop()
                pending = above.pending
        finally:
            os.close(self._current)

    def _descend(self, name: str, pending: list[str]) -> bool:
        try:
            below = os.open(name, DIRECTORY, dir_fd=self._current)
        except FileNotFoundError:
            return False
        except PermissionError:
            below = self._open_closed(name)
        except OSError as error:
            self._fail(name, error.strerror)
            return False
        if below < 0:
            return False
        try:
            elsewhere = mount_of(below) != self._mount
        except OSError as error:
            os.close(below)
            self._fail(name, error.strerror)
            return False
        if elsewhere:
            os.close(below)
            self._fail(name, "a file system is mounted there")
            return False
        status = os.fstat(self._current)
        self._above.append(_Above(name, (status.st_dev, status.st_ino), pending))
        os.close(self._current)
        self._current = below
        return True

    def _open_closed(self, name: str) -> int:
        """Open a directory of ours whose mode keeps us out; -1 where that fails."""
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            held = os.open(name, flags, dir_fd=self._current)
            try:
                # fchmod(2) refuses O_PATH; this name leads to the same inode and no other.
                os.chmod(f"/proc/self/fd/{held}", stat.S_IRWXU)
            finally:
                os.close(held)
            return os.open(name, DIRECTORY, dir_fd=self._current)
        except OSError as error:
            self._fail(name, error.strerror)
            return -1

    def _empty(self) -> list[str]:
        """Remove what is no directory from the current one; return the directories."""
        if not self._privileged:
            self._make_writable()
        directories: list[str] = []
        with os.scandir(self._current) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    directories.append(entry.name)
                    continue
                try:
                    os.unlink(entry.name, dir_fd=self._current)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    self._fail(entry.name, error.strerror)
        return directories

    def _make_writable(self) -> None:
        status = os.fstat(self._current)
        if status.st_mode & stat.S_IRWXU != stat.S_IRWXU and status.st_uid == os.geteuid():
            os.fchmod(self._current, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)

    def _ascend(self, above: _Above) -> None:
        up = os.open("..", DIRECTORY, dir_fd=self._current)
        os.close(self._current)
        self._current = up
        status = os.fstat(up)
        if (status.st_dev, status.st_ino) != above.identity:
            raise TreeError(f"{self._path(above.name)} was moved while it was removed")

    def _remove_directory(self, name: str) -> None:
        try:
            os.rmdir(name, dir_fd=self._current)
        except FileNotFoundError:
            return
        except OSError as error:
            # Not empty, because of what is already told: once is enough.
            if not self._left:
                self._left.append(Left(self._path(""), error.strerror or str(error)))

    def _fail(self, name: str, why: str | None) -> None:
        self._left.append(Left(self._path(name), why or "unknown error"))

    def _path(self, name: str) -> str:
        return "/".join([one.name for one in self._above] + ([name] if name else []))
