"""The header of one package in rpm's database: an index of tags, and their values.

rpm, ``docs/manual/format.md``, "Header": two lengths (entries, bytes of
data), entries of four numbers (tag, type, offset, count), then the data; all
numbers big-endian.
"""

from __future__ import annotations

import struct

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME, VERSION, RELEASE, EPOCH = 1000, 1001, 1002, 1003
BUILD_TIME, SIZE, VENDOR, LICENCE, ARCHITECTURE = 1006, 1009, 1011, 1014, 1022
FILE_DIGESTS, FILE_FLAGS, SOURCE_RPM = 1035, 1037, 1044
PROVIDE_NAME, REQUIRE_NAME = 1047, 1049
DIRECTORY_INDEXES, BASE_NAMES, DIRECTORY_NAMES = 1116, 1117, 1118
DIGEST_ALGORITHM = 5011
LICENCE_FLAG = 1 << 7  # RPMFILE_LICENSE, rpmfiles.h
_ENTRY = struct.Struct(">IIII")
_LENGTHS = struct.Struct(">II")
# rpm, lib/header.c: hdrchkTags, hdrchkData.
_ENTRIES_LIMIT, _DATA_LIMIT = 0xFFFF, 256 << 20
_INT32, _STRING, _STRING_ARRAY, _I18N = 4, 6, 8, 9


class Header(NamedTuple):
    """The tags of a package: type, offset into ``data``, count."""

    entries: Mapping[int, tuple[int, int, int]]
    data: bytes

    def texts(self, tag: int) -> tuple[bytes, ...]:
        """Return a tag's texts, none where it is not there; raise SysrootError."""
        kind, offset, count = self.entries.get(tag, (_STRING_ARRAY, 0, 0))
        if kind not in {_STRING, _STRING_ARRAY, _I18N} or count > len(self.data):
            raise SysrootError(f"tag {tag} is no text")
        found: list[bytes] = []
        for _ in range(1 if kind == _STRING and count else count):
            end = self.data.find(b"\0", offset)
            if end < 0:
                raise SysrootError(f"tag {tag} leads past the end")
            found.append(self.data[offset:end])
            offset = end + 1
        return tuple(found)

    def text(self, tag: int) -> str:
        """Return a tag's first text, or nothing."""
        found = self.texts(tag)
        return found[0].decode("utf-8", "surrogateescape") if found else ""

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return a tag's numbers of 32 bits, none where it is not there; raise SysrootError."""
        kind, offset, count = self.entries.get(tag, (_INT32, 0, 0))
        if kind != _INT32 or offset + 4 * count > len(self.data):
            raise SysrootError(f"tag {tag} is no number")
        return struct.unpack_from(f">{count}I", self.data, offset)


def parse_header(blob: bytes) -> Header:
    """Return the header that ``blob`` is; raise SysrootError where it is malformed."""
    if len(blob) < _LENGTHS.size:
        raise SysrootError("it is cut off")
    count, size = _LENGTHS.unpack_from(blob)
    start = _LENGTHS.size + count * _ENTRY.size
    if count > _ENTRIES_LIMIT or size > _DATA_LIMIT or start + size > len(blob):
        raise SysrootError(f"{count} tags and {size} bytes are not in it")
    entries: dict[int, tuple[int, int, int]] = {}
    for tag, kind, offset, items in _ENTRY.iter_unpack(blob[_LENGTHS.size : start]):
        if offset <= size:
            entries.setdefault(tag, (kind, offset, items))
    return Header(entries, blob[start : start + size])
