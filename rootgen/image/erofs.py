"""Entries as an EROFS image, uncompressed: what is mounted is read where it stands.

Linux Documentation/filesystems/erofs.rst; fs/erofs/erofs_fs.h for the fields.
All sizes are known beforehand, so that an image is written from its beginning
to its end: the superblock, the inodes (in the order of the Plan, each with
its attributes, and with the end of its content where that fits beside it),
then the blocks of contents in the same order.
"""

from __future__ import annotations

from struct import Struct

from rootgen.errors import PlanError
from rootgen.image.inodes import (
    FILE_TYPES,
    Inodes,
    device_number,
    inode_of,
    raw,
    without_attributes,
)
from rootgen.layer.packed import PackedOutput, changed, read_part
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Inline

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rootgen.layer.packed import Packed
    from rootgen.sysroot.port import OpenFile

    Contents = Callable[[Entry], OpenFile]
    Write = Callable[[bytes], object]

# What comes before a name is written as a number; other attributes have no place.
ATTRIBUTES = {
    "user.": 1,
    "system.posix_acl_access": 2,
    "system.posix_acl_default": 3,
    "trusted.": 4,
    "security.": 6,
}
_BLOCK = 4096
_SLOT = 32
_SUPER_OFFSET = 1024
# Magic, checksum, features, size of blocks, extensions, root, inodes, time, blocks, where inodes
# and attributes begin; uuid, name; features again.
_SUPER = Struct("<IIIBBHQQIIII16s16sI44x")
_MAGIC = 0xE0F5E1E2
_CHECKSUM, _MTIME = 1, 2  # EROFS_FEATURE_COMPAT
_INODE = Struct("<HHHHQIIIIQII16x")
_EXTENDED = 1
_PLAIN, _INLINE = 0, 2  # EROFS_INODE_FLAT
_DIRENT = Struct("<QHBB")
_ATTRIBUTE = Struct("<BBH")
_ATTRIBUTES_HEAD = 12
_MOST_ATTRIBUTES = 0xFFFF
_LARGEST_VALUE = 0xFFFF
_MOST_BLOCKS = 0xFFFFFFFF
# fs_types.h, FT_*
_TYPES = {
    EntryKind.FILE: 1,
    EntryKind.HARDLINK: 1,
    EntryKind.DIRECTORY: 2,
    EntryKind.CHARACTER: 3,
    EntryKind.BLOCK: 4,
    EntryKind.FIFO: 5,
    EntryKind.SYMLINK: 7,
}
_CASTAGNOLI = 0x82F63B78


