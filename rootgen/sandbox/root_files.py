"""Small files of a root, read before a launch of it: what they are is never trusted.

No link leads out of the root, nothing but a regular file is opened, and no more of it is read than
was asked for.
"""

from __future__ import annotations

import os

from rootgen.errors import raise_foreign
from rootgen.linux.mount import descriptor_path
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.account import Accounts
from rootgen.sandbox.caller import read_bounded
from rootgen.sandbox.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rootgen.sandbox.launch import Root

_REGULAR = 0o100000
_FORMAT = 0o170000


def read_line_beneath(root: Root, path: str, limit: int) -> bytes | None:
    """Return the first line of a regular file of the root, at most ``limit`` bytes of it.

    No link is followed; None where there is no such file. Raises LaunchError
    where the root is none.
    """
    return _read_file(root, path, limit, line=True)


def read_beneath(root: Root, path: str, limit: int) -> bytes | None:
    """Return a regular file of the root, at most ``limit`` bytes; else as read_line_beneath."""
    return _read_file(root, path, limit, line=False)


def _read_file(root: Root, path: str, limit: int, *, line: bool) -> bytes | None:
    with Reading(root) as reading:
        try:
            return _content(reading.open_beneath(path), limit, line=line)
        except OSError as error:
            raise_foreign(error)
            return None


def _content(place: int, limit: int, *, line: bool) -> bytes | None:
    try:
        if os.fstat(place).st_mode & _FORMAT != _REGULAR:
            return None
        descriptor = os.open(descriptor_path(place), os.O_RDONLY | os.O_CLOEXEC)
        return read_bounded(descriptor, limit, line=line)
    finally:
        os.close(place)


def first_program(root: Root, candidates: Sequence[Sequence[str]], path: str) -> tuple[str, ...]:
    """Return the first of several commands whose program the root has on ``path``; else ().

    For a default only: whether it runs is found out inside.
    """
    with Reading(root) as reading:
        for command in candidates:
            for directory in path.split(":"):
                if _is_program(reading, f"{directory}/{command[0]}"):
                    return tuple(command)
    return ()


def read_accounts(reading: Reading) -> Accounts:
    """Return the root's passwd and group files, its links followed within it."""
    passwd, passwd_reason = _read_in_tree(reading, "etc/passwd")
    group, group_reason = _read_in_tree(reading, "etc/group")
    return Accounts(passwd, group, passwd_reason, group_reason)


def _read_in_tree(reading: Reading, name: str) -> tuple[bytes | None, str]:
    """Return a file's bytes, or None and why not; nothing but a regular file is opened."""
    try:
        place = reading.open(name)
    except OSError as error:
        raise_foreign(error)
        return None, error.strerror or str(error)
    try:
        if os.fstat(place).st_mode & _FORMAT != _REGULAR:
            return None, "not a regular file"
        return read_bounded(_open_to_read(reading, place, name)), ""
    except OSError as error:
        raise_foreign(error)
        return None, error.strerror or str(error)
    finally:
        os.close(place)


def _open_to_read(reading: Reading, place: int, name: str) -> int:
    """Open for reading what ``place`` is, or what is called so where /proc is no procfs.

    So it may be for who joins a launch. Raises OSError.
    """
    try:
        return os.open(descriptor_path(place), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return reading.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)


def is_empty_file(reading: Reading, path: str) -> bool:
    """Say whether the root has an empty file there, and no link on the way: a place for ours."""
    facts = _regular(reading.open_beneath, path)
    return facts is not None and facts.st_size == 0


def _is_program(reading: Reading, name: str) -> bool:
    facts = _regular(reading.open, name)
    return facts is not None and bool(facts.st_mode & 0o111)


def _regular(open_place: Callable[[str], int], path: str) -> os.stat_result | None:
    """Return what is known of a regular file; None where there is none."""
    try:
        place = open_place(path)
    except OSError as error:
        raise_foreign(error)
        return None
    facts = os.fstat(place)
    os.close(place)
    return facts if facts.st_mode & _FORMAT == _REGULAR else None
