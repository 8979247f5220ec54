"""The tree's own passwd and group files (passwd(5), group(5)), read with bounds.

They are the tree's: whatever they say gives nothing but numbers, and a
malformed line is no line.
"""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.launch import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

# 2^32 - 1 is "no change" to setresuid(2).
_ID_LIMIT = 2**32 - 2
_DIGITS_LIMIT = 10
_GROUPS_LIMIT = 65536  # NGROUPS_MAX
_PASSWD_FIELDS = 7
_GROUP_FIELDS = 4
_DEFAULT_HOME = "/"


class Accounts(NamedTuple):
    """The two files' bytes; None where one is not there or is no regular file, with the reason."""

    passwd: bytes | None = None
    group: bytes | None = None
    why_no_passwd: str = "No such file or directory"  # noqa: S105 - an errno's words
    why_no_group: str = "No such file or directory"


class Account(NamedTuple):
    """A user as the tree has it."""

    credentials: Credentials
    home: str


class _User(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


class _Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def find_account(written: str, accounts: Accounts) -> Account:
    """Return the account that ``NAME|UID[:GROUP|GID]`` means; empty means 0.

    As docker and podman have it: with a group, it is the only one; a
    number needs no line in passwd. Raises LaunchError for a name that the
    tree does not have.
    """
    name, colon, group_name = written.partition(":")
    user = _find_user(name or "0", accounts)
    home = user.home or _DEFAULT_HOME
    if colon:
        return Account(Credentials(user.uid, _find_group(group_name, accounts), ()), home)
    groups = _groups_of(user, accounts.group or b"")
    return Account(Credentials(user.uid, user.gid, groups), home)


def _find_user(name: str, accounts: Accounts) -> _User:
    number = _number(name)
    for user in _users(accounts.passwd or b""):
        if user.name == name or (number is not None and user.uid == number):
            return user
    if number is None:
        raise _unknown("user", name, "/etc/passwd", accounts.passwd, accounts.why_no_passwd)
    return _User("", number, 0, "/root" if number == 0 else "")


def _find_group(name: str, accounts: Accounts) -> int:
    number = _number(name)
    if number is not None:
        return number
    for group in _groups(accounts.group or b""):
        if group.name == name:
            return group.gid
    raise _unknown("group", name, "/etc/group", accounts.group, accounts.why_no_group)


def _unknown(kind: str, name: str, file: str, content: bytes | None, reason: str) -> LaunchError:
    why = f"{file} of the tree: {reason}" if content is None else f"no such name in its {file}"
    return LaunchError(
        f"the tree has no {kind} '{name}'",
        why=(why,),
        hint=f"give a number (--user 1000:1000), or add the {kind} to the tree's {file}",
    )


def _groups_of(user: _User, content: bytes) -> tuple[int, ...]:
    """Return the groups whose member the user is, its own first, as initgroups(3) does."""
    found = [user.gid]
    if user.name:
        found += [group.gid for group in _groups(content) if user.name in group.members]
    return tuple(dict.fromkeys(found))[:_GROUPS_LIMIT]


def _users(content: bytes) -> Iterator[_User]:
    for fields in _lines(content):
        if len(fields) < _PASSWD_FIELDS:
            continue
        uid, gid = _number(fields[2]), _number(fields[3])
        home = fields[5] if fields[5].startswith("/") else ""
        if uid is not None and gid is not None:
            yield _User(fields[0], uid, gid, home)


def _groups(content: bytes) -> Iterator[_Group]:
    for fields in _lines(content):
        if len(fields) < _GROUP_FIELDS:
            continue
        gid = _number(fields[2])
        if gid is not None:
            yield _Group(fields[0], gid, tuple(fields[3].split(",")))


def _lines(content: bytes) -> Iterator[list[str]]:
    for line in content.split(b"\n"):
        # "+" and "-" lines are NIS's (nsswitch.conf(5), compat), "#" is a comment of BSD's.
        if line and line[0] not in b"+-#:" and b"\0" not in line:
            yield line.decode("utf-8", "surrogateescape").split(":")


def _number(text: str) -> int | None:
    """Return a user's or group's number, or None for what is none (or no id of Linux)."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_LIMIT):
        return None
    number = int(text)
    return number if number <= _ID_LIMIT else None
