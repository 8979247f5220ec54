"""Our programs answer as libseccomp's: over every number, architecture and sampled arguments."""

from __future__ import annotations

import random
import struct
import sys
from struct import pack
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.sandbox.seccomp import profile as words
from rootgen.sandbox.seccomp.architecture import ARCHITECTURES, COMPANIONS, X32_BIT
from rootgen.sandbox.seccomp.bpf import join
from rootgen.sandbox.seccomp.compiler import compile_profile, numbers_of
from rootgen.sandbox.seccomp.default import DEFAULT, TERMINAL
from rootgen.sandbox.seccomp.machine import Machine
from rootgen.sandbox.seccomp.profile import (
    ALLOW,
    EPERM,
    ERRNO,
    KILL_PROCESS,
    LOG,
    TRACE,
    TRAP,
    Condition,
    Profile,
    Rule,
)  # fmt: skip
from rootgen.sandbox.seccomp.select import select
from tests.sandbox.seccomp import libseccomp
from tests.sandbox.seccomp.machine import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What libseccomp 2.5.4 has; loongarch64 came with 2.6.
HEADS = tuple(name for name in ARCHITECTURES if libseccomp.token(name) and name != "SCMP_ARCH_X32")
CAPABILITIES = {
    "default": ("SYS_CHROOT",),
    "none": (),
    "all": ("SYS_CHROOT", "SYS_ADMIN", "SYS_PTRACE", "SYSLOG", "BPF", "SYS_NICE", "SYS_TIME"),
}
EDGES = (
    0, 1, 2, 8, 38, 39, 40, 41, 0x5412, 0x541C, 0x20000, 0x20008, 0x10000000, 0x7E020000,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 32) + 0x5412, (1 << 32) + 8, (1 << 63),
    0xFFFFFFFF00000000, (1 << 64) - 1,
)  # fmt: skip


def _numbers(architecture: str) -> list[int]:
    """Return every number that an architecture has, what is between and past them."""
    table = set(numbers_of(ARCHITECTURES[architecture]).values())
    near = {one + step for one in table for step in (-1, 0, 1)}
    first = X32_BIT if architecture == "SCMP_ARCH_X32" else 0
    return sorted(one for one in {first, first + 1000, first + 99999, *near} if one >= first)


def _compare(profile: Profile, sample: Callable[[], tuple[int, ...]], times: int) -> int:
    """Assert that both programs answer alike; return to how many calls."""
    profile = libseccomp.restrict(profile)
    ours, theirs = compile_profile(profile), libseccomp.compile_profile(profile)
    little = ARCHITECTURES[profile.architectures[0]].little
    compared = 0
    for name in profile.architectures:
        audit = ARCHITECTURES[name].audit
        for number in _numbers(name):
            for _ in range(times):
                arguments = sample()
                first = answer(ours, audit, number, arguments, little=little)
                second = answer(theirs, audit, number, arguments, little=little)
                second = libseccomp.expected(profile, name, number, second)
                assert first == second, (name, number, arguments)
                compared += 1
    return compared


@pytest.mark.parametrize(
    ("head", "kept"),
    [(head, "default") for head in HEADS]
    + [("SCMP_ARCH_X86_64", kept) for kept in ("none", "all")]
    + [("SCMP_ARCH_S390X", "all")],
)
def test_default(head: str, kept: str, record_property: Callable[[str, object], None]) -> None:
    """The default filter, for every machine and several sets of capabilities."""
    dice = random.Random(head + kept)
    profile = select(DEFAULT, Machine(head, (6, 18)), CAPABILITIES[kept])
    compared = _compare(profile, lambda: tuple(dice.choices(EDGES, k=6)), 4)
    assert compared > 1200
    record_property("figure", f"seccomp, {head}, {kept}: {compared} answers are libseccomp's")


@pytest.mark.parametrize("head", HEADS)
def test_terminal(head: str) -> None:
    """The filter of terminals as well."""
    dice = random.Random(head)
    profile = select(TERMINAL, Machine(head, (6, 18)), ())
    assert _compare(profile, lambda: tuple(dice.choices(EDGES, k=6)), 4) > 1200


