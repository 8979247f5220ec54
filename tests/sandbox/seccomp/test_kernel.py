"""The kernel answers as the test's machine does: every number, of three kinds of calls."""

from __future__ import annotations

import errno
import platform
import random
import subprocess
from struct import Struct, iter_unpack
from typing import TYPE_CHECKING

import pytest

from rootgen.linux.seccomp import install_filter
from rootgen.sandbox.facts import read_machine
from rootgen.sandbox.seccomp.architecture import ARCHITECTURES, X32_BIT
from rootgen.sandbox.seccomp.compiler import compile_profile, numbers_of
from rootgen.sandbox.seccomp.default import DEFAULT, TERMINAL
from rootgen.sandbox.seccomp.select import select
from tests.sandbox.probe import build_probe
from tests.sandbox.seccomp.machine import answer
from tests.sandbox.seccomp.test_compiler import CAPABILITIES, EDGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CALL = Struct("=8Q")
_ALLOWED = 200
# What the probe needs for itself; and what no filter is asked about since Linux 6.14, for it comes
# from the kernel's own trampoline and is SIGILL from elsewhere (kernel/seccomp.c).
_MADE = {"write", "exit_group", "seccomp", "uretprobe", "uprobe"}


def _calls(dice: random.Random) -> list[tuple[str, int, tuple[int, ...]]]:
    """Return calls of every number that is there, and some that are not, on this machine."""
    native = read_machine().architecture
    kinds = [native]
    if platform.machine() == "x86_64":
        kinds += ["SCMP_ARCH_X32", "SCMP_ARCH_X86"]
    calls: list[tuple[str, int, tuple[int, ...]]] = []
    for kind in kinds:
        table = numbers_of(ARCHITECTURES[kind])
        first = X32_BIT if kind == "SCMP_ARCH_X32" else 0
        numbers = {one + step for one in table.values() for step in (0, 1)} | {first + 4000}
        made = {table[name] for name in _MADE if name in table} if kind == native else set()
        for number in sorted(numbers - made):
            for _ in range(6):
                values = dice.choices(EDGES, k=6)
                if kind == "SCMP_ARCH_X86":
                    values = [value & 0xFFFFFFFF for value in values]
                calls.append((kind, number, tuple(values)))
    return calls


@pytest.mark.parametrize("kept", [*CAPABILITIES, "terminal"])
def test_every_call(
    kept: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Installed in this kernel the filters answer every call as they do on paper."""
    machine = read_machine()
    template = TERMINAL if kept == "terminal" else DEFAULT
    program = compile_profile(select(template, machine, CAPABILITIES.get(kept, ())))
    (tmp_path / "filter").write_bytes(program)
    calls = _calls(random.Random(kept))
    packed = b"".join(
        _CALL.pack(kind == "SCMP_ARCH_X86", number, *values) for kind, number, values in calls
    )
    probe = build_probe(tmp_path / "probe")
    done = subprocess.run(
        [probe, "survey", tmp_path / "filter"], input=packed, capture_output=True, check=True
    )
    answers = [number for [number] in iter_unpack("=i", done.stdout)]
    assert len(answers) == len(calls) > 5000
    little = ARCHITECTURES[machine.architecture].little
    for (kind, number, values), told in zip(calls, answers, strict=True):
        paper = answer(program, ARCHITECTURES[kind].audit, number, values, little=little)
        expected = _ALLOWED if paper == 0x7FFF0000 else paper & 0xFFFF
        assert told == expected, (kind, number, values)
    record_property("figure", f"seccomp, {len(calls)} calls: this kernel answers as the test")


def test_refused_program() -> None:
    """What is no program is an error of the kernel's, and changes nothing."""
    with pytest.raises(OSError, match="seccomp") as caught:
        install_filter(b"\0" * 8, 0)
    assert caught.value.errno in {errno.EINVAL, errno.EACCES}
