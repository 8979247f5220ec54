"""Profiles as JSON: the OCI runtime-spec's ``linux.seccomp``, and moby's and podman's form of it.

Read with bounds, and strictly: a field or a word that we do not know is a
mistake, since what is overlooked in a filter is a hole in it. All mistakes
are told at once, each with its place.
"""

from __future__ import annotations

import errno
import json

from rootgen.errors import LaunchError
from rootgen.linux.seccomp import FLAGS
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.seccomp.architecture import ARCHITECTURES
from rootgen.sandbox.seccomp.fields import Field, Mistakes
from rootgen.sandbox.seccomp.profile import (
    ACTION_MASK,
    ACTIONS,
    DATA_MASK,
    DEFAULT_FLAGS,
    EPERM,
    ERRNO,
    KILL_THREAD,
    MASKED_EQ,
    OPERATORS,
    TRACE,
    Choice,
    Condition,
    Rule,
    Template,
    Terms,
)

if TYPE_CHECKING:
    from rootgen.sandbox.seccomp.profile import Profile

LIMIT = 1 << 20  # bytes of a file: Docker's profile has 15 thousand
_NAMES_LIMIT = 20_000
_MAX_ERRNO = 4095  # include/linux/err.h; seccomp(2) makes more of it this
_MAX_ARGUMENT = (1 << 64) - 1
_LAST_ARGUMENT = 5

_TOP_FIELDS = (
    "defaultAction defaultErrnoRet defaultErrno architectures archMap flags syscalls "
    "listenerPath listenerMetadata comment"
).split()
_RULE_FIELDS = "names name action errnoRet errno args comment includes excludes".split()
_ARGUMENT_FIELDS = "index value valueTwo op".split()
_TERM_FIELDS = "caps arches minKernel".split()
_NOTIFY = (
    "SCMP_ACT_NOTIFY asks another process about each call, and rootgen starts none that could "
    "answer; choose SCMP_ACT_ERRNO or SCMP_ACT_ALLOW"
)


def read_template(data: bytes, path: str) -> Template:
    """Return the profile in ``data``, the bytes of the file ``path``.

    It may stand by itself, or in a whole ``config.json``. Raises LaunchError
    that tells every mistake, with its place.
    """
    mistakes = Mistakes(path)
    template = _template(Field(_parse(data, path), "", mistakes))
    mistakes.raise_any()
    return template


def _parse(data: bytes, path: str) -> object:
    if len(data) > LIMIT:
        raise LaunchError(f"{path}: a seccomp profile of more than {LIMIT >> 10} KiB is not read")
    try:
        parsed = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise LaunchError(f"{where}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise LaunchError(f"{path}: no seccomp profile: {error}") from error
    if isinstance(parsed, dict) and "ociVersion" in parsed:
        linux = parsed.get("linux")
        return linux.get("seccomp") if isinstance(linux, dict) else None
    return parsed


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} is given twice in one object")
    return found


def _template(top: Field) -> Template:
    top.check_fields(_TOP_FIELDS)
    default = _action(top, "defaultAction", "defaultErrnoRet", "defaultErrno")
    flags = top.get("flags")
    choices = tuple(_choice(one) for one in top.get("syscalls").items())
    if sum(len(choice.rule.names) for choice in choices) > _NAMES_LIMIT:
        top.mistake(f"more than {_NAMES_LIMIT} names of system calls")
    architectures, arch_map = top.get("architectures"), top.get("archMap")
    if architectures.value and arch_map.value:
        arch_map.mistake("architectures are given as well; have one of the two")
    return Template(
        default=default,
        choices=choices,
        architectures=tuple(one.word(ARCHITECTURES) for one in architectures.items()),
        companions=tuple(_companions(one) for one in arch_map.items()),
        flags=DEFAULT_FLAGS if flags.value is None else tuple(map(_flag, flags.items())),
    )


def _companions(field: Field) -> tuple[str, tuple[str, ...]]:
    field.check_fields(["architecture", "subArchitectures"])
    others = field.get("subArchitectures").items()
    name = field.get("architecture").word(ARCHITECTURES)
    return name, tuple(one.word(ARCHITECTURES) for one in others)


