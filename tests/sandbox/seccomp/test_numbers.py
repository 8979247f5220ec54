"""The tables of numbers are the kernel headers', and what is kept ready is what is compiled."""

from __future__ import annotations

from importlib import import_module

import pytest

from rootgen.linux.libc import _NUMBERS
from rootgen.sandbox.seccomp.architecture import ARCHITECTURES
from rootgen.sandbox.seccomp.compiler import numbers_of
from rootgen.sandbox.seccomp.default import DEFAULT
from rootgen.sandbox.seccomp.filter import (
    ASKED_ABOUT,
    READY_KERNEL,
    default_filter,
    terminal_filter,
)  # fmt: skip
from rootgen.sandbox.seccomp.machine import Machine, machine_of
from rootgen.sandbox.seccomp.numbers import parse_numbers
from tests.tools import ready_filters, syscall_numbers


@pytest.mark.parametrize("name", syscall_numbers.SOURCES)
def test_table(name: str) -> None:
    """Every call of the headers of Debian, whichever they are, by its number there."""
    source = syscall_numbers.SOURCES[name]
    ours = parse_numbers(import_module(f"rootgen.sandbox.seccomp.numbers.{name}").NUMBERS)
    theirs = syscall_numbers.header_numbers(source)
    assert len(theirs) > 300
    assert {call: ours.get(call) for call in theirs} == theirs
    assert ours == syscall_numbers.all_numbers(source)


def test_every_architecture_has_a_table() -> None:
    """And no number stands twice but for names of one call."""
    for architecture in ARCHITECTURES.values():
        assert numbers_of(architecture)["read"] >= 0


@pytest.mark.parametrize(
    ("machine", "wide", "table"),
    [
        ("x86_64", True, "x86_64"),
        ("x86_64", False, "i386"),
        ("aarch64", True, "aarch64"),
        ("aarch64", False, "arm"),
        ("riscv64", True, "riscv64"),
        ("loongarch64", True, "loongarch64"),
        ("s390x", True, "s390x"),
        ("ppc64le", True, "ppc64"),
        ("mips64", True, "mips_n64"),
    ],
)
def test_numbers_of_our_own(machine: str, wide: bool, table: str) -> None:
    """The calls that rootgen makes by number have these numbers."""
    ours = _NUMBERS[machine, wide]._asdict()
    ours.pop("stack_first")
    theirs = parse_numbers(import_module(f"rootgen.sandbox.seccomp.numbers.{table}").NUMBERS)
    assert ours == {name: theirs[name] for name in ours}


@pytest.mark.parametrize("word", ready_filters.READY)
def test_ready(word: str) -> None:
    """What is kept is what is compiled, and is taken; else: python -m tests.tools.ready_filters."""
    module = import_module(f"rootgen.sandbox.seccomp.ready_{word.lower()}")
    kept = {name: bytes.fromhex(text) for name, text in module.PROGRAMS.items()}
    assert kept == ready_filters.programs(word)
    taken = default_filter(Machine(f"SCMP_ARCH_{word}", (6, 1)), ())
    assert taken.profile is None
    assert taken.program == kept[""]


def test_asked_about() -> None:
    """The capabilities that decide which of them is taken are those that the rules ask about."""
    asked = {
        name
        for choice in DEFAULT.choices
        for terms in (choice.includes, choice.excludes)
        for name in terms.capabilities
    }
    assert asked == set(ASKED_ABOUT)
    kernels = {choice.includes.kernel for choice in DEFAULT.choices} - {None}
    assert kernels == {READY_KERNEL}


@pytest.mark.parametrize("capabilities", [("SYS_CHROOT", "CHOWN"), (), ("SYS_ADMIN",)])
def test_taken_or_compiled(capabilities: tuple[str, ...]) -> None:
    """Whether it was ready or had to be compiled, it is the same filter."""
    machine = Machine("SCMP_ARCH_X86_64", (6, 1))
    ready = default_filter(machine, capabilities)
    # A machine that none is kept ready for: the oldest kernels, where tracing is not allowed.
    old = default_filter(machine._replace(kernel=(4, 7)), capabilities)
    assert ready.program != old.program
    assert (ready.profile is None) == (capabilities != ("SYS_ADMIN",))
    assert terminal_filter(machine) == terminal_filter(machine)


@pytest.mark.parametrize(
    ("name", "release", "little", "expected"),
    [
        ("x86_64", "6.18.44-fc", True, Machine("SCMP_ARCH_X86_64", (6, 18))),
        ("i686", "5.4-rc5", True, Machine("SCMP_ARCH_X86_64", (5, 4))),
        ("mips64", "4.9.0", True, Machine("SCMP_ARCH_MIPSEL64", (4, 9))),
        ("mips", "4.9.0", False, Machine("SCMP_ARCH_MIPS", (4, 9))),
        ("s390x", "6.1", False, Machine("SCMP_ARCH_S390X", (6, 1))),
        ("sparc64", "?", False, Machine("", (0, 0))),
    ],
)
def test_machine(name: str, release: str, little: bool, expected: Machine) -> None:
    """What uname(2) says, read: also on a 32-bit personality."""
    assert machine_of(name, release, little=little) == expected
