"""Archives made by hand, wrong as one likes: each field as it is given, the checksum right."""

from __future__ import annotations


def number(value: int, width: int) -> bytes:
    """Return an octal field."""
    return b"%0*o\0" % (width - 1, value)


def member(  # noqa: PLR0913 - one for each field
    name: bytes,
    kind: bytes = b"0",
    data: bytes = b"",
    *,
    link: bytes = b"",
    size: bytes | None = None,
    mode: bytes = b"0000644\0",
    uid: bytes = b"0000000\0",
    mtime: bytes = b"00000000000\0",
    magic: bytes = b"ustar\x0000",
    device: bytes = bytes(16),
) -> bytes:
    """Return the blocks of one member; ``size`` may lie."""
    size = number(len(data), 12) if size is None else size
    head = (
        name.ljust(100, b"\0") + mode + uid + b"0000000\0" + size + mtime + b" " * 8
        + kind + link.ljust(100, b"\0") + magic.ljust(72, b"\0") + device
    ).ljust(512, b"\0")  # fmt: skip
    return with_checksum(head) + data + bytes(-len(data) % 512)


def with_checksum(head: bytes) -> bytes:
    """Return the header block with the checksum that it should have."""
    blank = head[:148] + b" " * 8 + head[156:]
    return head[:148] + b"%06o\0 " % sum(blank) + head[156:]


def records(*pairs: tuple[bytes, bytes]) -> bytes:
    """Return the member with PAX records for the next one."""
    text = b""
    for key, value in pairs:
        rest = len(key) + len(value) + 3
        length = rest + len(str(rest + len(str(rest))))
        text += b"%d %s=%s\n" % (length, key, value)
    return member(b"PaxHeaders/x", b"x", text)


END = bytes(1024)
