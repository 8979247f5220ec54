"""One entry as tar header blocks: ustar, and before it PAX records where ustar has no room.

POSIX.1-2017, pax, "ustar Interchange Format". Equal entries give equal bytes:
no names of users, whole seconds, each field written in one way.
"""

from __future__ import annotations

from struct import Struct
from zlib import adler32

from rootgen.errors import PlanError
from rootgen.layer.fields import BLOCK
from rootgen.layer.pax import attribute_key, encode_records
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import EntryKind

if TYPE_CHECKING:
    from rootgen.plan.entry import Entry

_NAME, _PREFIX = 100, 155
_LARGEST_ID = 0o7777777
_LARGEST_NUMBER = 0o77777777777
_TYPES = {
    EntryKind.FILE: b"0",
    EntryKind.HARDLINK: b"1",
    EntryKind.SYMLINK: b"2",
    EntryKind.CHARACTER: b"3",
    EntryKind.BLOCK: b"4",
    EntryKind.DIRECTORY: b"5",
    EntryKind.FIFO: b"6",
}
# name, mode to mtime, checksum, type, link, magic and users, device numbers, prefix.
_HEADER = Struct("100s48s8ss100s72s16s155s12x")
_MAGIC = b"ustar\x0000" + bytes(64)
_NO_DEVICE = b"0000000\x000000000\x00"
# The checksum counts itself as spaces; what is the same in every header is summed once.
_CONSTANT = sum(_MAGIC) + 8 * ord(" ")


def header_blocks(entry: Entry, xattrs: tuple[tuple[str, bytes], ...]) -> bytes:
    """Return all blocks of ``entry`` that stand before its content.

    ``xattrs`` are those of the inode: a further name of a file repeats them,
    as an unpacker that changes its owner again would lose them. Raises
    PlanError for a device whose numbers no tar archive holds.
    """
    name = archive_name(entry)
    link = b""
    if entry.kind is EntryKind.HARDLINK:
        link = _relative(entry.target)
    elif entry.kind is EntryKind.SYMLINK:
        link = _raw(entry.target)
    prefix, short = (b"", name) if len(name) <= _NAME else _split(name)
    fits = (
        short
        and len(link) <= _NAME
        and entry.uid <= _LARGEST_ID
        and entry.gid <= _LARGEST_ID
        and entry.size <= _LARGEST_NUMBER
        and 0 <= entry.mtime <= _LARGEST_NUMBER
    )
    if fits and not xattrs:
        return _ustar(entry, prefix, short, link, entry[3:7])
    records = _records(entry, xattrs, name if not short else b"", link)
    return _extended(name, encode_records(records)) + _ustar(
        entry, prefix, short or name[:_NAME], link[:_NAME], _that_fit(entry)
    )


def archive_name(entry: Entry) -> bytes:
    """Return the name of ``entry`` in an archive: relative, a directory's with a slash."""
    name = _relative(entry.path)
    return name + b"/" if entry.kind is EntryKind.DIRECTORY and name != b"./" else name


def _relative(path: str) -> bytes:
    return _raw(path[1:]) or b"./"


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Return the prefix and the rest; two empty ones where no slash is at the right place."""
    at = name.rfind(b"/", 0, min(_PREFIX + 1, len(name) - 1))
    if at <= 0 or len(name) - at - 1 > _NAME:
        return b"", b""
    return name[:at], name[at + 1 :]


def _that_fit(entry: Entry) -> tuple[int, int, int, int]:
    """Return owner, group, time and size; zero for each that only a record can hold."""
    uid, gid, mtime, size = entry[3:7]
    return (
        uid if uid <= _LARGEST_ID else 0,
        gid if gid <= _LARGEST_ID else 0,
        mtime if 0 <= mtime <= _LARGEST_NUMBER else 0,
        size if size <= _LARGEST_NUMBER else 0,
    )


def _records(
    entry: Entry, xattrs: tuple[tuple[str, bytes], ...], name: bytes, link: bytes
) -> list[tuple[bytes, bytes]]:
    records = []
    if name:
        records.append((b"path", name))
    if len(link) > _NAME:
        records.append((b"linkpath", link))
    if any(not _is_utf_8(value) for _, value in records):
        # Else a reader may hold the bytes for UTF-8 and refuse or replace them.
        records.insert(0, (b"hdrcharset", b"BINARY"))
    if entry.size > _LARGEST_NUMBER:
        records.append((b"size", b"%d" % entry.size))
    if entry.uid > _LARGEST_ID:
        records.append((b"uid", b"%d" % entry.uid))
    if entry.gid > _LARGEST_ID:
        records.append((b"gid", b"%d" % entry.gid))
    if not 0 <= entry.mtime <= _LARGEST_NUMBER:
        records.append((b"mtime", b"%d" % entry.mtime))
    records.extend((attribute_key(key), value) for key, value in sorted(xattrs))
    return records


def _is_utf_8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _extended(name: bytes, records: bytes) -> bytes:
    """Return the member that holds ``records`` for the next one, by a name like GNU tar's."""
    last = name.rstrip(b"/").rpartition(b"/")[2]
    own = b"PaxHeaders/" + last[: _NAME - len(b"PaxHeaders/")]
    head = _block(own, (0o644, 0, 0, len(records), 0), b"x", b"", _NO_DEVICE, b"")
    return head + records + bytes(-len(records) % BLOCK)


def _ustar(
    entry: Entry, prefix: bytes, name: bytes, link: bytes, numbers: tuple[int, int, int, int]
) -> bytes:
    device = _NO_DEVICE
    kind = entry.kind
    if kind is EntryKind.CHARACTER or kind is EntryKind.BLOCK:
        major, minor = entry.device
        if max(major, minor) > _LARGEST_ID:
            raise PlanError(f"{entry.path} is device {major}:{minor}, which no archive can hold")
        device = b"%07o\0%07o\0" % (major, minor)
    uid, gid, mtime, size = numbers
    return _block(name, (entry.mode, uid, gid, size, mtime), _TYPES[kind], link, device, prefix)


def _block(
    name: bytes,
    numbers: tuple[int, int, int, int, int],
    kind: bytes,
    link: bytes,
    device: bytes,
    prefix: bytes,
) -> bytes:
    middle = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % numbers
    total = _CONSTANT + _sum(name) + _sum(middle) + kind[0] + _sum(device)
    if link or prefix:
        total += _sum(link) + _sum(prefix)
    return _HEADER.pack(name, middle, b"%06o\0 " % total, kind, link, _MAGIC, device, prefix)


def _sum(field: bytes) -> int:
    """Return the sum of the bytes of a field, at most 256 of them.

    The lower half of an Adler-32 that begins with 0 is that, modulo 65521 (RFC 1950): five times
    as fast as ``sum``, which makes a number of each byte.
    """
    return adler32(field, 0) & 0xFFFF
