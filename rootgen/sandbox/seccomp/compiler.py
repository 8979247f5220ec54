"""A profile becomes a BPF program: a search tree over the numbers of each architecture.

A tree of comparisons finds a number among some hundred ranges in seven
steps. The kernel, which runs every number through a filter when it is
installed (seccomp_cache_prepare), is thanks to that done in a twentieth of
the time that a list of comparisons takes.
"""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.seccomp import bpf
from rootgen.sandbox.seccomp.architecture import ARCHITECTURES, X32_BIT
from rootgen.sandbox.seccomp.comparison import test_all
from rootgen.sandbox.seccomp.numbers import parse_numbers
from rootgen.sandbox.seccomp.profile import (
    ACTION_MASK,
    ALLOW,
    ENOSYS,
    ENOSYS_MIPS,
    ERRNO,
    KILL_PROCESS,
    LOG,
    MASKED_EQ,
    TRACE,
    Condition,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.sandbox.seccomp.architecture import Architecture
    from rootgen.sandbox.seccomp.profile import Profile

# What stands in a chain: conditions that are all met, and what is done then.
Chain = tuple[tuple[tuple[Condition, ...], int], ...]

_NO_CALL = 0xFFFFFFFF  # -1: what a tracer puts in the place of a call that is to be skipped
_LOW = 0xFFFFFFFF
# linux/net.h: the calls that socketcall(2) makes, by their first argument, from 1.
_SOCKET_CALLS = (
    "socket bind connect listen accept getsockname getpeername socketpair send recv sendto "
    "recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg"
).split()
# linux/ipc.h: those of ipc(2).
_IPC_CALLS = {
    "semop": 1,
    "semget": 2,
    "semctl": 3,
    "semtimedop": 4,
    "msgsnd": 11,
    "msgrcv": 12,
    "msgget": 13,
    "msgctl": 14,
    "shmat": 21,
    "shmdt": 22,
    "shmget": 23,
    "shmctl": 24,
}
_MULTIPLEXERS = {
    **{name: ("socketcall", number) for number, name in enumerate(_SOCKET_CALLS, 1)},
    **{name: ("ipc", number) for name, number in _IPC_CALLS.items()},
}


def numbers_of(architecture: Architecture) -> dict[str, int]:
    """Return name → number of every call that an architecture has."""
    from importlib import import_module

    module = import_module(f"rootgen.sandbox.seccomp.numbers.{architecture.table}")
    return parse_numbers(module.NUMBERS)


def compile_profile(profile: Profile) -> bytes:
    """Return the profile as the program that seccomp(2) takes.

    Raises LaunchError where that is longer than the kernel allows.
    """
    sections: dict[int, list[Architecture]] = {}
    for name in profile.architectures:
        architecture = ARCHITECTURES[name]
        sections.setdefault(architecture.audit, []).append(architecture)
    # To kill: what a number means is not known, and an error would be taken for an answer.
    program = bpf.returns(KILL_PROCESS)
    for audit, architectures in reversed(sections.items()):
        section = _section(profile, architectures)
        program = bpf.branch(bpf.JUMP_EQUAL, audit, section, program)
    program.insert(0, (bpf.LOAD, 0, 0, bpf.ARCHITECTURE_OFFSET))
    if len(program) > bpf.LENGTH_LIMIT:
        raise LaunchError(
            f"the seccomp filter is too long: {len(program)} instructions",
            why=(f"the kernel takes {bpf.LENGTH_LIMIT} (bpf(4), BPF_MAXINSNS)",),
            hint="have fewer conditions, or fewer architectures",
        )
    return bpf.pack(program, little=ARCHITECTURES[profile.architectures[0]].little)


def outcomes(profile: Profile, architecture: Architecture) -> dict[int, int | Chain]:
    """Return number → action, or the chain of conditions, for calls that a rule is about.

    Calls of which only the default is known are not in it.
    """
    found: dict[int, int | Chain] = {}
    numbers = numbers_of(architecture)
    for rule in profile.rules:
        if rule.action == profile.default:
            continue
        chain = tuple(_chain(rule, architecture))
        always = rule.action if any(not conditions for conditions, _ in chain) else None
        for name in rule.names:
            number = numbers.get(name)
            if number is not None:
                _add(found, number, chain if always is None else always)
            multiplexer = _MULTIPLEXERS.get(name) if architecture.multiplexed else None
            if multiplexer is not None:
                part = _multiplexed(profile, rule, multiplexer[1], always=always is not None)
                _add(found, numbers[multiplexer[0]], part)
    return found


def _add(found: dict[int, int | Chain], number: int, outcome: int | Chain) -> None:
    before = found.get(number, ())
    if isinstance(before, int) or outcome == ():
        return
    found[number] = outcome if isinstance(outcome, int) else before + outcome


def _chain(rule: Rule, architecture: Architecture) -> Iterator[tuple[tuple[Condition, ...], int]]:
    """Yield the alternatives of one rule, without what is always met."""
    indices = [condition.argument for condition in rule.conditions]
    if len(set(indices)) < len(indices):
        alternatives: Sequence[tuple[Condition, ...]] = [(one,) for one in rule.conditions]
    else:
        alternatives = [rule.conditions]
    every = _LOW if architecture.bits == 32 else _LOW << 32 | _LOW  # noqa: PLR2004 - its bits
    for conditions in alternatives:
        needed = [one for one in conditions if one.operator != MASKED_EQ or one.value & every]
        yield tuple(needed), rule.action


def _multiplexed(profile: Profile, rule: Rule, number: int, *, always: bool) -> Chain:
    """Return what a rule means for its call where that is made through a multiplexer.

    There arguments lie in memory, which a filter cannot look at. What only
    some arguments are allowed is not allowed, and what only some are denied is.
    """
    if not always and is_permissive(rule.action) and not is_permissive(profile.default):
        return ()
    return (((Condition(0, "SCMP_CMP_EQ", number),), rule.action),)


def is_permissive(action: int) -> bool:
    """Say whether a call is made, or a tracer asked about it."""
    return action & ACTION_MASK in (ALLOW, LOG, TRACE)


def newer_action(profile: Profile) -> int:
    """Return what calls get that are newer than all that the profile names.

    ENOSYS where the default would forbid them, as runc does: to a C library
    that answer says to use the older call, and EPERM that the call failed.
    """
    if is_permissive(profile.default):
        return profile.default
    mips = ARCHITECTURES[profile.architectures[0]].table.startswith("mips")
    return ERRNO | (ENOSYS_MIPS if mips else ENOSYS)


def newest_number(profile: Profile, architecture: Architecture) -> int:
    """Return the highest number among the calls that the profile names; -1 where it names none."""
    numbers = numbers_of(architecture)
    names = {name for rule in profile.rules for name in rule.names}
    return max((numbers[name] for name in names if name in numbers), default=-1)


def allows(profile: Profile, name: str) -> bool:
    """Say whether some call of ``name`` is made, on the machine's own architecture."""
    architecture = ARCHITECTURES[profile.architectures[0]]
    outcome = outcomes(profile, architecture).get(numbers_of(architecture)[name], ())
    if isinstance(outcome, int):
        return is_permissive(outcome)
    return any(map(is_permissive, (profile.default, *(action for _, action in outcome))))


def check_startable(profile: Profile, path: str) -> None:
    """Raise LaunchError where no program at all can be started under the profile."""
    if not allows(profile, "execve"):
        raise LaunchError(
            f"{path}: with this profile no program can be started",
            why=("it is in force at the exec, and does not allow execve",),
            hint="allow execve, and what the program and its loader call",
        )


def _section(profile: Profile, architectures: Sequence[Architecture]) -> bpf.Piece:
    """Return the piece for one audit architecture: x86_64 and x32 are two in one."""
    little = architectures[0].little
    starts: list[int] = []
    pieces: list[bpf.Piece] = []
    for start, outcome, bits in _ranges(profile, architectures):
        piece = _piece(profile, outcome, bits, little=little)
        if not pieces or pieces[-1] != piece:
            starts.append(start)
            pieces.append(piece)
    return [(bpf.LOAD, 0, 0, bpf.NUMBER_OFFSET), *_tree(starts, pieces)]


def _ranges(
    profile: Profile, architectures: Sequence[Architecture]
) -> Iterator[tuple[int, int | Chain, int]]:
    """Yield (first number, outcome, bits of an argument) from 0 up, without a gap."""
    by_name = {one.name: one for one in architectures}
    for architecture in architectures[:1] if len(architectures) == 1 else _x86(by_name):
        x32 = architecture.name == "SCMP_ARCH_X32"
        if x32 and len(architectures) == 1:
            yield 0, KILL_PROCESS, 64
        yield from _ranges_of(profile, architecture, X32_BIT if x32 else 0)
    if "SCMP_ARCH_X86_64" in by_name and "SCMP_ARCH_X32" not in by_name:
        yield X32_BIT, KILL_PROCESS, 64
        yield _NO_CALL, newer_action(profile), 64


def _x86(by_name: dict[str, Architecture]) -> tuple[Architecture, ...]:
    return by_name["SCMP_ARCH_X86_64"], by_name["SCMP_ARCH_X32"]


def _ranges_of(
    profile: Profile, architecture: Architecture, first: int
) -> Iterator[tuple[int, int | Chain, int]]:
    bits = architecture.bits
    found = outcomes(profile, architecture)
    newest = newest_number(profile, architecture)
    if architecture.table in ("s390", "s390x") and 0 not in found:
        # What the kernel does not know comes as 0, setup(2), which no one calls (runc as well).
        found[0] = newer_action(profile)
    at = first
    for number in sorted(found):
        if number > at:
            yield at, profile.default, bits
        yield number, found[number], bits
        at = number + 1
    if at <= newest:
        yield at, profile.default, bits
    yield max(at, newest + 1), profile.default if newest < 0 else newer_action(profile), bits


def _tree(starts: Sequence[int], pieces: Sequence[bpf.Piece]) -> bpf.Piece:
    """Return the search for the range that a number is in."""
    if len(pieces) == 1:
        return pieces[0]
    middle = len(pieces) // 2
    lower = _tree(starts[:middle], pieces[:middle])
    upper = _tree(starts[middle:], pieces[middle:])
    return bpf.branch(bpf.JUMP_GREATER_EQUAL, starts[middle], upper, lower)


def _piece(profile: Profile, outcome: int | Chain, bits: int, *, little: bool) -> bpf.Piece:
    if isinstance(outcome, int):
        return bpf.returns(outcome)
    piece = bpf.returns(profile.default)
    for conditions, action in reversed(outcome):
        piece = test_all(conditions, action, piece, bits, little=little)
    return piece