@pytest.mark.parametrize("kept", CAPABILITIES)
def test_two_filters_in_one(kept: str) -> None:
    """Joined they answer every call as the kernel does with both: by what forbids more."""
    head = "SCMP_ARCH_S390X" if sys.byteorder == "big" else "SCMP_ARCH_X86_64"
    machine = Machine(head, (6, 18))
    terminal = compile_profile(select(TERMINAL, machine, ()))
    default = compile_profile(select(DEFAULT, machine, CAPABILITIES[kept]))
    joined = join(terminal, default)
    assert joined is not None
    little = sys.byteorder == "little"
    dice = random.Random(kept)
    forbidden = 0
    for name in (*select(DEFAULT, machine, ()).architectures, "SCMP_ARCH_ARM"):
        audit = ARCHITECTURES[name].audit
        for number in _numbers(name):
            arguments = tuple(dice.choices(EDGES, k=6))
            each = [
                answer(one, audit, number, arguments, little=little) for one in (terminal, default)
            ]
            # seccomp(2): of several actions the one of highest precedence, the lowest as a signed
            # number; of two alike the one that was installed last.
            expected = min(reversed(each), key=_severity)
            assert answer(joined, audit, number, arguments, little=little) == expected
            forbidden += each[0] != ALLOW
    assert forbidden > 3


def test_filters_that_stay_two() -> None:
    """Who logs or traces is asked by the kernel itself; and one program has a limit."""
    allow, log, trace = (struct.pack("=HBBI", 6, 0, 0, one) for one in (ALLOW, LOG, TRACE | 7))
    assert join(log, allow) is None
    assert join(trace, allow) is None
    assert join(allow, trace) is not None
    assert join(allow, allow * 4095) is not None
    assert join(allow, allow * 4096) is None


def _severity(action: int) -> int:
    kind = action & 0xFFFF0000
    return kind - (1 << 32) if kind >= 1 << 31 else kind


# BPF_LD | BPF_W | BPF_ABS of seccomp_data.nr, as struct sock_filter.
_LOAD_NUMBER = (0x20, 0, 0, 0)

VALUES = st.one_of(st.sampled_from(EDGES), st.integers(0, (1 << 64) - 1))
CONDITION = st.builds(
    Condition, st.integers(0, 5), st.sampled_from(words.OPERATORS), VALUES, VALUES
)
NAMES = st.sampled_from(
    "read write close ioctl clone personality socket bind semget shmat getpid openat prctl "
    "kill mmap futex arch_prctl set_tls riscv_flush_icache swapcontext no_such_call".split()
)
MULTIPLEXED = {"socket", "bind", "semget", "shmat"}
ACTIONS = st.sampled_from(
    (ALLOW, ERRNO | EPERM, ERRNO | 95, KILL_PROCESS, words.KILL_THREAD, TRAP, TRACE | 7, LOG)
)


@st.composite
def profiles(draw: st.DrawFn, *, alternatives: bool) -> Profile:
    """Draw a profile; without ``alternatives`` one call has conditions only once.

    Of several rules libseccomp makes a tree, and it is the tree that decides between their
    actions; the same rule given twice may even lose what it allows (2.5.4).
    """
    head = draw(st.sampled_from(HEADS))
    companions = dict(COMPANIONS).get(head, ()) if draw(st.booleans()) else ()
    rules: list[Rule] = []
    conditional: set[str] = set()
    for _ in range(draw(st.integers(0, 8))):
        names = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
        conditions = tuple(draw(st.lists(CONDITION, max_size=3)))
        if not alternatives:
            conditions = tuple({one.argument: one for one in conditions}.values())
            if conditions:
                # Arguments of calls that may go through a multiplexer we read more strictly.
                names = tuple(set(names) - conditional - MULTIPLEXED)
                conditional |= set(names)
        if names:
            rules.append(Rule(names, draw(ACTIONS), conditions))
    return Profile(draw(ACTIONS), (head, *companions), tuple(rules))


def _edges(profile: Profile) -> list[int]:
    """Return arguments for which conditions of the profile are just met, or just not."""
    near = [
        value + step
        for rule in profile.rules
        for one in rule.conditions
        for value in (one.value, one.value_two, one.value & one.value_two)
        for step in (-1, 0, 1, 1 << 32)
    ]
    return [one for one in near if 0 <= one < 1 << 64] or list(EDGES)


def _calls(profile: Profile, dice: random.Random) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """Yield calls that the profile's rules are about, and some beside them."""
    edges = _edges(profile)
    names = {name for rule in profile.rules for name in rule.names}
    for name in profile.architectures:
        table = numbers_of(ARCHITECTURES[name])
        numbers = {table[one] for one in names if one in table}
        first = X32_BIT if name == "SCMP_ARCH_X32" else 0
        for number in sorted({first, *numbers, *(one + 1 for one in numbers)}):
            for _ in range(16):
                yield name, number, tuple(dice.choice(edges) for _ in range(6))


