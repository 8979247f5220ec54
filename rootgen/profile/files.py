"""``files:`` of a profile → FileRules."""

from __future__ import annotations

import os
import re

from rootgen.named import TYPE_CHECKING
from rootgen.profile import field
from rootgen.profile.document import Scalar
from rootgen.profile.model import FileRule

if TYPE_CHECKING:
    from rootgen.profile.document import Value
    from rootgen.profile.field import Fields
    from rootgen.profile.mistakes import Mistakes

_KEYS = (
    "path",
    "text",
    "from",
    "link",
    "directory",
    "mode",
    "owner",
    "group",
    "optional",
    "not",
)
_CONTENTS = ("text", "from", "link", "directory")
_PATH_LIMIT = 4096  # limits.h, PATH_MAX
_MODE = re.compile(r"0?[0-7]{3,4}")
_OWNER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|0|[1-9][0-9]{0,8}")


def read_files(
    value: Value, profile: str, directory: str, mistakes: Mistakes
) -> tuple[FileRule, ...]:
    """Return the rules of a ``files:`` list.

    ``directory`` is the profile's own, which ``from:`` may not leave.
    """
    rules: dict[str, FileRule] = {}
    for item in field.sequence(value, "files", mistakes):
        rule = _rule(item, profile, directory, mistakes)
        if rule is None:
            continue
        if rule.path in rules:
            first = rules[rule.path].place.line
            mistakes.add(rule.place, f"{rule.path} is given twice; first in line {first}")
        rules[rule.path] = rule
    return tuple(rules.values())


def _rule(item: Value, profile: str, directory: str, mistakes: Mistakes) -> FileRule | None:
    if isinstance(item, Scalar):
        plain = field.path(item, "a file", mistakes)
        return None if plain is None else FileRule(plain, profile, item.place)
    fields = field.table(item, "a file", _KEYS, mistakes)
    if "path" not in fields:
        if field.is_bare(item, fields):
            mistakes.add(item.place, "a file needs a 'path'")
        return None
    path = field.path(fields["path"][1], "path", mistakes)
    _check_combination(fields, path or "", mistakes)
    rule = FileRule(path or "", profile, item.place)
    if "optional" in fields:
        rule = rule._replace(optional=field.truth(fields["optional"][1], "optional", mistakes))
    rule = _with_content(rule, fields, directory, mistakes)
    if "mode" in fields:
        rule = rule._replace(mode=_mode(fields["mode"][1], mistakes))
    rule = rule._replace(owner=_owner(fields, "owner", mistakes))
    rule = rule._replace(group=_owner(fields, "group", mistakes))
    if "not" in fields:
        patterns = field.texts(fields["not"][1], "not", mistakes)
        rule = rule._replace(exclude=tuple(pattern.text for pattern in patterns))
    return None if path is None else rule


def _with_content(rule: FileRule, fields: Fields, directory: str, mistakes: Mistakes) -> FileRule:
    if "text" in fields:
        rule = rule._replace(text=field.text(fields["text"][1], "text", mistakes, empty=True))
    if "link" in fields:
        rule = rule._replace(link=field.text(fields["link"][1], "link", mistakes))
    if "directory" in fields:
        rule = rule._replace(directory=field.truth(fields["directory"][1], "directory", mistakes))
    if "from" in fields:
        source = _source(fields["from"][1], directory, mistakes, optional=rule.optional)
        rule = rule._replace(source=source)
    return rule


def _check_combination(fields: Fields, path: str, mistakes: Mistakes) -> None:
    given = [key for key in _CONTENTS if key in fields]
    if len(given) > 1:
        place = fields[given[1]][0].place
        mistakes.add(place, f"'{given[1]}' and '{given[0]}' cannot both say what the file is")
    if not given:
        return
    if any(sign in path for sign in "*?"):
        place = fields["path"][1].place
        mistakes.add(place, f"path '{path}' is a pattern; with '{given[0]}' it must be one path")
    if "not" in fields:
        mistakes.add(fields["not"][0].place, f"'not' has no meaning with '{given[0]}'")
    if "optional" in fields and "from" not in fields:
        mistakes.add(fields["optional"][0].place, f"'optional' has no meaning with '{given[0]}'")
    if "link" in fields and "mode" in fields:
        mistakes.add(fields["mode"][0].place, "a symbolic link has no mode of its own")


def _mode(value: Value, mistakes: Mistakes) -> int | None:
    if isinstance(value, Scalar) and value.kind == "integer":
        hint = f'YAML reads {value.text} as a number; in quotes it is a mode: "{value.text}"'
        if value.text.startswith("0") and _MODE.fullmatch(value.text):
            hint = (
                f"YAML reads {value.text} as the number {int(value.text, 8)}; "
                f'in quotes it is a mode: "{value.text}"'
            )
        mistakes.add(value.place, hint)
        return None
    written = field.text(value, "mode", mistakes)
    if written is None:
        return None
    if not _MODE.fullmatch(written):
        mistakes.add(value.place, f"mode '{written}' is not octal; write it like \"0644\"")
        return None
    return int(written, 8)


def _owner(fields: Fields, key: str, mistakes: Mistakes) -> str | None:
    if key not in fields:
        return None
    value = fields[key][1]
    is_number = isinstance(value, Scalar) and value.kind == "integer"
    if not is_number and field.text(value, key, mistakes) is None:
        return None
    if isinstance(value, Scalar) and _OWNER.fullmatch(value.text):
        return value.text
    mistakes.add(value.place, f"{key} {field.described(value)} is no account name and no id")
    return None


def _source(value: Value, directory: str, mistakes: Mistakes, *, optional: bool) -> str | None:
    written = field.text(value, "from", mistakes)
    if written is None:
        return None
    if len(written.encode()) >= _PATH_LIMIT:
        # realpath would ask for every prefix of it.
        mistakes.add(value.place, f"from is longer than a path may be: {_PATH_LIMIT} bytes")
        return None
    top = os.path.realpath(directory)
    real = os.path.realpath(os.path.join(top, written))
    if os.path.commonpath([top, real]) != top:
        where = real if os.path.normpath(os.path.join(top, written)) != real else "outside"
        mistakes.add(
            value.place,
            f"from '{written}' leads to {where}; a profile reads only beneath its own directory",
        )
        return None
    if not os.path.lexists(real) and not optional:
        mistakes.add(value.place, f"from '{written}' does not exist beneath {directory or '.'}")
        return None
    return real
