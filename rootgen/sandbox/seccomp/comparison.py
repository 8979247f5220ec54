"""Comparing 64-bit arguments by a machine of 32 bits: the higher half, then the lower one."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.seccomp import bpf
from rootgen.sandbox.seccomp.profile import MASKED_EQ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.sandbox.seccomp.profile import Condition

# Where a test goes on: at the next instruction, or where its condition is known to be met or not.
_ON, _MET, _UNMET = "on", "met", "unmet"

# A test before its places are known: code, operand, where to if true, where to if false.
_Test = tuple[int, int, str, str]

_LOW = 0xFFFFFFFF
_BOTH = 64
# How to compare the lower half, and what that says of the condition if true and if false. In
# front of it, where the higher halves are unequal: what that says if the argument's is
# greater, and if it is less.
_ORDERED = {
    "SCMP_CMP_GT": (bpf.JUMP_GREATER, _MET, _UNMET),
    "SCMP_CMP_GE": (bpf.JUMP_GREATER_EQUAL, _MET, _UNMET),
    "SCMP_CMP_LE": (bpf.JUMP_GREATER, _UNMET, _MET),
    "SCMP_CMP_LT": (bpf.JUMP_GREATER_EQUAL, _UNMET, _MET),
}


def test_all(
    conditions: Sequence[Condition], action: int, unmet: bpf.Piece, bits: int, *, little: bool
) -> bpf.Piece:
    """Return the piece that ends with ``action`` where all are met, and goes on at ``unmet``.

    Of an argument of 32 ``bits`` the higher half is not looked at.
    """
    parts = [tuple(_tests(one, bits, little=little)) for one in conditions]
    end = sum(map(len, parts))
    piece: bpf.Piece = []
    for part in parts:
        places = {_ON: 0, _MET: len(piece) + len(part), _UNMET: end + 1}
        for code, operand, if_true, if_false in part:
            here = len(piece) + 1
            jumps = [places[where] - here if where != _ON else 0 for where in (if_true, if_false)]
            piece.append((code, jumps[0], jumps[1], operand))
    return [*piece, *bpf.returns(action), *unmet]


def _tests(condition: Condition, bits: int, *, little: bool) -> Iterator[_Test]:
    index, operator, value, value_two = condition
    low, high = bpf.argument_offsets(index, little=little)
    both = bits == _BOTH
    if operator == MASKED_EQ:
        yield from _masked(low, high if both else None, value, value_two)
        return
    if operator in _ORDERED:
        code, if_true, if_false = _ORDERED[operator]
        if both:
            yield bpf.LOAD, high, _ON, _ON
            yield bpf.JUMP_GREATER, value >> 32, if_true, _ON
            yield bpf.JUMP_EQUAL, value >> 32, _ON, if_false
        yield bpf.LOAD, low, _ON, _ON
        yield code, value & _LOW, if_true, if_false
        return
    if_equal, if_not = (_MET, _UNMET) if operator == "SCMP_CMP_EQ" else (_UNMET, _MET)
    if both:
        yield bpf.LOAD, high, _ON, _ON
        yield bpf.JUMP_EQUAL, value >> 32, _ON, if_not
    yield bpf.LOAD, low, _ON, _ON
    yield bpf.JUMP_EQUAL, value & _LOW, if_equal, if_not


def _masked(low: int, high: int | None, mask: int, value: int) -> Iterator[_Test]:
    """Yield the tests of a half only where the mask has a bit of it: one of them has."""
    halves = [(low, mask & _LOW, value & _LOW)]
    if high is not None:
        halves.insert(0, (high, mask >> 32, value >> 32))
    for offset, bits, wanted in [half for half in halves if half[1]]:
        yield bpf.LOAD, offset, _ON, _ON
        if bits != _LOW:
            yield bpf.AND, bits, _ON, _ON
        yield bpf.JUMP_EQUAL, wanted & bits, _ON, _UNMET
