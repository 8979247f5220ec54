"""A machine for seccomp's BPF: what a filter answers to one call, without a kernel."""

from __future__ import annotations

from struct import Struct, unpack_from
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMIT = 4096


def answer(
    program: bytes, audit: int, number: int, arguments: Sequence[int], *, little: bool
) -> int:
    """Run ``program`` (linux/bpf_common.h) on one call; return what it returns.

    As strict as the kernel's checker: no jump backwards or out, loads of words alone.
    """
    order = "<" if little else ">"
    data = Struct(f"{order}IIQ6Q").pack(number, audit, 0x7F0000001000, *arguments)
    length = len(program) // 8
    assert 0 < length <= _LIMIT
    accumulator = 0
    at = 0
    while True:
        assert at < length, "the program runs past its end"
        code, if_true, if_false, operand = unpack_from(f"{order}HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x20:
                assert operand % 4 == 0
                [accumulator] = unpack_from(f"{order}I", data, operand)
            case 0x54:
                accumulator &= operand
            case 0x05:
                at += operand
            case 0x15 | 0x25 | 0x35 | 0x45:
                holds = {
                    0x15: accumulator == operand,
                    0x25: accumulator > operand,
                    0x35: accumulator >= operand,
                    0x45: bool(accumulator & operand),
                }[code]
                at += if_true if holds else if_false
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(f"an instruction that seccomp has no use for: {code:#x}")
