"""The port: what every file system being read can be asked.

All paths are absolute within the root (``/usr/bin/ls``), whatever directory
of the host the root may be. ``Found.path`` is real: no component of it is a
symbolic link.
"""

from __future__ import annotations

from enum import Enum

from rootgen.named import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Kind(Enum):
    """What stands at a path, by its name in ``inode(7)``."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    CHARACTER = "character"
    BLOCK = "block"
    FIFO = "fifo"
    SOCKET = "socket"

    def noun(self) -> str:
        """Return what a person calls it: ``a character device``."""
        return f"a {_NOUNS.get(self, self.value)}"


_NOUNS = {
    Kind.CHARACTER: "character device",
    Kind.BLOCK: "block device",
    Kind.SYMLINK: "symbolic link",
}


class Node(NamedTuple):
    """One inode: ``lstat`` as a value.

    ``mode`` holds the twelve permission bits; ``mtime`` is in whole seconds;
    ``identity`` is unique to the inode within its Sysroot.
    """

    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    identity: tuple[int, int]
    nlink: int = 1
    target: str = ""
    device: tuple[int, int] = (0, 0)


class Link(NamedTuple):
    """A symbolic link met on the way: its own real path, and its text."""

    path: str
    target: str


class Found(NamedTuple):
    """Where a name leads: the real path, what is there, every link on the way."""

    path: str
    node: Node
    links: tuple[Link, ...] = ()


class OpenFile(Protocol):
    """A file open for reading at offsets; use it as a context manager."""

    def __enter__(self) -> OpenFile:
        """Return the file itself."""

    def __exit__(self, *exc: object) -> None:
        """Close it."""

    def pread(self, size: int, offset: int) -> bytes:
        """Read at most ``size`` bytes at ``offset``; fewer at the end of the file."""

    def fileno(self) -> int:
        """Return a descriptor for copying, or raise SysrootError where there is none."""


class Contents(Protocol):
    """Where bytes are read from: all of a Sysroot, or what was kept of an archive."""

    def open(self, path: str) -> OpenFile:
        """Open what goes by ``path``; raise SysrootError where it is not there."""


class Sysroot(Protocol):
    """A file system being read: the host, a directory, a Plan, a drawing in a test."""

    @property
    def name(self) -> str:
        """What to call this root in messages: ``/`` or a directory of the host."""

    def lookup(self, path: str) -> Found | None:
        """Resolve every link of ``path`` within the root.

        None where nothing is there: a missing component, a component that
        is not a directory, more than forty links (path_resolution(7)), a
        directory that may not be searched.
        """

    def lookup_error(self, path: str) -> int:
        """Return what open(2) would say of ``path``, where ``lookup`` has just found nothing.

        ELOOP for too many links, ENOTDIR where a link or the directory leads
        through what is none, and ENOENT for everything else.
        """

    def node(self, path: str) -> Node | None:
        """Return what stands at ``path``, whose parent directories hold no links."""

    def open(self, path: str) -> OpenFile:
        """Open the regular file at the real path ``path``.

        Raises SysrootError where it is not there, is no regular file or may
        not be read.
        """

    def names(self, path: str) -> Sequence[str]:
        """Return the names in the directory at the real path ``path``, sorted.

        Raises SysrootError where that cannot be read.
        """

    def xattrs(self, path: str) -> tuple[tuple[str, bytes], ...]:
        """Return the extended attributes of what is at ``path`` (no link followed), sorted."""
