"""A profile in words and numbers, for people."""

from __future__ import annotations

import errno

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.seccomp.architecture import ARCHITECTURES
from rootgen.sandbox.seccomp.compiler import newer_action, newest_number, numbers_of, outcomes
from rootgen.sandbox.seccomp.profile import (
    ACTION_MASK,
    ALLOW,
    DATA_MASK,
    ENOSYS_MIPS,
    ERRNO,
    KILL_PROCESS,
    KILL_THREAD,
    LOG,
    TRACE,
    TRAP,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.sandbox.seccomp.profile import Profile

_FEW = 12
_OF = {True: "its", False: "their"}
_WORDS = {
    ALLOW: "allowed",
    LOG: "allowed and logged",
    TRACE: "put to a tracer",
    TRAP: "answered with SIGSYS",
    KILL_THREAD: "the end of the thread",
    KILL_PROCESS: "the end of the process",
}


def profile_lines(profile: Profile) -> Iterator[str]:
    """Yield what the profile allows and refuses, on the machine's own architecture first."""
    own = ARCHITECTURES[profile.architectures[0]]
    found = outcomes(profile, own)
    names = {number: name for name, number in numbers_of(own).items()}
    groups: dict[int, list[str]] = {}
    conditional: list[str] = []
    for number, outcome in sorted(found.items()):
        if isinstance(outcome, int):
            groups.setdefault(outcome, []).append(names[number])
        else:
            conditional.append(names[number])
    others = ", ".join(ARCHITECTURES[name].word for name in profile.architectures[1:])
    also = f" (and those of {others})" if others else ""
    yield f"of the {len(names)} system calls of {own.word}{also}:"
    for action, group in groups.items():
        yield f"  {_counted(group)} {action_words(action)}"
    if conditional:
        yield f"  {_counted(conditional)} judged by {_OF[len(conditional) == 1]} arguments"
    newest = newest_number(profile, own)
    newer = newer_action(profile)
    if newest >= 0 and newer != profile.default:
        yield f"  every one newer than {names[newest]} is {action_words(newer)}"
    yield f"  every other one is {action_words(profile.default)}"
    unknown = _unknown(profile)
    if unknown:
        yield f"  not known to rootgen, and left out: {', '.join(unknown)}"


def _counted(names: Sequence[str]) -> str:
    if len(names) > _FEW:
        return f"{len(names)} are"
    return f"{', '.join(sorted(names))} {'is' if len(names) == 1 else 'are'}"


def action_words(action: int) -> str:
    """Return what becomes of a call, in words that follow "is"."""
    kind, data = action & ACTION_MASK, action & DATA_MASK
    if kind == ERRNO:
        name = "ENOSYS" if data == ENOSYS_MIPS else errno.errorcode.get(data, f"error {data}")
        return f"refused ({name})"
    return _WORDS[kind]


def _unknown(profile: Profile) -> list[str]:
    """Return the names that no architecture has: misspelt, or newer than our tables."""
    known = {name for one in ARCHITECTURES.values() for name in numbers_of(one)}
    return sorted({name for rule in profile.rules for name in rule.names} - known)
