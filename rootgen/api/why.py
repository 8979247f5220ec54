"""``why``: the chain from a program to a file of a tree, by the tree's own manifest."""

from __future__ import annotations

import os
from itertools import pairwise

from rootgen.errors import MissingError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.entry import ReasonKind
from rootgen.report.chain import Step, Why
from rootgen.rootfs.scan import open_tree, tree_manifest
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan

# An entry with one of these is there for itself, the others because of another path.
_OWN = (
    ReasonKind.REQUESTED,
    ReasonKind.PROFILE,
    ReasonKind.ADDED,
    ReasonKind.SKELETON,
    ReasonKind.RECORD,
)


def why(root: str, path: str) -> Why:
    """Return why ``path`` is in the tree at the directory ``root``.

    ``path`` is absolute within the tree, its links are followed there; a
    bare name is one that a single entry has. Raises TreeError where there
    is no tree, PlanError for a malformed manifest, MissingError, with the
    nearest names, where nothing is at the path.
    """
    descriptor = open_tree(root)
    try:
        plan = tree_manifest(descriptor, root).plan
    finally:
        os.close(descriptor)
    within = DirectorySysroot(root)
    asked = _asked(path, plan)
    found = PlanSysroot(plan, within, within).lookup(asked)
    if found is not None and found.path in plan:
        entry = plan[found.path]
        links = [plan[link.path] for link in found.links]
    elif asked in plan:
        # A link that leads out of what the Plan has (to /proc, say).
        entry, links = plan[asked], []
    else:
        raise _nothing_there(root, asked, plan, within)
    return Why(asked, links, entry, _chains(plan, entry), _goes(plan, entry))


def _asked(path: str, plan: Plan) -> str:
    if "/" in path:
        return f"/{path.lstrip('/')}"
    named = [entry.path for entry in plan.entries() if entry.path.rpartition("/")[2] == path]
    if len(named) > 1:
        raise MissingError(
            f"{path} is the name of {len(named)} paths; which?", why=tuple(named[:8])
        )
    return named[0] if named else f"/{path}"


def _pairs(plan: Plan) -> Iterator[tuple[str, str]]:
    """Return an edge from each path to every path that is there because of it."""
    for entry in plan.entries():
        for reason in entry.reasons:
            if reason.kind not in _OWN and reason.by in plan and reason.by != entry.path:
                yield reason.by, entry.path


def _sources(plan: Plan, kinds: Sequence[ReasonKind]) -> list[str]:
    return [
        entry.path
        for entry in plan.entries()
        if any(reason.kind in kinds for reason in entry.reasons)
    ]


def _chains(plan: Plan, entry: Entry) -> list[list[Step]]:
    from rootgen.closure.view import chains  # networkx costs 140 ms

    pairs = list(_pairs(plan))
    # What was asked for tells more than what every tree has.
    found = chains(pairs, _sources(plan, _OWN[:-1]), entry.path)
    if not found:
        found = chains(pairs, _sources(plan, _OWN), entry.path)
    return [_steps(plan, chain) for chain in found]


def _steps(plan: Plan, chain: list[str]) -> list[Step]:
    first = plan[chain[0]]
    own = next((reason for reason in first.reasons if reason.kind in _OWN), first.reasons[0])
    steps = [Step(first.path, own)]
    for before, path in pairwise(chain):
        reason = next(
            one for one in plan[path].reasons if one.by == before and one.kind not in _OWN
        )
        steps.append(Step(path, reason))
    return steps


def _goes(plan: Plan, entry: Entry) -> list[Entry]:
    from rootgen.closure.view import only_through

    gone = only_through([*_pairs(plan), (entry.path, entry.path)], _sources(plan, _OWN), entry.path)
    return [one for one in plan.entries() if one.path in gone and one.path != entry.path]


def _nothing_there(root: str, path: str, plan: Plan, within: DirectorySysroot) -> MissingError:
    if within.lookup(path) is not None or within.node(path) is not None:
        return MissingError(
            f"{path} is not in the manifest of {root}: it came there after the tree was made",
            hint=f"rootgen check {root}",
        )
    from difflib import get_close_matches  # only on the way to an error

    name = path.rpartition("/")[2][:64]
    names: dict[str, str] = {}
    for entry in plan.entries():
        names.setdefault(entry.path.rpartition("/")[2], entry.path)
    near = [names[one] for one in get_close_matches(name, names, n=3, cutoff=0.6)]
    hint = f"did you mean {', '.join(near)}?" if near else ""
    return MissingError(f"{path} is not in {root}", hint=hint)