def _flag(field: Field) -> str:
    if field.value == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
        field.mistake("is for SCMP_ACT_NOTIFY alone, which rootgen does not have")
        return ""
    return field.word(FLAGS)


def _action(field: Field, name: str, number: str, word: str) -> int:
    """Return the action in the field ``name``, with its error number where it takes one."""
    given = field.get(name)
    if given.value == "SCMP_ACT_NOTIFY":
        given.mistake(_NOTIFY)
        return KILL_THREAD
    action = ACTIONS.get(given.word(ACTIONS), KILL_THREAD)
    data = _errno(field, number, word)
    if action in (ERRNO, TRACE):
        return action | (EPERM if data is None else data)
    if data is not None:
        given.mistake(f"{given.value} takes no error number; SCMP_ACT_ERRNO and _TRACE do")
    return action


def _errno(field: Field, number: str, word: str) -> int | None:
    """Return the error number that is given as a word (podman's way) or as a number."""
    named = field.get(word)
    if named.value not in (None, ""):
        name = named.word(dict.fromkeys(errno.errorcode.values()))
        return int(getattr(errno, name)) if name else None
    given = field.get(number)
    return None if given.value is None else given.number(_MAX_ERRNO)


def _choice(field: Field) -> Choice:
    field.check_fields(_RULE_FIELDS)
    single, several = field.get("name"), field.get("names")
    if single.value and several.value:
        single.mistake("names are given as well; have one of the two")
    names = (single.text(),) if single.value else tuple(one.text() for one in several.items())
    if not names:
        field.mistake("names no system call")
    return Choice(
        Rule(
            names,
            _action(field, "action", "errnoRet", "errno"),
            tuple(_condition(one) for one in field.get("args").items()),
        ),
        includes=_terms(field.get("includes")),
        excludes=_terms(field.get("excludes")),
    )


def _condition(field: Field) -> Condition:
    field.check_fields(_ARGUMENT_FIELDS)
    second = field.get("valueTwo")
    return Condition(
        argument=field.get("index").number(_LAST_ARGUMENT),
        operator=field.get("op").word(dict.fromkeys(OPERATORS)),
        value=field.get("value").number(_MAX_ARGUMENT),
        value_two=0 if second.value is None else second.number(_MAX_ARGUMENT),
    )


def _terms(field: Field) -> Terms:
    if field.value is None:
        return Terms()
    field.check_fields(_TERM_FIELDS)
    return Terms(
        capabilities=tuple(one.text().removeprefix("CAP_") for one in field.get("caps").items()),
        architectures=tuple(one.text() for one in field.get("arches").items()),
        kernel=_kernel(field.get("minKernel")),
    )


def _kernel(field: Field) -> tuple[int, int] | None:
    if field.value in (None, ""):
        return None
    major, _, minor = field.text().partition(".")
    if not (major.isdecimal() and minor.isdecimal() and len(major) + len(minor) < len("100.100")):
        field.mistake("expected a kernel version such as 4.8")
        return None
    return int(major), int(minor)


def to_oci(profile: Profile) -> dict[str, object]:
    """Return the profile as the values of a ``linux.seccomp`` of the OCI runtime-spec."""
    default = _action_fields(profile.default, "defaultAction", "defaultErrnoRet")
    return {
        **default,
        "architectures": list(profile.architectures),
        "flags": list(profile.flags),
        "syscalls": [_rule_fields(rule) for rule in profile.rules],
    }


def _rule_fields(rule: Rule) -> dict[str, object]:
    fields = {"names": list(rule.names), **_action_fields(rule.action, "action", "errnoRet")}
    if rule.conditions:
        fields["args"] = [_condition_fields(one) for one in rule.conditions]
    return fields


def _condition_fields(one: Condition) -> dict[str, object]:
    fields: dict[str, object] = {"index": one.argument, "value": one.value, "op": one.operator}
    needed = one.operator == MASKED_EQ or one.value_two
    return {**fields, "valueTwo": one.value_two} if needed else fields


def _action_fields(action: int, name: str, number: str) -> dict[str, object]:
    kind, data = action & ACTION_MASK, action & DATA_MASK
    word = next(word for word, value in ACTIONS.items() if value == kind)
    fields: dict[str, object] = {name: word}
    return {**fields, number: data} if kind in (ERRNO, TRACE) else fields
