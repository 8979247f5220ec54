"""The filters of a launch: the default one, the user's own, and the one of terminals.

Most launches have the default one on a usual machine: that is not compiled
again each time (3 ms) but kept ready, a module of bytes for each machine,
which a test compares with what the compiler makes of ``default``.
"""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rootgen.sandbox.seccomp.machine import Machine
    from rootgen.sandbox.seccomp.profile import Profile, Template

DEFAULT_NAME = "default"
TERMINAL_NAME = "terminal"
# The oldest kernel that filters are kept ready for: what a rule of the default one asks for.
READY_KERNEL = (4, 8)
# As profile.DEFAULT_FLAGS has it, which is not imported for this.
_FLAGS = ("SECCOMP_FILTER_FLAG_SPEC_ALLOW",)


class Filter(NamedTuple):
    """One seccomp filter: ``program`` is BPF as seccomp(2) takes it.

    ``name`` is ``default``, ``terminal``, or the path of the user's profile.
    ``late``: it is for the program alone, and installed right before the
    exec; else process 1 has it as well. ``profile_of`` gives it as a profile.
    """

    name: str
    program: bytes
    flags: tuple[str, ...]
    machine: Machine
    profile: Profile | None = None
    late: bool = False


def default_filter(machine: Machine, capabilities: Collection[str]) -> Filter:
    """Return the default filter where only ``capabilities`` may ever be had; raise LaunchError."""
    ready = _ready(machine)
    if ready is not None:
        program = ready.get(kept_of_default(capabilities))
        if program is not None:
            return Filter(DEFAULT_NAME, bytes.fromhex(program), _FLAGS, machine)
    return _compiled(DEFAULT_NAME, _known(machine), capabilities)


def terminal_filter(machine: Machine) -> Filter:
    """Return the filter that keeps a program from typing into a terminal; raise LaunchError."""
    ready = _ready(machine)
    if ready is not None:
        return Filter(TERMINAL_NAME, bytes.fromhex(ready["terminal"]), _FLAGS, machine)
    return _compiled(TERMINAL_NAME, _known(machine), ())


def own_filter(
    path: str, template: Template, machine: Machine, capabilities: Collection[str]
) -> Filter:
    """Return the filter of the user's own profile at ``path``; raise LaunchError."""
    from rootgen.sandbox.seccomp.compiler import check_startable, compile_profile
    from rootgen.sandbox.seccomp.select import select

    profile = select(template, _known(machine), capabilities)
    check_startable(profile, path)
    program = compile_profile(profile)
    return Filter(path, program, profile.flags, machine, profile, late=True)


def profile_of(one: Filter, capabilities: Collection[str]) -> Profile:
    """Return what a filter of a launch with ``capabilities`` says, as a profile."""
    if one.profile is not None:
        return one.profile
    from rootgen.sandbox.seccomp.default import DEFAULT, TERMINAL
    from rootgen.sandbox.seccomp.select import select

    template = DEFAULT if one.name == DEFAULT_NAME else TERMINAL
    return select(template, one.machine, capabilities)


def kept_of_default(capabilities: Collection[str]) -> str:
    """Return which of the capabilities that the default filter asks about are kept."""
    return " ".join(name for name in ASKED_ABOUT if name in capabilities)


# The capabilities that some rule of ``default`` asks about.
ASKED_ABOUT = (
    "BPF DAC_READ_SEARCH PERFMON SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE "
    "SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME SYS_TTY_CONFIG"
).split()


def _ready(machine: Machine) -> Mapping[str, str] | None:
    """Return the filters that are kept ready for a machine, in hexadecimal digits."""
    if machine.kernel < READY_KERNEL:
        return None
    match machine.architecture:
        case "SCMP_ARCH_X86_64":
            from rootgen.sandbox.seccomp.ready_x86_64 import PROGRAMS
        case "SCMP_ARCH_AARCH64":
            from rootgen.sandbox.seccomp.ready_aarch64 import PROGRAMS
        case "SCMP_ARCH_RISCV64":
            from rootgen.sandbox.seccomp.ready_riscv64 import PROGRAMS
        case "SCMP_ARCH_LOONGARCH64":
            from rootgen.sandbox.seccomp.ready_loongarch64 import PROGRAMS
        case "SCMP_ARCH_S390X":
            from rootgen.sandbox.seccomp.ready_s390x import PROGRAMS
        case "SCMP_ARCH_PPC64LE":
            from rootgen.sandbox.seccomp.ready_ppc64le import PROGRAMS
        case _:
            return None
    return PROGRAMS


def _compiled(name: str, machine: Machine, capabilities: Collection[str]) -> Filter:
    from rootgen.sandbox.seccomp.compiler import compile_profile

    made = Filter(name, b"", _FLAGS, machine)
    profile = profile_of(made, capabilities)
    return made._replace(program=compile_profile(profile), profile=profile)


def _known(machine: Machine) -> Machine:
    if not machine.architecture:
        raise LaunchError(
            "a seccomp filter cannot be made: the system calls of this machine are unknown",
            hint="--seccomp none launches without a filter",
        )
    return machine