@given(profiles(alternatives=False), st.integers(0, 1 << 32))
def test_any_profile(profile: Profile, seed: int) -> None:
    """Every action, operator, combination of conditions and machine, as libseccomp has it."""
    profile = libseccomp.restrict(profile)
    ours, theirs = compile_profile(profile), libseccomp.compile_profile(profile)
    little = ARCHITECTURES[profile.architectures[0]].little
    for name, number, arguments in _calls(profile, random.Random(seed)):
        audit = ARCHITECTURES[name].audit
        first = answer(ours, audit, number, arguments, little=little)
        second = answer(theirs, audit, number, arguments, little=little)
        second = libseccomp.expected(profile, name, number, second)
        if first != second and _is_misread(profile, name, number, theirs):
            second = _read(profile, name, number, arguments)
        assert first == second, (name, number, arguments)


def _is_misread(profile: Profile, name: str, number: int, theirs: bytes) -> bool:
    """Say whether libseccomp 2.5.4 may err: a condition is "not equal", or no number is loaded.

    Met by the higher half alone, "not equal" is at times not seen, or makes
    other conditions forgotten. And where a rule is for a call that the
    machine has not (arch_prctl on arm64), the program of that machine may
    compare the call's number without having loaded it.
    """
    table = numbers_of(ARCHITECTURES[name])
    lacking = any(called not in table for rule in profile.rules for called in rule.names)
    little = ARCHITECTURES[profile.architectures[0]].little
    load = pack("<HBBI" if little else ">HBBI", *_LOAD_NUMBER)
    loads = sum(theirs[at : at + 8] == load for at in range(0, len(theirs), 8))
    unloaded = lacking and loads < len(profile.architectures)
    return any(
        unloaded or one.operator == "SCMP_CMP_NE"
        for rule in profile.rules
        if number in [table.get(called) for called in rule.names]
        for one in rule.conditions
    )


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "SCMP_CMP_NE": lambda left, right: left != right,
    "SCMP_CMP_LT": lambda left, right: left < right,
    "SCMP_CMP_LE": lambda left, right: left <= right,
    "SCMP_CMP_EQ": lambda left, right: left == right,
    "SCMP_CMP_GE": lambda left, right: left >= right,
    "SCMP_CMP_GT": lambda left, right: left > right,
}


def _holds(condition: Condition, arguments: tuple[int, ...], bits: int) -> bool:
    every = (1 << bits) - 1
    argument = arguments[condition.argument] & every
    if condition.operator == words.MASKED_EQ:
        return argument & condition.value == condition.value_two & condition.value & every
    return _COMPARE[condition.operator](argument, condition.value & every)


def _read(profile: Profile, name: str, number: int, arguments: tuple[int, ...]) -> int:
    """Read a profile as its docstring says, rule by rule, for a call that is not multiplexed."""
    architecture = ARCHITECTURES[name]
    table = numbers_of(architecture)
    named = [table[one] for rule in profile.rules for one in rule.names if one in table]
    permissive = profile.default & words.ACTION_MASK in (ALLOW, LOG, TRACE)
    missing = words.ENOSYS_MIPS if architecture.table.startswith("mips") else words.ENOSYS
    if named and number > max(named) and not permissive:
        return ERRNO | missing
    about = [
        rule
        for rule in profile.rules
        if number in [table.get(one) for one in rule.names] and rule.action != profile.default
    ]
    for rule in about:
        # A mask of nothing is a condition that is always met.
        masks = [one.value for one in rule.conditions if one.operator == words.MASKED_EQ]
        every = (1 << architecture.bits) - 1
        several = len({one.argument for one in rule.conditions}) < len(rule.conditions)
        empty = [not mask & every for mask in masks]
        if any(empty) if several else len(masks) == len(rule.conditions) and all(empty):
            return rule.action
    for rule in about:
        met = [_holds(one, arguments, architecture.bits) for one in rule.conditions]
        several = len({one.argument for one in rule.conditions}) < len(rule.conditions)
        if any(met) if several else all(met):
            return rule.action
    if number == 0 and architecture.table in ("s390", "s390x") and not permissive:
        return ERRNO | missing
    return profile.default


@given(profiles(alternatives=True), st.integers(0, 1 << 32))
def test_rules_of_one_call(profile: Profile, seed: int) -> None:
    """Several rules of a call, on the same arguments and with other actions, read one by one."""
    rules = tuple(rule for rule in profile.rules if not set(rule.names) & MULTIPLEXED)
    profile = profile._replace(rules=rules)
    program = compile_profile(profile)
    little = ARCHITECTURES[profile.architectures[0]].little
    for name, number, arguments in _calls(profile, random.Random(seed)):
        told = answer(program, ARCHITECTURES[name].audit, number, arguments, little=little)
        assert told == _read(profile, name, number, arguments), (name, number, arguments)