class _Place(NamedTuple):
    """Where an inode is: its offset; its content's length, first block, and bytes beside it."""

    offset: int
    attributes: bytes
    size: int
    beside: int
    block: int = 0

    def blocks(self) -> int:
        return -(-(self.size - self.beside) // _BLOCK)


def write_erofs(entries: Collection[Entry], contents: Contents, write: Write) -> Packed:
    """Write ``entries``, which are in the order of a Plan, as an image to ``write``.

    ``contents`` opens the bytes of a file, in that order; one that is longer
    than a block twice. Raises LayerError for a file that is longer or
    shorter than its entry says, PlanError for what no image can hold.
    """
    inodes = Inodes(entries)
    places, blocks = _placed(inodes)
    content = _Content(inodes, places, contents)
    with PackedOutput(write) as output:
        output.add(_superblock(len(inodes.own), blocks))
        at = _BLOCK
        for number, entry in enumerate(inodes.own, 1):
            place = places[entry.path]
            data = _inode(entry, place, number, inodes.links[entry.path]) + place.attributes
            if place.beside:
                data += b"".join(content.read(entry, place.size - place.beside, place.beside))
            output.add(bytes(place.offset - at) + data)
            at = place.offset + len(data)
        output.pad(_BLOCK)
        for entry in inodes.own:
            place = places[entry.path]
            if place.blocks():
                for piece in content.read(entry, 0, place.size - place.beside):
                    output.add(piece)
                output.pad(_BLOCK)
        return output.finish()


def not_held(entries: Collection[Entry]) -> Iterator[tuple[str, str]]:
    """Return the paths of which an EROFS image cannot hold something, and what that is."""
    return without_attributes(entries, tuple(ATTRIBUTES), "EROFS")


def _placed(inodes: Inodes) -> tuple[dict[str, _Place], int]:
    """Return where each inode is, and how many blocks the image has.

    The superblock is alone in its block, whose checksum then covers nothing else.
    """
    places: dict[str, _Place] = {}
    at = _BLOCK
    for entry in inodes.own:
        attributes = _attributes(entry)
        size = _length(entry, inodes)
        need = _INODE.size + len(attributes)
        tail = size % _BLOCK if need + size % _BLOCK <= _BLOCK else 0
        at += -at % _SLOT
        room = _BLOCK - at % _BLOCK
        if need <= room < need + tail and _BLOCK - tail < room:
            # A block for the end alone leaves less room unused than this one would.
            tail = 0
        if need + tail > room:
            # What is beside an inode stands in one block with it.
            at += room
        places[entry.path] = _Place(at, attributes, size, tail)
        at += need + tail
    block = -(-at // _BLOCK)
    for path, place in places.items():
        if place.blocks():
            places[path] = place._replace(block=block)
            block += place.blocks()
    if block > _MOST_BLOCKS:
        raise PlanError("the image would be longer than 16 TiB, which EROFS cannot address")
    return places, block


def _superblock(count: int, blocks: int) -> bytes:
    """Return the first block; the checksum is of all that is behind the boot sector's place."""
    root = _BLOCK // _SLOT
    fields = [
        _MAGIC, 0, _CHECKSUM | _MTIME, _BLOCK.bit_length() - 1, 0, root, count, 0, 0, blocks,
        0, 0, b"", b"", 0,
    ]  # fmt: skip
    rest = bytes(_BLOCK - _SUPER_OFFSET - _SUPER.size)
    fields[1] = _crc32c(_SUPER.pack(*fields) + rest)
    return bytes(_SUPER_OFFSET) + _SUPER.pack(*fields) + rest


def _crc32c(data: bytes) -> int:
    """Return the CRC of Castagnoli's polynomial as the kernel begins it, and not inverted."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    return crc


def _inode(entry: Entry, place: _Place, number: int, links: int) -> bytes:
    """Return an inode in its extended form: 64 bytes, which hold any owner and time."""
    layout = _INLINE if place.beside else _PLAIN
    union = place.block
    if entry.kind in {EntryKind.CHARACTER, EntryKind.BLOCK}:
        union = device_number(entry)
    attributes = 0
    if place.attributes:
        attributes = 1 + (len(place.attributes) - _ATTRIBUTES_HEAD) // 4
    return _INODE.pack(
        _EXTENDED | layout << 1, attributes, FILE_TYPES[entry.kind] | entry.mode, 0,
        place.size, union, number, entry.uid, entry.gid, entry.mtime & 0xFFFFFFFFFFFFFFFF, 0, links,
    )  # fmt: skip


def _attributes(entry: Entry) -> bytes:
    """Return the attributes of an inode; raise PlanError where they are more than one can have."""
    written = []
    for name, value in entry.xattrs:
        prefix = next((one for one in ATTRIBUTES if name.startswith(one)), None)
        if prefix is None:
            continue
        rest = raw(name[len(prefix) :])
        if len(value) > _LARGEST_VALUE:
            raise PlanError(f"{entry.path}: the attribute {name} has over 64 KiB")
        one = _ATTRIBUTE.pack(len(rest), ATTRIBUTES[prefix], len(value)) + rest + value
        written.append(one + bytes(-len(one) % 4))
    data = b"".join(written)
    if len(data) // 4 >= _MOST_ATTRIBUTES:
        raise PlanError(f"{entry.path} has over 256 KiB of attributes, which EROFS cannot hold")
    return bytes(_ATTRIBUTES_HEAD) + data if data else b""


def _length(entry: Entry, inodes: Inodes) -> int:
    if entry.kind is EntryKind.DIRECTORY:
        *whole, last = _in_blocks(entry, inodes)
        return len(whole) * _BLOCK + sum(_DIRENT.size + len(name) for name, _ in last)
    return len(raw(entry.target)) if entry.kind is EntryKind.SYMLINK else entry.size


def _in_blocks(directory: Entry, inodes: Inodes) -> Iterator[list[tuple[bytes, Entry]]]:
    """Return the names in a directory, sorted, those of one block together."""
    above = directory._replace(path=directory.path.rpartition("/")[0] or "/")
    names = [(b".", directory), (b"..", above), *inodes.below[directory.path]]
    block: list[tuple[bytes, Entry]] = []
    used = 0
    for one in sorted(names, key=lambda name: name[0]):
        need = _DIRENT.size + len(one[0])
        if used + need > _BLOCK:
            yield block
            block, used = [], 0
        block.append(one)
        used += need
    yield block


class _Content:
    """The content of any inode, in pieces: a file's, a link's target, the names in a directory."""

    def __init__(self, inodes: Inodes, places: dict[str, _Place], contents: Contents) -> None:
        self._inodes = inodes
        self._places = places
        self._open = contents

    def read(self, entry: Entry, start: int, count: int) -> Iterator[bytes]:
        """Return ``count`` bytes from ``start``; raise LayerError where a file has not that many.

        Who reads a file to its end also sees that nothing comes after it.
        """
        if entry.kind is EntryKind.DIRECTORY:
            yield self._listing(entry)[start : start + count]
        elif entry.kind is EntryKind.SYMLINK:
            yield raw(entry.target)[start : start + count]
        elif isinstance(entry.content, Inline):
            if len(entry.content.data) != entry.size:
                raise changed(entry)
            yield entry.content.data[start : start + count]
        else:
            with self._open(entry) as file:
                yield from read_part(file, entry, start, count)

    def _listing(self, directory: Entry) -> bytes:
        written = []
        for block in _in_blocks(directory, self._inodes):
            at = _DIRENT.size * len(block)
            numbers = []
            for name, entry in block:
                nid = self._places[inode_of(entry)].offset // _SLOT
                numbers.append(_DIRENT.pack(nid, at, _TYPES[entry.kind], 0))
                at += len(name)
            data = b"".join((*numbers, *(name for name, _ in block)))
            written.append(data)
        return b"".join(data + bytes(-len(data) % _BLOCK) for data in written[:-1]) + written[-1]
