"""Which ids a user namespace has (user_namespaces(7), subuid(5))."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.launch import IdMap

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELDS = 3
_RANGES_LIMIT = 100  # newuidmap(1) and the kernel (340 lines) take more; nobody has them
_ID_END = 2**32 - 1

Range = tuple[int, int]


class Caller(NamedTuple):
    """Who calls, and what would map a whole range of ids for it.

    ``uids`` and ``gids`` are the ranges of its own user namespace, where it
    is root there and may map them all; empty for anybody else. Then
    ``setgroups`` says whether setgroups(2) is not forbidden there.
    """

    uid: int
    gid: int
    name: str = ""
    subuid: bytes = b""
    subgid: bytes = b""
    helpers: tuple[str, str] | None = None
    uids: tuple[Range, ...] = ()
    gids: tuple[Range, ...] = ()
    setgroups: bool = True


def choose_id_map(caller: Caller) -> IdMap:
    """Map 0 to the caller, and 1 and on to its subordinate ids where it has some.

    As podman does, so that a tree that the caller owns is root's inside.
    Without subordinate ids, or without newuidmap and newgidmap, the one id
    is all there is, and setgroups(2) has to be denied. Root of another
    container keeps every id that it has there.
    """
    if caller.uids and caller.gids:
        same_uids, same_gids = (
            tuple((first, first, count) for first, count in ranges)
            for ranges in (caller.uids, caller.gids)
        )
        return IdMap(same_uids, same_gids, deny_setgroups=not caller.setgroups)
    uids = subordinate_ranges(caller.subuid, caller.name, caller.uid)
    gids = subordinate_ranges(caller.subgid, caller.name, caller.uid)
    if caller.helpers is None or not uids or not gids:
        return IdMap(((0, caller.uid, 1),), ((0, caller.gid, 1),), deny_setgroups=True)
    return IdMap(_lines(caller.uid, uids), _lines(caller.gid, gids), caller.helpers)


def subordinate_ranges(content: bytes, name: str, uid: int) -> tuple[Range, ...]:
    """Return the (first, count) ranges that subuid(5) gives a user, by name or by number.

    Malformed lines give nothing.
    """
    owners = {str(uid).encode(), name.encode()} - {b""}
    ranges: list[Range] = []
    for line in content.splitlines():
        fields = line.split(b":")
        if len(fields) != _FIELDS or fields[0] not in owners:
            continue
        if not (fields[1].isdigit() and fields[2].isdigit()):
            continue
        first, count = int(fields[1]), int(fields[2])
        if count and first + count <= _ID_END:
            ranges.append((first, count))
    return tuple(ranges[:_RANGES_LIMIT])


def is_mapped(number: int, lines: Sequence[tuple[int, int, int]]) -> bool:
    """Say whether a map has an id for ``number`` inside."""
    return any(inside <= number < inside + count for inside, _, count in lines)


def _lines(own: int, ranges: Sequence[Range]) -> tuple[tuple[int, int, int], ...]:
    lines = [(0, own, 1)]
    inside = 1
    for first, count in ranges:
        lines.append((inside, first, count))
        inside += count
    return tuple(lines)
