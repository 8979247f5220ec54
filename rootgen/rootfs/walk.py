"""The directory of one path after another, each opened from its parent, no link followed."""

from __future__ import annotations

import errno
import os

from rootgen.errors import TreeError

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What a tree may hold is unknown: a fifo must not stop us, a terminal not become ours.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# Each level is an open descriptor, of which a process commonly may have 1024.
_DEEPEST = 512


class Directories:
    """Open directories from the top of a tree down to the one asked for last.

    Paths in the order of a Plan need each directory opened once.
    """

    def __init__(self, root: int) -> None:
        """Begin at the open directory ``root``, which stays the caller's."""
        self._root = root
        self._path = "/"
        self._names: list[str] = []
        self._open: list[int] = []

    def __enter__(self) -> Directories:
        """Return the directories themselves."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close them."""
        self._close_to(0)

    def at(self, path: str) -> int:
        """Return the directory ``path``, open until the next call; raise OSError.

        Raises TreeError where it is too deep.
        """
        if path != self._path:
            self._move(path)
        return self._open[-1] if self._open else self._root

    def _move(self, path: str) -> None:
        names = path.split("/")[1:] if path != "/" else []
        if len(names) > _DEEPEST:
            raise TreeError(f"directories are nested more than {_DEEPEST} deep: {path[:80]}…")
        common = 0
        for name, other in zip(names, self._names, strict=False):
            if name != other:
                break
            common += 1
        self._close_to(common)
        for name in names[common:]:
            above = self._open[-1] if self._open else self._root
            self._open.append(os.open(name, DIRECTORY, dir_fd=above))
            self._names.append(name)
        self._path = path

    def _close_to(self, count: int) -> None:
        self._path = ""
        while len(self._open) > count:
            os.close(self._open.pop())
            self._names.pop()


def parent_of(path: str) -> tuple[str, str]:
    """Return the directory that ``path`` is in, and its name there."""
    parent, _, name = path.rpartition("/")
    return parent or "/", name


def mount_of(descriptor: int) -> tuple[int, str]:
    """Return what tells one mount from another.

    A bind mount of the same file system has the same st_dev, so the mount
    ID counts as well where /proc is there to tell it (proc_pid_fdinfo(5)).
    Raises OSError where no more files may be open.
    """
    device = os.fstat(descriptor).st_dev
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
            for line in info:
                if line.startswith("mnt_id:"):
                    return device, line.split()[1]
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            raise
    return device, ""
