"""Classic BPF as seccomp takes it: instructions, and programs that hold no absolute place.

A piece of program is a list of instructions every way through which ends in
a return; so pieces are put behind each other without labels, and a jump is
over the length of a piece (linux/bpf_common.h, linux/filter.h).
"""

from __future__ import annotations

import sys
from struct import Struct

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand
Piece = list[Instruction]

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
JUMP = 0x05  # BPF_JMP | BPF_JA
JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_GREATER = 0x25
JUMP_GREATER_EQUAL = 0x35
RETURN = 0x06  # BPF_RET | BPF_K
ALLOWED = 0x7FFF0000  # SECCOMP_RET_ALLOW
_ACTION = 0xFFFF0000  # SECCOMP_RET_ACTION_FULL
# SECCOMP_RET_KILL_PROCESS, KILL_THREAD, ERRNO
_FORBIDDING = (0x80000000, 0x00000000, 0x00050000)

LENGTH_LIMIT = 4096  # BPF_MAXINSNS
_NEAR = 0xFF  # the widest jump of a comparison

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]
NUMBER_OFFSET = 0
ARCHITECTURE_OFFSET = 4
_ARGUMENTS_OFFSET = 16


def returns(action: int) -> Piece:
    """Return the piece that ends with ``action``."""
    return [(RETURN, 0, 0, action)]


def branch(code: int, operand: int, if_true: Piece, if_false: Piece) -> Piece:
    """Return the piece that compares what is loaded and goes on with one of two pieces."""
    if len(if_false) <= _NEAR:
        return [(code, len(if_false), 0, operand), *if_false, *if_true]
    far = (JUMP, 0, 0, len(if_false))
    return [(code, 0, 1, operand), far, *if_false, *if_true]


def argument_offsets(index: int, *, little: bool) -> tuple[int, int]:
    """Return where the lower and the higher half of an argument are loaded from."""
    first = _ARGUMENTS_OFFSET + 8 * index
    return (first, first + 4) if little else (first + 4, first)


def pack(program: Piece, *, little: bool) -> bytes:
    """Return the program as an array of ``struct sock_filter``."""
    layout = Struct("<HBBI" if little else ">HBBI")
    return b"".join([layout.pack(*instruction) for instruction in program])


def join(first: bytes, second: bytes) -> bytes | None:
    """Return the program, of this machine's own byte order, that asks ``second`` what is allowed.

    As two filters do, it gives the more forbidding of their answers
    (seccomp(2)), provided that what ``first`` forbids ``second`` does not
    forbid more severely. None where ``first`` has answers that neither allow
    nor forbid, or both are too long for one. The kernel makes code of each
    filter that it is given, which for a short one takes as long as for one of
    hundreds of instructions.
    """
    layout = Struct("<HBBI" if sys.byteorder == "little" else ">HBBI")
    count = len(first) // layout.size
    if len(first + second) // layout.size > LENGTH_LIMIT:
        return None
    joined = bytearray(first)
    for index, (code, _, _, operand) in enumerate(layout.iter_unpack(first)):
        if code != RETURN:
            continue
        if operand == ALLOWED:
            layout.pack_into(joined, index * layout.size, JUMP, 0, 0, count - index - 1)
        elif operand & _ACTION not in _FORBIDDING:
            return None
    return bytes(joined) + second
