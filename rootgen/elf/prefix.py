"""The interpreter of an ordinary program from its first bytes alone, with next to no memory.

For process 1 of a launch, to which each page that it touches is one to copy.
"""

from __future__ import annotations

import sys
from struct import Struct

# Elf64_Ehdr and Elf64_Phdr (elf(5)) of this machine's own byte order.
_HEADER = Struct("=16xHHIQQQIHHH")
_SEGMENT = Struct("=IIQQQQ16x")
_IDENT = b"\x7fELF\x02" + (b"\x01" if sys.byteorder == "little" else b"\x02")
_EXECUTABLE = (2, 3)  # ET_EXEC, ET_DYN
_PT_INTERP = 3
_SEGMENT_SIZE = 56


def interpreter_in(prefix: bytes) -> bytes | None:
    """Return the interpreter of a 64-bit ELF program that begins with ``prefix``.

    Empty for a static one, and None for whatever is not plainly one, or not in these bytes:
    ``reader.read_interpreter`` then says more. A malformed file has no other answer than that.
    """
    if prefix[:6] != _IDENT or len(prefix) < _HEADER.size:
        return None
    kind, _, _, _, offset, _, _, _, size, count = _HEADER.unpack_from(prefix)
    if kind not in _EXECUTABLE or size != _SEGMENT_SIZE or offset + size * count > len(prefix):
        return None
    segments = prefix[offset : offset + size * count]
    for segment, _, start, _, _, length in _SEGMENT.iter_unpack(segments):
        if segment == _PT_INTERP:
            name = prefix[start : start + length]
            whole = 1 < length == len(name) and name.find(b"\0") == length - 1
            return name[:-1] if whole else None
    return b""
