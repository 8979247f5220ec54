"""``users:`` of a profile → UserRules; the rules are those of passwd(5) and useradd(8)."""

from __future__ import annotations

import re

from rootgen.named import TYPE_CHECKING
from rootgen.profile import field
from rootgen.profile.model import UserRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.profile.document import Value
    from rootgen.profile.mistakes import Mistakes

_KEYS = ("name", "uid", "gid", "home", "shell", "comment")
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}[a-z0-9_$-]?")
# (uid_t) -1 means "no change" to chown(2), so it is no one's id.
_LARGEST_ID = (1 << 32) - 2
# The accounts that every tree has.
_STANDARD = {"root": 0, "nobody": 65534}


def read_users(value: Value, profile: str, mistakes: Mistakes) -> tuple[UserRule, ...]:
    """Return the rules of a ``users:`` list."""
    users: dict[str, UserRule] = {}
    for item in field.sequence(value, "users", mistakes):
        user = _user(item, profile, mistakes)
        if user is None:
            continue
        if user.name in users:
            first = users[user.name].place.line
            mistakes.add(user.place, f"user '{user.name}' is given twice; first in line {first}")
        users[user.name] = user
    return tuple(users.values())


def check_ids(users: Iterable[UserRule], mistakes: Mistakes) -> None:
    """Note users that share an id, after everything extended is merged in."""
    owners = {uid: name for name, uid in _STANDARD.items()}
    for user in users:
        if user.name in _STANDARD and user.uid != _STANDARD[user.name]:
            uid = _STANDARD[user.name]
            mistakes.add(user.place, f"uid of '{user.name}' must be {uid}, not {user.uid}")
            continue
        owner = owners.setdefault(user.uid, user.name)
        if owner != user.name:
            mistakes.add(user.place, f"uid {user.uid} of '{user.name}' is that of '{owner}'")


def _user(item: Value, profile: str, mistakes: Mistakes) -> UserRule | None:
    fields = field.table(item, "a user", _KEYS, mistakes)
    lacking = [key for key in ("name", "uid") if key not in fields]
    if lacking:
        if field.is_bare(item, fields):
            mistakes.add(item.place, f"a user needs '{lacking[0]}'")
        return None
    name = field.text(fields["name"][1], "name", mistakes)
    uid = field.integer(fields["uid"][1], "uid", _LARGEST_ID, mistakes)
    gid = field.integer(fields["gid"][1], "gid", _LARGEST_ID, mistakes) if "gid" in fields else uid
    if name is not None and not _NAME.fullmatch(name):
        mistakes.add(
            fields["name"][1].place,
            f"user name '{name}' must be lower-case letters, digits, '_' and '-', "
            "32 at most, and start with a letter",
        )
        return None
    if name is None or uid is None or gid is None:
        return None
    user = UserRule(name, uid, gid, profile, item.place)
    if "home" in fields:
        user = user._replace(home=_passwd_field(fields["home"][1], "home", mistakes))
    if "shell" in fields:
        user = user._replace(shell=_passwd_field(fields["shell"][1], "shell", mistakes))
    if "comment" in fields:
        user = user._replace(comment=_passwd_field(fields["comment"][1], "comment", mistakes))
    return user


def _passwd_field(value: Value, what: str, mistakes: Mistakes) -> str:
    if what == "comment":
        written = field.text(value, what, mistakes, empty=True)
    else:
        written = field.path(value, what, mistakes)
    if written is not None and any(sign in written for sign in ":\n"):
        mistakes.add(value.place, f"{what} must not have ':' or a line break in it: passwd(5)")
    return written or ""
