"""PAX records: what a ustar header has no room for (POSIX.1-2017, pax, "pax Extended Header").

A record is ``LENGTH KEY=VALUE\\n``, where the length counts itself.
"""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Attributes as star, GNU tar, libarchive, Go and every container engine have them.
XATTR = b"SCHILY.xattr."
_LONGEST_LENGTH = 20


def encode_records(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the records as bytes, in the order given."""
    return b"".join(_record(key, value) for key, value in records)


def decode_records(data: bytes, place: str) -> Iterator[tuple[bytes, bytes]]:
    """Return the keys and values of ``data``; raise LayerError, naming ``place``, where malformed.

    The same key may come again: then the later one holds.
    """
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + _LONGEST_LENGTH)
        digits = data[at:space]
        if space < 0 or not digits.isdigit():
            raise LayerError(f"{place} has a PAX record without a length")
        end = at + int(digits)
        equals = data.find(b"=", space, end)
        if not space + 1 < equals < end <= len(data) or data[end - 1 : end] != b"\n":
            raise LayerError(f"{place} has a PAX record that is cut off, or not KEY=VALUE")
        yield data[space + 1 : equals], data[equals + 1 : end - 1]
        at = end


def attribute_key(name: str) -> bytes:
    """Return the key of the extended attribute ``name``, escaped as GNU tar has it."""
    raw = name.encode(errors="surrogateescape")
    return XATTR + raw.replace(b"%", b"%25").replace(b"=", b"%3D")


def attribute_name(key: bytes) -> str:
    """Return the name of the extended attribute whose key is ``key``; undo ``attribute_key``."""
    raw = key[len(XATTR) :].replace(b"%3D", b"=").replace(b"%25", b"%")
    return raw.decode(errors="surrogateescape")


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + len(b" =\n")
    length = rest + len(str(rest))
    # One more digit may be needed to count the digits.
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)
