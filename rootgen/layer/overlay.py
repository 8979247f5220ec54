"""A layer as one directory of an overlayfs stack: what is in it, and what it hides of those below.

Documentation/filesystems/overlayfs.rst: a *whiteout* hides a name of the
directories below; an *opaque* directory hides all that they have in it.
"""

from __future__ import annotations

from rootgen.layer.apply import apply_layer
from rootgen.layer.read import Whiteout
from rootgen.layer.whiteout import layer_of
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from rootgen.layer.read import Archive

_TOP = Entry("/", EntryKind.DIRECTORY, 0o755)


class Overlay(NamedTuple):
    """What a directory of a stack holds.

    ``plan`` has the top, and each directory that anything is in. ``removed``
    are the paths of whiteouts, ``opaque`` directories of the plan.
    ``says_top``: the layer itself says what the top is like; else that is as
    it is in the layers below.
    """

    plan: Plan
    removed: tuple[str, ...] = ()
    opaque: frozenset[str] = frozenset()
    says_top: bool = True


def overlay_of(archive: Archive) -> Overlay | None:
    """Return what a layer is by itself, or None where that depends on what is below.

    It does where the layer does not itself say what the directories are that
    its members are in (they may be links below, or of another mode), where a
    hard link is to a file of below, and where one path is made twice, as
    different things. Raises LayerError.
    """
    seen: dict[str, EntryKind] = {"/": EntryKind.DIRECTORY}
    whiteouts: list[Whiteout] = []
    for member in archive.members:
        if isinstance(member, Whiteout):
            if not _has_place(member, seen):
                return None
            whiteouts.append(member)
            continue
        if not _stands_alone(member.entry, seen):
            return None
        seen[member.entry.path] = member.entry.kind
    plan = apply_layer(Plan(), archive)
    says_top = any(
        not isinstance(one, Whiteout) and one.entry.path == "/" for one in archive.members
    )
    removed = sorted({one.path for one in whiteouts if one.path not in plan and not one.opaque})
    opaque = frozenset(
        one.path for one in whiteouts if one.path in plan and _is_directory(plan, one.path)
    )
    return Overlay(_with_top(plan), tuple(removed), opaque, says_top)


def overlay_over(below: Plan, archive: Archive) -> Overlay:
    """Return what a layer is over ``below``, whose files have digests; raise LayerError.

    A file of it without ``content`` is one of below: of those that are one
    inode, some names have changed.
    """
    layer = layer_of(below, apply_layer(below, archive))
    return Overlay(_with_top(Plan(layer.entries)), layer.removed)


def _stands_alone(entry: Entry, seen: dict[str, EntryKind]) -> bool:
    parent = entry.path.rpartition("/")[0] or "/"
    if seen.get(parent) is not EntryKind.DIRECTORY:
        return False
    if entry.kind is EntryKind.HARDLINK:
        target = seen.get(entry.target)
        if target is None or target is EntryKind.DIRECTORY:
            return False
    before = seen.get(entry.path)
    return before is None or (before is EntryKind.DIRECTORY) == (entry.kind is EntryKind.DIRECTORY)


def _has_place(whiteout: Whiteout, seen: dict[str, EntryKind]) -> bool:
    """Tell whether the layer had the directory that a whiteout is in, or is about, before it."""
    if whiteout.opaque:
        # Of the top of a directory overlayfs does not ask whether it is opaque.
        return whiteout.path != "/" and seen.get(whiteout.path) is EntryKind.DIRECTORY
    parent = whiteout.path.rpartition("/")[0] or "/"
    return seen.get(parent) is EntryKind.DIRECTORY


def _is_directory(plan: Plan, path: str) -> bool:
    return plan[path].kind is EntryKind.DIRECTORY


def _with_top(plan: Plan) -> Plan:
    return plan if "/" in plan else Plan([_TOP, *plan.entries()])
