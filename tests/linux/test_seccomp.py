"""Filters of system calls, installed in a process of their own."""

from __future__ import annotations

import os

import pytest

from tests.linux.contained import run_python


def _body(code: str) -> str:
    return (
        """
        from rootgen.linux import seccomp
        from rootgen.sandbox.facts import read_machine
        from rootgen.sandbox.seccomp.compiler import compile_profile
        from rootgen.sandbox.seccomp.profile import ALLOW, ERRNO, Profile, Rule
        rule = Rule(("getpriority",), ERRNO | 71)
        program = compile_profile(Profile(ALLOW, (read_machine().architecture,), (rule,)))
        """
        + code
    )


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
        ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"],
    ],
)
def test_installed(flags: list[str]) -> None:
    """The filter is in force, with any flag, and is there for good."""
    lines = run_python(
        _body("""
        process.set_no_new_privileges()
        print(os.getpriority(os.PRIO_PROCESS, 0))
        seccomp.install_filter(program, sum(seccomp.FLAGS[name] for name in sys.argv[1:]))
        print(failure(os.getpriority, os.PRIO_PROCESS, 0), status_line("Seccomp"))
        """),
        *flags,
    )
    assert lines == [str(os.getpriority(os.PRIO_PROCESS, 0)), "EPROTO 2"]


def test_refused() -> None:
    """A program that is none, flags that no kernel has."""
    assert run_python(
        _body("""
        process.set_no_new_privileges()
        print(failure(seccomp.install_filter, bytes(8), 0))
        print(failure(seccomp.install_filter, program, 1 << 20))
        print(status_line("Seccomp"))
        """)
    ) == ["EINVAL", "EINVAL", "0"]


@pytest.mark.parametrize(
    ("kernel", "asked"), [("before 4.17", "[4, 0]"), ("before 3.17", "[4, 0]")]
)
def test_old_kernel(kernel: str, asked: str) -> None:
    """A flag that is only a hint is left out, and prctl(2) is enough without any."""
    lines = run_python(
        _body("""
        import ctypes
        process.set_no_new_privileges()
        real, told = seccomp.system_call, []
        def older(number, operation, flags, address):
            told.append(flags)
            if sys.argv[1] == "before 3.17" or flags:
                ctypes.set_errno(errno.EINVAL if flags else errno.ENOSYS)
                return -1
            return real(number, operation, flags, address)
        seccomp.system_call = older
        seccomp.install_filter(program, 4)
        print(told, failure(os.getpriority, os.PRIO_PROCESS, 0))
        """),
        kernel,
    )
    assert lines == [f"{asked} EPROTO"]
