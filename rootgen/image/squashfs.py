"""Entries as a squashfs 4.0: compressed, read at random, mounted by every kernel.

Linux Documentation/filesystems/squashfs.rst; fs/squashfs/squashfs_fs.h for
the fields. Contents come first, in the order of the Plan; where they are is
known then, and the inodes are written from the last to the first, so that
those of a directory stand before its own. Written by ourselves: the bytes
that mksquashfs makes depend on its version, as ours do on zlib's and zstd's
alone.
"""

from __future__ import annotations

import os
from struct import pack

from rootgen.errors import PlanError
from rootgen.image.compress import block_compressor
from rootgen.image.inodes import Inodes, device_number, inode_of, raw, without_attributes
from rootgen.image.spool import unnamed_file, write_all
from rootgen.image.squashfs_data import Data, DataArea
from rootgen.image.squashfs_tables import (
    ATTRIBUTES,
    NO_TABLE,
    NOTHING,
    SUPER,
    Attributes,
    Facts,
    Ids,
    Metadata,
    looked_up,
    superblock,
)
from rootgen.layer.packed import PackedOutput
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rootgen.layer.packed import Packed
    from rootgen.sysroot.port import OpenFile

    Contents = Callable[[Entry], OpenFile]
    Write = Callable[[bytes], object]

LARGEST_TIME = 0xFFFFFFFF
_TYPES = {
    EntryKind.DIRECTORY: 1,
    EntryKind.FILE: 2,
    EntryKind.HARDLINK: 2,
    EntryKind.SYMLINK: 3,
    EntryKind.BLOCK: 4,
    EntryKind.CHARACTER: 5,
    EntryKind.FIFO: 6,
}
_EXTENDED = 7  # is added to the type of an inode with more fields
_WHOLE = 4096  # what a device is a multiple of; mksquashfs pads to it
_CHUNK = 1 << 20
_MOST_NAMES = 256
_SHORT, _LONG = 0xFFFF, 0xFFFFFFFF


def write_squashfs(
    entries: Collection[Entry], contents: Contents, write: Write, compress: str, directory: str
) -> Packed:
    """Write ``entries``, which are in the order of a Plan, as a squashfs to ``write``.

    ``compress`` is one of ``image.compress.COMPRESSIONS``. The contents wait
    in a file without a name in ``directory``, as the superblock, which comes
    first, is known last. Times before 1970 or after 2106 become those.
    Raises LayerError for a file that changes meanwhile, PlanError for what
    no squashfs can hold, ImageError where there is no room.
    """
    inodes = Inodes(entries)
    with PackedOutput(write) as output, unnamed_file(directory) as spool:
        area = DataArea(
            lambda data: write_all(spool.fileno(), data, f"contents in {directory}"),
            SUPER.size,
            compress,
        )
        try:
            data = {
                entry.path: area.add(entry, contents)
                for entry in inodes.own
                if entry.kind is EntryKind.FILE
            }
            area.finish()
        finally:
            area.close()
        tables = _Tables(inodes, data, None if compress == "none" else compress)
        facts, written = tables.after(area)
        output.add(superblock(facts, compress))
        at = 0
        while piece := os.pread(spool.fileno(), _CHUNK, at):
            output.add(piece)
            at += len(piece)
        output.add(written)
        output.pad(_WHOLE)
        return output.finish()


def not_held(entries: Collection[Entry]) -> Iterator[tuple[str, str]]:
    """Return the paths of which a squashfs cannot hold something, and what that is."""
    yield from without_attributes(entries, tuple(ATTRIBUTES), "squashfs")
    for entry in entries:
        if not 0 <= entry.mtime <= LARGEST_TIME:
            yield entry.path, "a time that squashfs has no room for"


