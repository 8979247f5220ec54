"""Whose files are inside: where that is not what the tree's manifest says."""

from __future__ import annotations

import os

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import EntryKind
from rootgen.plan.manifest_reader import parse_manifest
from rootgen.sandbox.mounts import MANIFEST
from rootgen.sandbox.reading import Reading
from rootgen.sandbox.root_files import read_beneath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan
    from rootgen.sandbox.launch import IdMap, Launch

_LIMIT = 1 << 30  # a tree of a million entries has a manifest of 300 MB
_OVERFLOW = 65534  # what an id that the map has not is inside: nobody


def owner_notes(launch: Launch) -> list[str]:
    """Return what a person should know of owners: nothing where they are the manifest's.

    An ordinary user's files are all its own, and so are root's inside,
    whoever the manifest means them for (user_namespaces(7)).
    """
    data = read_beneath(launch.root, MANIFEST, _LIMIT)
    if data is None:
        return []
    try:
        plan = parse_manifest(data).plan
    except PlanError:
        return []  # what is wrong with it, check tells
    others = list(_others(launch, plan))
    if not others:
        return []
    first, uid, gid = others[0]
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    hint = "chown it inside" if launch.id_map is None else "launch as root a tree that root made"
    said = f"the manifest says {first.uid}:{first.gid}, inside it is {uid}:{gid}'s"
    return [f"{first.path}{more}: {said}; where that matters, {hint}"]


def _others(launch: Launch, plan: Plan) -> Iterator[tuple[Entry, int, int]]:
    """Yield the entries that are there and belong to others than is said, and to whom."""
    with Reading(launch.root) as reading:
        for entry in plan.entries():
            if entry.kind is EntryKind.SYMLINK:
                continue
            try:
                place = reading.open_beneath(entry.path)
            except OSError:
                continue  # not there, or something else: check tells
            facts = os.fstat(place)
            os.close(place)
            uid, gid = _inside(launch.id_map, facts.st_uid, facts.st_gid)
            if (uid, gid) != (entry.uid, entry.gid):
                yield entry, uid, gid


def _inside(id_map: IdMap | None, uid: int, gid: int) -> tuple[int, int]:
    if id_map is None:
        return uid, gid
    return _mapped(id_map.uids, uid), _mapped(id_map.gids, gid)


def _mapped(lines: Sequence[tuple[int, int, int]], number: int) -> int:
    for inside, outside, count in lines:
        if outside <= number < outside + count:
            return inside + number - outside
    return _OVERFLOW
