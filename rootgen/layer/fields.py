"""The fields of a tar header block, read: numbers, texts, the checksum.

POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar
Format" and "Extensions" (base-256 numbers, long names, sparse files).
"""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.named import NamedTuple

BLOCK = 512

_SIGN, _NEGATIVE = 0x80, 0xFF
_LARGEST = (1 << 63) - 1
_SPACES = 8 * ord(" ")


class Header(NamedTuple):
    """One header block: names as bytes, ``kind`` the type flag."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    kind: bytes
    link: bytes
    device: tuple[int, int]
    is_gnu: bool


def parse_header(block: bytes, number: int) -> Header:
    """Read the header ``block`` of member ``number``; raise LayerError where it is malformed."""
    place = f"member {number} of the archive"
    if not _has_checksum(block, place):
        if number == 1:
            raise LayerError("this is no tar archive, nor one that gzip, zstd, xz or bzip2 made")
        raise LayerError(f"{place} is damaged: its checksum is not that of its header")
    magic = block[257:263]
    name = _text(block[0:100])
    if magic == b"ustar\0" and block[345]:
        # GNU tar has other things there, and a magic of its own.
        name = _text(block[345:500]) + b"/" + name
    device = (0, 0)
    if magic.startswith(b"ustar") and block[156:157] in b"34":
        device = (_natural(block[329:337], place), _natural(block[337:345], place))
    return Header(
        name,
        parse_number(block[100:108], place) & 0o7777,
        _natural(block[108:116], place),
        _natural(block[116:124], place),
        _natural(block[124:136], place),
        parse_number(block[136:148], place),
        block[156:157],
        _text(block[157:257]),
        device,
        magic == b"ustar ",
    )


def parse_number(field: bytes, place: str) -> int:
    """Return a number: octal digits, or GNU's base 256; an empty field is 0.

    Raises LayerError, naming ``place``, for anything else, and for what no
    64 bits hold.
    """
    first = field[0]
    if first & _SIGN:
        value = int.from_bytes(field, "big", signed=first == _NEGATIVE)
        if first != _NEGATIVE:
            value -= _SIGN << 8 * (len(field) - 1)
    else:
        digits = field.partition(b"\0")[0].strip(b" ")
        if not digits:
            return 0
        if digits.strip(b"01234567"):
            raise LayerError(f"{place} is damaged: {field!r} is no number")
        value = int(digits, 8)
    if not -_LARGEST <= value <= _LARGEST:
        raise LayerError(f"{place} has a number that is too large: {value}")
    return value


def _natural(field: bytes, place: str) -> int:
    value = parse_number(field, place)
    if value < 0:
        raise LayerError(f"{place} has a negative number where none can be: {value}")
    return value


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _has_checksum(block: bytes, place: str) -> bool:
    """Tell whether the header has its checksum; old tars summed signed bytes."""
    try:
        expected = parse_number(block[148:156], place)
    except LayerError:
        return False
    rest = block[:148] + block[156:]
    unsigned = sum(rest) + _SPACES
    if expected == unsigned:
        return True
    return expected == unsigned - 256 * sum(byte >= _SIGN for byte in rest)
