"""A seccomp profile as values: the ``linux.seccomp`` of the OCI runtime specification."""

from __future__ import annotations

from rootgen.named import NamedTuple

# linux/seccomp.h: what a filter returns is an action and, in its lower half, data.
KILL_PROCESS = 0x80000000
KILL_THREAD = 0x00000000
TRAP = 0x00030000
ERRNO = 0x00050000
TRACE = 0x7FF00000
LOG = 0x7FFC0000
ALLOW = 0x7FFF0000
ACTION_MASK = 0xFFFF0000
DATA_MASK = 0x0000FFFF

EPERM = 1
# asm-generic/errno.h; mips has its own (arch/mips/include/uapi/asm/errno.h).
ENOSYS, ENOSYS_MIPS = 38, 89

# OCI runtime-spec, config-linux.md, "Seccomp".
ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_ALLOW": ALLOW,
    "SCMP_ACT_LOG": LOG,
}
MASKED_EQ = "SCMP_CMP_MASKED_EQ"
OPERATORS = (
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    MASKED_EQ,
)
# What runc asks for where a profile says nothing of flags: no slower memory loads for a filter's
# sake (Documentation/userspace-api/spec_ctrl.rst; the kernel's own default since 5.16).
DEFAULT_FLAGS = ("SECCOMP_FILTER_FLAG_SPEC_ALLOW",)


class Condition(NamedTuple):
    """What an ``argument`` (from 0) is compared with: 64 bits, unsigned.

    For MASKED_EQ ``value`` is the mask, and the argument under it is
    compared with ``value_two`` under it.
    """

    argument: int
    operator: str
    value: int
    value_two: int = 0


class Rule(NamedTuple):
    """The action for calls of these names whose arguments meet all the conditions.

    Where two conditions are on the same argument any one of all is enough,
    as runc and crun have it.
    """

    names: tuple[str, ...]
    action: int
    conditions: tuple[Condition, ...] = ()


class Profile(NamedTuple):
    """A default action and rules, for calls of these architectures; others are killed.

    Of one call's rules the first without conditions counts, if there is
    one; else the first whose conditions are met. A rule whose action is the
    default says nothing. That is libseccomp's reading, and so runc's.
    """

    default: int
    architectures: tuple[str, ...]
    rules: tuple[Rule, ...]
    flags: tuple[str, ...] = DEFAULT_FLAGS


class Terms(NamedTuple):
    """When a rule is included or excluded; what is empty does not matter."""

    capabilities: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    kernel: tuple[int, int] | None = None


class Choice(NamedTuple):
    """A rule, and when it counts."""

    rule: Rule
    includes: Terms = Terms()
    excludes: Terms = Terms()


class Template(NamedTuple):
    """A profile before it is known for which machine and capabilities it is to be.

    ``architectures`` are in the filter besides the machine's own;
    ``companions`` those that come along with a machine's own.
    """

    default: int
    choices: tuple[Choice, ...]
    architectures: tuple[str, ...] = ()
    companions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    flags: tuple[str, ...] = DEFAULT_FLAGS