class _Tables:
    """Inodes and directories."""

    def __init__(self, inodes: Inodes, data: dict[str, Data], compress: str | None) -> None:
        self._all = inodes
        self._data = data
        self._numbers = {entry.path: number for number, entry in enumerate(inodes.own, 1)}
        self._compress = None if compress is None else block_compressor(compress)
        self._inodes = Metadata(self._compress)
        self._directories = Metadata(self._compress)
        self._ids = Ids()
        self._attributes = Attributes(self._compress)
        self._places: dict[str, tuple[int, int]] = {}

    def after(self, area: DataArea) -> tuple[Facts, bytes]:
        """Return what the superblock says, and the tables, which stand behind ``area``."""
        for entry in reversed(self._all.own):
            made = self._inode(entry)
            self._places[entry.path] = self._inodes.here()
            self._inodes.add(made)
        block, offset = self._places["/"]
        inodes, directories = self._inodes.data(), self._directories.data()
        at = area.end
        written = [inodes, directories]
        directory_table = at + len(inodes)
        fragments, fragment_table = looked_up(area.fragments, directory_table + len(directories))
        written.append(fragments)
        ids, id_table = looked_up(self._ids.table(self._compress), at + sum(map(len, written)))
        written.append(ids)
        attributes, attribute_table = self._attributes.table(at + sum(map(len, written)))
        written.append(attributes)
        facts = Facts(
            len(self._all.own),
            len(area),
            len(self._ids),
            block << 16 | offset,
            at + sum(map(len, written)),
            id_table,
            attribute_table,
            at,
            directory_table,
            fragment_table if len(area) else NO_TABLE,
        )
        return facts, b"".join(written)

    def _inode(self, entry: Entry) -> bytes:
        attributes = self._attributes.number(entry)
        links = self._all.links[entry.path]
        has_more = attributes != NOTHING
        match entry.kind:
            case EntryKind.DIRECTORY:
                has_more, body = self._directory(entry, links, attributes)
            case EntryKind.FILE:
                has_more, body = self._file(entry, links, attributes)
            case EntryKind.SYMLINK:
                target = raw(entry.target)
                body = pack("<II", links, len(target)) + target
            case EntryKind.FIFO:
                body = pack("<I", links)
            case _:
                body = pack("<II", links, device_number(entry))
        if has_more and entry.kind not in {EntryKind.DIRECTORY, EntryKind.FILE}:
            body += pack("<I", attributes)
        head = pack(
            "<HHHHII",
            _TYPES[entry.kind] + (_EXTENDED if has_more else 0),
            entry.mode,
            self._ids.number(entry.uid),
            self._ids.number(entry.gid),
            min(max(0, entry.mtime), LARGEST_TIME),
            self._numbers[entry.path],
        )
        return head + body

    def _file(self, entry: Entry, links: int, attributes: int) -> tuple[bool, bytes]:
        data = self._data[entry.path]
        lengths = pack(f"<{len(data.lengths)}I", *data.lengths)
        if links > 1 or attributes != NOTHING or max(data.start, entry.size) > _LONG:
            head = (data.start, entry.size, 0, links, data.fragment, data.offset, attributes)
            return True, pack("<QQQIIII", *head) + lengths
        return False, pack("<IIII", data.start, data.fragment, data.offset, entry.size) + lengths

    def _directory(self, entry: Entry, links: int, attributes: int) -> tuple[bool, bytes]:
        block, offset = self._directories.here()
        size = 3  # "." and "..", which are not written
        for part in self._listing(entry):
            self._directories.add(part)
            size += len(part)
        if size > _LONG:
            raise PlanError(f"{entry.path} has more names than a squashfs can hold")
        above = self._numbers[entry.path.rpartition("/")[0] or "/"]
        if entry.path == "/":
            above = len(self._numbers) + 1  # as mksquashfs has it: no inode has this number
        if size > _SHORT or attributes != NOTHING:
            return True, pack("<IIIIHHI", links, size, block, above, 0, offset, attributes)
        return False, pack("<IIHHI", block, links, size, offset, above)

    def _listing(self, directory: Entry) -> Iterator[bytes]:
        """Return the names in a directory in parts, each of inodes near to each other."""
        names: list[bytes] = []
        block, base = -1, 0
        for name, entry in self._all.below[directory.path]:
            path = inode_of(entry)
            number = self._numbers[path]
            place = self._places[path]
            is_near = place[0] == block and -0x8000 <= number - base < 0x8000  # noqa: PLR2004 - 16 bits
            if not is_near or len(names) == _MOST_NAMES:
                if names:
                    yield pack("<III", len(names) - 1, block, base) + b"".join(names)
                names = []
                block, base = place[0], number
            head = pack("<HhHH", place[1], number - base, _TYPES[entry.kind], len(name) - 1)
            names.append(head + name)
        if names:
            yield pack("<III", len(names) - 1, block, base) + b"".join(names)
