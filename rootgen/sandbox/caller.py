"""Who calls: which ids are the caller's to give, and whether it needs a user namespace."""

from __future__ import annotations

import os

from rootgen.errors import LaunchError, raise_foreign
from rootgen.linux import capability
from rootgen.linux.process import has_no_new_privileges
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.id_map import Caller, choose_id_map

if TYPE_CHECKING:
    from rootgen.sandbox.id_map import Range
    from rootgen.sandbox.launch import IdMap

# A passwd of 4 MiB has some 60,000 users; what is longer is not read to its end.
_FILE_LIMIT = 4 << 20
_PIECE = 1 << 16
_WHOLE_MAP = [b"0", b"0", b"4294967295"]
HELPER_DIRECTORIES = ("/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/run/wrappers/bin")
# Of a network of its own too the loopback is to be brought up: netdevice(7).
_FOR_NAMESPACES = ("SYS_ADMIN", "NET_ADMIN")
# user_namespaces(7), "Defining user and group ID mappings"; the last to map root.
_FOR_MAPS = ("SETUID", "SETGID", "SETFCAP")


class Ids(NamedTuple):
    """Which ids a launch of this caller has: None where it has those that the caller has.

    ``initial``: those are all that there are, and attributes trusted.* may be set.
    """

    id_map: IdMap | None
    initial: bool


def read_ids(effective: int) -> Ids:
    """Return the ids that a launch of who has these capabilities will have; raise LaunchError."""
    privileged = is_privileged(effective)
    id_map = None if privileged else choose_id_map(read_caller(effective))
    return Ids(id_map, privileged and in_initial_user_namespace())


def is_privileged(effective: int) -> bool:
    """Say whether the caller may make namespaces and mounts as it is, by its capabilities.

    Root of another container often is not: it needs a user namespace, as anybody else.
    """
    return os.geteuid() == 0 and _has_all(effective, _FOR_NAMESPACES)


def may_set_groups() -> bool:
    """Say whether setgroups(2) is not forbidden in the caller's user namespace."""
    return read_host("/proc/self/setgroups") != b"deny\n"


def in_initial_user_namespace() -> bool:
    """Say whether the caller has all ids that there are."""
    return read_host("/proc/self/uid_map").split() == _WHOLE_MAP


def read_caller(effective: int) -> Caller:
    """Return who calls, with these capabilities, and what it may map."""
    uid, gid, privileged = os.geteuid(), os.getegid(), is_privileged(effective)
    if not privileged and uid == 0 and _has_all(effective, _FOR_MAPS):
        uids, gids = _read_map("uid_map"), _read_map("gid_map")
        return Caller(uid, gid, uids=uids, gids=gids, setgroups=may_set_groups())
    # A set-user-ID helper can help only whom exec can give privileges.
    if privileged or uid == 0 or has_no_new_privileges():
        return Caller(uid, gid)
    import pwd

    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a number that no passwd knows has subordinate ids by number
        name = ""
    subuid, subgid = read_host("/etc/subuid"), read_host("/etc/subgid")
    return Caller(uid, gid, name, subuid, subgid, _helpers())


def _helpers() -> tuple[str, str] | None:
    found: list[str] = []
    for name in ("newuidmap", "newgidmap"):
        for directory in HELPER_DIRECTORIES:
            if os.access(f"{directory}/{name}", os.X_OK):
                found.append(f"{directory}/{name}")
                break
    return (found[0], found[1]) if len(found) == len(("uid", "gid")) else None


def _read_map(name: str) -> tuple[Range, ...]:
    """Return the ranges of ids of our own user namespace."""
    lines = read_host(f"/proc/self/{name}").split(b"\n")
    fields = [line.split() for line in lines if line.strip()]
    return tuple((int(first), int(count)) for first, _, count in fields)


def _has_all(bits: int, names: tuple[str, ...]) -> bool:
    wanted = capability.mask(names)
    return bits & wanted == wanted


def read_host(path: str) -> bytes:
    """Return a file of the host, at most 4 MiB of it; nothing where there is none."""
    try:
        return read_bounded(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise_foreign(error)
        raise LaunchError(f"{path}: {error.strerror}") from error


def read_bounded(opened: int, limit: int = _FILE_LIMIT, *, line: bool = False) -> bytes:
    """Return what a descriptor, which is closed then, has: ``limit`` bytes, or its first line.

    In pieces: to read as much as the limit maps all the memory first. Raises OSError.
    """
    data = b""
    try:
        while len(data) < limit and (more := os.read(opened, _PIECE)):
            data += more
            if line and b"\n" in more:
                return data[:limit].partition(b"\n")[0]
    finally:
        os.close(opened)
    return data[:limit]
