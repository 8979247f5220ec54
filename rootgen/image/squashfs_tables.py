"""The parts of a squashfs that are tables: metadata blocks, ids, attributes, the superblock.

Linux Documentation/filesystems/squashfs.rst; fs/squashfs/squashfs_fs.h for the fields.
"""

from __future__ import annotations

from struct import Struct, pack

from rootgen.errors import PlanError
from rootgen.image.inodes import raw
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.plan.entry import Entry

    Compress = Callable[[bytes], bytes]

NOTHING = 0xFFFFFFFF
NO_TABLE = 0xFFFFFFFFFFFFFFFF
BLOCK = 1 << 17
SUPER = Struct("<IIIIIHHHHHHQQQQQQQQ")
# What comes before a name is written as a number; other attributes have no place.
ATTRIBUTES = {"user.": 0, "trusted.": 1, "security.": 2}
_MAGIC = 0x73717368
_METADATA = 8192
_UNCOMPRESSED = 0x8000
_COMPRESSORS = {"none": 1, "gzip": 1, "zstd": 6}
# SQUASHFS_NOI, NOD, NOF, NOX, and that of the ids: nothing is compressed.
_NOT_COMPRESSED = 0x1 | 0x2 | 0x8 | 0x100 | 0x800
_NO_ATTRIBUTES = 0x200
_MOST_IDS = 0xFFFF


class Metadata:
    """A table of metadata blocks: 8 KiB each, compressed by itself, its length before it."""

    def __init__(self, compress: Compress | None) -> None:
        """Begin an empty table; None: nothing is compressed."""
        self._compress = compress
        self._gathered = bytearray()
        self._written: list[bytes] = []
        self._length = 0
        self.starts: list[int] = []

    def here(self) -> tuple[int, int]:
        """Return where the next byte will be: the offset of its block, and that within it."""
        self._flush()
        return self._length, len(self._gathered)

    def add(self, data: bytes) -> None:
        """Add bytes."""
        self._gathered += data
        self._flush()

    def data(self) -> bytes:
        """Return the whole table, to which nothing more is added."""
        self._flush()
        if self._gathered:
            self._write(bytes(self._gathered))
            self._gathered.clear()
        return b"".join(self._written)

    def _flush(self) -> None:
        while len(self._gathered) >= _METADATA:
            self._write(bytes(self._gathered[:_METADATA]))
            del self._gathered[:_METADATA]

    def _write(self, block: bytes) -> None:
        self.starts.append(self._length)
        data = block if self._compress is None else self._compress(block)
        head = len(data)
        if self._compress is None or len(data) >= len(block):
            data, head = block, len(block) | _UNCOMPRESSED
        self._written.append(pack("<H", head) + data)
        self._length += len(data) + 2


def looked_up(table: Metadata, at: int) -> tuple[bytes, int]:
    """Return a table that begins at ``at`` with the index behind it, and where that begins."""
    data = table.data()
    index = b"".join(pack("<Q", at + start) for start in table.starts)
    return data + index, at + len(data)


class Ids:
    """Owners and groups, each once, in the order in which they were met."""

    def __init__(self) -> None:
        """Know none yet."""
        self._numbers: dict[int, int] = {}

    def number(self, owner: int) -> int:
        """Return the number that stands for ``owner``; raise PlanError for one too many."""
        number = self._numbers.setdefault(owner, len(self._numbers))
        if number >= _MOST_IDS:
            raise PlanError("the tree has over 65,535 owners, which a squashfs cannot hold")
        return number

    def table(self, compress: Compress | None) -> Metadata:
        """Return the table."""
        made = Metadata(compress)
        for owner in self._numbers:
            made.add(pack("<I", owner))
        return made

    def __len__(self) -> int:
        """Count them."""
        return len(self._numbers)


class Attributes:
    """Sets of extended attributes, each once."""

    def __init__(self, compress: Compress | None) -> None:
        """Know none yet."""
        self._pairs = Metadata(compress)
        self._sets = Metadata(compress)
        self._numbers: dict[bytes, int] = {}

    def number(self, entry: Entry) -> int:
        """Return the number that stands for the attributes of ``entry``; NOTHING for none."""
        data, count = b"", 0
        for name, value in entry.xattrs:
            prefix = next((one for one in ATTRIBUTES if name.startswith(one)), None)
            if prefix is not None:
                rest = raw(name[len(prefix) :])
                data += pack("<HH", ATTRIBUTES[prefix], len(rest)) + rest
                data += pack("<I", len(value)) + value
                count += 1
        if not count:
            return NOTHING
        if data not in self._numbers:
            block, offset = self._pairs.here()
            self._pairs.add(data)
            self._sets.add(pack("<QII", block << 16 | offset, count, len(data)))
            self._numbers[data] = len(self._numbers)
        return self._numbers[data]

    def table(self, at: int) -> tuple[bytes, int]:
        """Return the tables, which begin at ``at``, and where their head begins; NO_TABLE: none."""
        if not self._numbers:
            return b"", NO_TABLE
        pairs = self._pairs.data()
        sets = self._sets.data()
        head = at + len(pairs) + len(sets)
        index = b"".join(pack("<Q", at + len(pairs) + start) for start in self._sets.starts)
        return pairs + sets + pack("<QII", at, len(self._numbers), 0) + index, head


class Facts(NamedTuple):
    """What the superblock says, besides what is always the same."""

    inodes: int
    fragments: int
    ids: int
    root: int
    length: int
    id_table: int
    attribute_table: int
    inode_table: int
    directory_table: int
    fragment_table: int


def superblock(facts: Facts, compress: str) -> bytes:
    """Return the superblock of an image that is compressed by ``compress``."""
    flags = _NOT_COMPRESSED if compress == "none" else 0
    if facts.attribute_table == NO_TABLE:
        flags |= _NO_ATTRIBUTES
    return SUPER.pack(
        _MAGIC, facts.inodes, 0, BLOCK, facts.fragments, _COMPRESSORS[compress],
        BLOCK.bit_length() - 1, flags, facts.ids, 4, 0, facts.root, facts.length, facts.id_table,
        facts.attribute_table, facts.inode_table, facts.directory_table, facts.fragment_table,
        NO_TABLE,
    )  # fmt: skip
