"""Entries as inodes, for the formats that are file systems: names, counts of links, devices."""

from __future__ import annotations

import stat

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# What st_mode calls each kind (inode(7)); a hard link is a name of a file.
FILE_TYPES = {
    EntryKind.DIRECTORY: stat.S_IFDIR,
    EntryKind.FILE: stat.S_IFREG,
    EntryKind.HARDLINK: stat.S_IFREG,
    EntryKind.SYMLINK: stat.S_IFLNK,
    EntryKind.CHARACTER: stat.S_IFCHR,
    EntryKind.BLOCK: stat.S_IFBLK,
    EntryKind.FIFO: stat.S_IFIFO,
}
_MAJOR, _MINOR = 0xFFF, 0xFFFFF


class Inodes:
    """The inodes of entries: ``own`` has those that are one, in their order.

    ``below`` has the entries in each directory, by its path and sorted by
    their names' bytes; ``links`` is how many names each inode has.
    """

    def __init__(self, entries: Collection[Entry]) -> None:
        """Sort ``entries``, which are a Plan's.

        Raises PlanError where one is in no directory, or is a hard link to no file.
        """
        self.own = tuple(entry for entry in entries if entry.kind is not EntryKind.HARDLINK)
        kinds = {entry.path: entry.kind for entry in self.own}
        self.links = {path: 2 if kind is EntryKind.DIRECTORY else 1 for path, kind in kinds.items()}
        self.below: dict[str, list[tuple[bytes, Entry]]] = {
            path: [] for path, kind in kinds.items() if kind is EntryKind.DIRECTORY
        }
        if kinds.get("/") is not EntryKind.DIRECTORY:
            raise PlanError("there is no directory /: nothing can be mounted")
        for entry in entries:
            if entry.path == "/":
                continue
            parent, _, name = entry.path.rpartition("/")
            if (parent or "/") not in self.below:
                raise PlanError(f"{entry.path} is in no directory")
            self.below[parent or "/"].append((raw(name), entry))
            if entry.kind is EntryKind.DIRECTORY:
                self.links[parent or "/"] += 1
            elif entry.kind is EntryKind.HARDLINK:
                if kinds.get(entry.target) is not EntryKind.FILE:
                    raise PlanError(
                        f"{entry.path} is a hard link to {entry.target}, which is no file here"
                    )
                self.links[entry.target] += 1
        for names in self.below.values():
            names.sort(key=lambda one: one[0])


def raw(text: str) -> bytes:
    """Return the bytes of a name or a link's target."""
    return text.encode(errors="surrogateescape")


def inode_of(entry: Entry) -> str:
    """Return the path of the entry that is the inode of ``entry``."""
    return entry.target if entry.kind is EntryKind.HARDLINK else entry.path


def device_number(entry: Entry) -> int:
    """Return the numbers of a device in 32 bits, as Linux has them (kdev_t.h, new_encode_dev).

    Raises PlanError for numbers that Linux has not.
    """
    major, minor = entry.device
    if not (0 <= major <= _MAJOR and 0 <= minor <= _MINOR):
        raise PlanError(f"{entry.path} is device {major}:{minor}, which no file system can hold")
    return (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12


def without_attributes(
    entries: Collection[Entry], kept: tuple[str, ...], form: str
) -> Iterator[tuple[str, str]]:
    """Return the paths of attributes that are none of ``kept`` (names, or prefixes with a dot).

    ``form`` has no room for those.
    """
    for entry in entries:
        for name, _ in entry.xattrs:
            if not name.startswith(kept):
                yield entry.path, f"the attribute {name}, which {form} has no room for"
