"""sigset_t: an array of unsigned long, of 1024 bits in glibc as in musl."""

from __future__ import annotations

import ctypes
from functools import cache

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BYTES = 128
_WORD = ctypes.sizeof(ctypes.c_ulong)


def signal_set(numbers: Iterable[int]) -> ctypes.Array[ctypes.c_ulong]:
    """Return the set of some signals."""
    made = _type()()
    for number in numbers:
        word, bit = divmod(number - 1, 8 * _WORD)
        made[word] |= 1 << bit
    return made


@cache
def _type() -> type[ctypes.Array[ctypes.c_ulong]]:
    return ctypes.c_ulong * (_BYTES // _WORD)
