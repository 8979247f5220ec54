"""The limits of each single process (setrlimit(2)): which there are, and what a program gets.

A program has the caller's own, with one difference: it leaves no core file
when it crashes, which would lie in the tree, or go through
``/proc/sys/kernel/core_pattern`` to a program of the host. It may lift that
itself (the hard limit stays), and so does ``--ulimit core=unlimited``.
"""

from __future__ import annotations

import resource

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.options import Rlimit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Pair = tuple[int | None, int | None]

# By the names of setrlimit(2), which docker's --ulimit and prlimit(1) take too.
RESOURCES = {
    "as": resource.RLIMIT_AS,
    "core": resource.RLIMIT_CORE,
    "cpu": resource.RLIMIT_CPU,
    "data": resource.RLIMIT_DATA,
    "fsize": resource.RLIMIT_FSIZE,
    "locks": 10,  # asm-generic/resource.h; Python does not name it
    "memlock": resource.RLIMIT_MEMLOCK,
    "msgqueue": resource.RLIMIT_MSGQUEUE,
    "nice": resource.RLIMIT_NICE,
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
    "rss": resource.RLIMIT_RSS,
    "rtprio": resource.RLIMIT_RTPRIO,
    "rttime": resource.RLIMIT_RTTIME,
    "sigpending": resource.RLIMIT_SIGPENDING,
    "stack": resource.RLIMIT_STACK,
}
# Those that are counted in bytes.
IN_BYTES = frozenset(("as", "core", "data", "fsize", "memlock", "msgqueue", "rss", "stack"))
# What process 1 may have itself, without harm to its work.
HARMLESS = frozenset(("core",))


def read_rlimits() -> dict[str, Pair]:
    """Return this process's own limits, each soft and hard; None is no limit."""
    return {name: _pair(resource.getrlimit(number)) for name, number in RESOURCES.items()}


def compose_rlimits(
    wanted: Sequence[Rlimit], own: Mapping[str, Pair], *, may_raise: bool
) -> tuple[Rlimit, ...]:
    """Return the limits that the program gets instead of the caller's ``own``.

    The last of one name counts. Raises LaunchError where a hard limit would
    be raised and the caller may not.
    """
    core = Rlimit("core", 0, own.get("core", (None, None))[1])
    chosen = {"core": core, **{limit.name: limit for limit in wanted}}
    for limit in wanted:
        hard = own.get(limit.name, (None, None))[1]
        if not may_raise and _exceeds(limit.hard, hard):
            raise LaunchError(
                f"--ulimit {limit.name}={words(limit)}: above the caller's own hard limit, "
                f"{number_word(hard)}",
                why=("only CAP_SYS_RESOURCE raises a hard limit (setrlimit(2))",),
                hint=f"ask for at most {number_word(hard)}, or raise the caller's: "
                "limits.conf(5), or LimitNOFILE= and the like of systemd.exec(5)",
            )
    return tuple(chosen[name] for name in sorted(chosen))


def exceeding(limits: Sequence[Rlimit]) -> bool:
    """Say whether any of the limits is above this process's own hard one."""
    own = read_rlimits() if limits else {}
    return any(_exceeds(limit.hard, own[limit.name][1]) for limit in limits)


def raise_hard_limits(limits: Sequence[Rlimit]) -> None:
    """Raise this process's hard limits to those wanted, while it may; raise LaunchError."""
    for limit in limits:
        soft, hard = resource.getrlimit(RESOURCES[limit.name])
        if _exceeds(limit.hard, _pair((soft, hard))[1]):
            try:
                resource.setrlimit(RESOURCES[limit.name], (soft, _number(limit.hard)))
            except (OSError, ValueError) as error:
                raise _refused(limit, error) from error


def numbers_of(limits: Sequence[Rlimit]) -> tuple[tuple[int, tuple[int, int]], ...]:
    """Return the limits as ``resource.setrlimit`` takes them."""
    return tuple(
        (RESOURCES[limit.name], (_number(limit.soft), _number(limit.hard))) for limit in limits
    )


def set_limits(limits: Sequence[Rlimit]) -> None:
    """Give this process the limits; raise LaunchError that names the one refused."""
    for limit in limits:
        try:
            resource.setrlimit(RESOURCES[limit.name], (_number(limit.soft), _number(limit.hard)))
        except (OSError, ValueError) as error:  # ValueError: what the kernel calls EPERM
            raise _refused(limit, error) from error


def _refused(limit: Rlimit, error: Exception) -> LaunchError:
    hint = "nofile is bounded by /proc/sys/fs/nr_open" if limit.name == "nofile" else ""
    what = f"cannot set the limit --ulimit {limit.name}={words(limit)}: {error}"
    return LaunchError(what, hint=hint)


def words(limit: Rlimit) -> str:
    """Return a limit as ``--ulimit`` and prlimit(1) write it: ``SOFT:HARD``."""
    return f"{number_word(limit.soft)}:{number_word(limit.hard)}"


def number_word(number: int | None) -> str:
    """Return a number, or ``unlimited``."""
    return "unlimited" if number is None else str(number)


def _exceeds(wanted: int | None, hard: int | None) -> bool:
    return hard is not None and (wanted is None or wanted > hard)


def _number(written: int | None) -> int:
    return resource.RLIM_INFINITY if written is None else written


def _pair(limits: tuple[int, int]) -> Pair:
    soft, hard = (None if one == resource.RLIM_INFINITY else one for one in limits)
    return soft, hard
