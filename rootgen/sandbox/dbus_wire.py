"""D-Bus values and messages as bytes and back (D-Bus Specification, "Message Protocol").

Values are Python's: str, int, bool, list, tuple for a struct, and for a
variant a pair of its signature and its value.
"""

from __future__ import annotations

import struct

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4

# Message size limit of the specification.
LIMIT = 1 << 27
HEADER_SIZE = 16

_FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}
_ALIGNMENT = {"s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8}
# Header fields, and the type of each.
_FIELDS = {
    1: ("path", "o"),
    2: ("interface", "s"),
    3: ("member", "s"),
    4: ("error", "s"),
    5: ("reply_to", "u"),
    6: ("destination", "s"),
    7: ("sender", "s"),
    8: ("signature", "g"),
}


class Message(NamedTuple):
    """One message; ``body`` has one value for each type of ``signature``."""

    kind: int
    serial: int = 0
    path: str = ""
    interface: str = ""
    member: str = ""
    error: str = ""
    reply_to: int = 0
    destination: str = ""
    sender: str = ""
    signature: str = ""
    body: tuple[Any, ...] = ()


def pack(message: Message) -> bytes:
    """Return a message as little-endian bytes."""
    body = bytearray()
    for kind, value in zip(split(message.signature), message.body, strict=True):
        _put(body, kind, value)
    fields = [
        (code, (kind, getattr(message, name)))
        for code, (name, kind) in _FIELDS.items()
        if getattr(message, name)
    ]
    data = bytearray(struct.pack("<cBBBII", b"l", message.kind, 0, 1, len(body), message.serial))
    _put(data, "a(yv)", fields)
    _pad(data, 8)
    return bytes(data + body)


def size_of(header: bytes) -> int:
    """Return how long the message is that begins with these 16 bytes; raise ValueError."""
    order = _order(header)
    body, _, fields = struct.unpack_from(f"{order}III", header, 4)
    size = HEADER_SIZE + -(-fields // 8) * 8 + body
    if size > LIMIT:
        raise ValueError(f"a message of {size} bytes")
    return int(size)


def unpack(data: bytes) -> Message:
    """Return the message that ``data`` is; raise ValueError where it is malformed."""
    order = _order(data)
    try:
        body_size, serial = struct.unpack_from(f"{order}II", data, 4)
        fields, _ = _get(data, 12, "a(yv)", order)
        known = {_FIELDS[code][0]: value for code, (_, value) in fields if code in _FIELDS}
        offset = len(data) - body_size
        values = []
        for kind in split(known.get("signature", "")):
            value, offset = _get(data, offset, kind, order)
            values.append(value)
    except (struct.error, UnicodeDecodeError, IndexError, TypeError, KeyError) as error:
        raise ValueError(f"a malformed message: {error}") from error
    return Message(data[1], serial, **known, body=tuple(values))


def split(signature: str) -> list[str]:
    """Split a signature into complete types: ``sa(sv)`` into ``s`` and ``a(sv)``."""
    types: list[str] = []
    while signature:
        end = _end(signature)
        types.append(signature[:end])
        signature = signature[end:]
    return types


def _end(signature: str) -> int:
    """Return where the first complete type of a signature ends; raise ValueError."""
    if signature[0] == "a":
        return 1 + _end(signature[1:]) if len(signature) > 1 else _bad(signature)
    if signature[0] in "({":
        depth = 0
        for index, one in enumerate(signature):
            depth += (one in "({") - (one in ")}")
            if not depth:
                return index + 1
        return _bad(signature)
    return 1 if signature[0] in _FIXED or signature[0] in "sogv" else _bad(signature)


def _bad(signature: str) -> int:
    raise ValueError(f"{signature!r} is no D-Bus signature")


def _order(data: bytes) -> str:
    return "<" if data[:1] == b"l" else ">"


def _alignment(kind: str) -> int:
    return _ALIGNMENT.get(kind[0]) or struct.calcsize(_FIXED[kind[0]])


def _pad(data: bytearray, alignment: int) -> None:
    data.extend(b"\0" * (-len(data) % alignment))


def _put(data: bytearray, kind: str, value: Any) -> None:
    _pad(data, _alignment(kind))
    if kind[0] in _FIXED:
        data.extend(struct.pack(f"<{_FIXED[kind[0]]}", value))
    elif kind[0] in "so":
        text = value.encode()
        data.extend(struct.pack("<I", len(text)) + text + b"\0")
    elif kind[0] == "g":
        text = value.encode()
        data.extend(bytes([len(text)]) + text + b"\0")
    elif kind[0] == "v":
        _put(data, "g", value[0])
        _put(data, value[0], value[1])
    elif kind[0] == "a":
        at = len(data)
        data.extend(bytes(4))
        # The padding before the first element does not count.
        _pad(data, _alignment(kind[1:]))
        begin = len(data)
        for one in value:
            _put(data, kind[1:], one)
        struct.pack_into("<I", data, at, len(data) - begin)
    else:
        for inner, one in zip(split(kind[1:-1]), value, strict=True):
            _put(data, inner, one)


def _get(data: bytes, offset: int, kind: str, order: str) -> tuple[Any, int]:
    offset += -offset % _alignment(kind)
    if kind[0] in _FIXED:
        code = f"{order}{_FIXED[kind[0]]}"
        (number,) = struct.unpack_from(code, data, offset)
        return (bool(number) if kind == "b" else number), offset + struct.calcsize(code)
    if kind[0] in "sog":
        width = 1 if kind[0] == "g" else 4
        size = int.from_bytes(data[offset : offset + width], "little" if order == "<" else "big")
        begin = offset + width
        if begin + size >= len(data):
            raise ValueError("a string runs over the end of its message")
        return data[begin : begin + size].decode(), begin + size + 1
    if kind[0] == "v":
        inner, offset = _get(data, offset, "g", order)
        value, offset = _get(data, offset, inner, order)
        return (inner, value), offset
    if kind[0] == "a":
        return _get_array(data, offset, kind[1:], order)
    values = []
    for inner in split(kind[1:-1]):
        value, offset = _get(data, offset, inner, order)
        values.append(value)
    return tuple(values), offset


def _get_array(data: bytes, offset: int, kind: str, order: str) -> tuple[list[Any], int]:
    size, offset = _get(data, offset, "u", order)
    offset += -offset % _alignment(kind)
    end = offset + size
    if end > len(data):
        raise ValueError("an array runs over the end of its message")
    values = []
    while offset < end:
        value, offset = _get(data, offset, kind, order)
        values.append(value)
    return values, offset
