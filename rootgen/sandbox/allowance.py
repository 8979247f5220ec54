"""What the program may do at most: capabilities, system calls, files. Pure."""

from __future__ import annotations

from rootgen.errors import LaunchError, UsageError
from rootgen.linux.capability import NAMES, mask
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.launch import Landlock
from rootgen.sandbox.options import NO_SECCOMP
from rootgen.sandbox.seccomp.filter import (
    DEFAULT_NAME,
    default_filter,
    own_filter,
    terminal_filter,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from rootgen.sandbox.facts import Facts
    from rootgen.sandbox.options import Options
    from rootgen.sandbox.seccomp.filter import Filter

# podman's default (containers.conf(5), default_capabilities).
DEFAULT_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "SETFCAP",
)
# The first version of Landlock that does not forbid every move to another directory.
_LANDLOCK_FILES = 2
_LANDLOCK_SOCKETS = 6


def compose_capabilities(options: Options, facts: Facts) -> tuple[str, ...]:
    """Return the capabilities that the program may have, in the kernel's order.

    Raises UsageError for one that Linux does not have, LaunchError for one
    that the caller does not have.
    """
    added = {_capability(name, "--cap-add") for name in options.cap_add}
    dropped = {_capability(name, "--cap-drop") for name in options.cap_drop}
    base: Iterable[str] = () if "ALL" in dropped else DEFAULT_CAPABILITIES
    kept = set(NAMES if "ALL" in added else base) | added - {"ALL"}
    kept -= dropped - {"ALL"}
    if facts.privileged:
        lacking = [name for name in sorted(kept) if not facts.capabilities & mask([name])]
        refused = [name for name in lacking if name in added]
        if refused:
            raise LaunchError(
                f"--cap-add {refused[0]}: the caller does not have it itself",
                why=("what a process lacks it cannot pass on (capabilities(7))",),
            )
        kept -= set(lacking)
    return tuple(name for name in NAMES if name in kept)


def compose_ambient(options: Options, capabilities: Collection[str], uid: int) -> tuple[str, ...]:
    """Return the capabilities that a program of another user than 0 has: those that were added.

    So podman does: who asks for one by its name, or for all, means the program that is run; those
    that root has by default are no other user's.
    """
    if uid == 0:
        return ()
    added = {_capability(name, "--cap-add") for name in options.cap_add}
    return tuple(name for name in capabilities if name in added or "ALL" in added)


def _capability(written: str, option: str) -> str:
    name = written.upper().removeprefix("CAP_")
    if name == "ALL" or name in NAMES:
        return name
    from difflib import get_close_matches

    near = get_close_matches(name[:64], NAMES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "see capabilities(7)"
    raise UsageError(f"{option}: Linux has no capability '{written}'", hint=hint)


def compose_filters(
    options: Options, facts: Facts, capabilities: Collection[str]
) -> tuple[Filter, ...]:
    """Return the seccomp filters of a launch, in the order in which they are installed.

    A program with a terminal of its own types, at worst, into that. Without
    a filter only where a stream is a terminal of the caller's one stays.
    Raises LaunchError.
    """
    machine = facts.machine
    if options.seccomp == NO_SECCOMP:
        return (terminal_filter(machine),) if facts.callers_terminal else ()
    if facts.profile is not None:
        own = own_filter(options.seccomp, facts.profile, machine, capabilities)
        return terminal_filter(machine), own
    return terminal_filter(machine), default_filter(machine, capabilities)


def compose_landlock(
    options: Options, facts: Facts, capabilities: Collection[str], filters: Iterable[Filter]
) -> Landlock:
    """Return what Landlock is to forbid.

    It knows no mounts that are allowed: where the program may make some, it
    does not look after files.
    """
    version = facts.landlock
    return Landlock(
        version,
        files=version >= _LANDLOCK_FILES and not lets_through(filters, capabilities, "mount"),
        # In a network of its own there are no sockets of others.
        sockets=version >= _LANDLOCK_SOCKETS and options.network == "host",
        interpreters=facts.interpreters,
    )


def lets_through(filters: Iterable[Filter], capabilities: Collection[str], name: str) -> bool:
    """Say whether a call of ``mount`` or ``keyctl`` may come past the filters."""
    for one in filters:
        if one.name == DEFAULT_NAME:
            return name == "mount" and "SYS_ADMIN" in capabilities
        if one.profile is not None and one.late:
            from rootgen.sandbox.seccomp.compiler import allows  # a profile of the user's own

            return allows(one.profile, name)
    return True
