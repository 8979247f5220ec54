"""What an increment is made over: a root file system that is there already, as a Plan."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.plan.as_sysroot import PlanSysroot
    from rootgen.plan.manifest import Manifest

_REASON = (Reason(ReasonKind.BASE),)


class Base(NamedTuple):
    """A root file system to add to.

    ``plan`` has the SHA-256 of every file and no manifest's own file;
    ``programs`` are those that its manifest names, none where it has no
    manifest. ``root`` reads it.
    """

    name: str
    plan: Plan
    programs: tuple[str, ...]
    root: PlanSysroot


def explained(plan: Plan, manifest: Manifest | None) -> Plan:
    """Return ``plan`` with the reasons of its ``manifest``; what it does not name is the base's."""
    claimed = Plan() if manifest is None else manifest.plan
    entries = []
    for entry in plan.entries():
        claim = claimed.get(entry.path)
        reasons = claim.reasons if claim is not None and claim.reasons else _REASON
        entries.append(entry._replace(reasons=entry.reasons or reasons))
    return Plan(entries)


def replaced(base: Plan, entries: Iterable[Entry]) -> Plan:
    """Return ``base`` with ``entries`` in it, each a new inode where it replaces another.

    Where the first name of a file is replaced, its other names go on being
    the file that they were.
    """
    new = {entry.path: entry for entry in entries}
    promoted: dict[str, str] = {}
    merged: dict[str, Entry] = {}
    for entry in base.entries():
        if entry.path in new:
            continue
        if entry.kind is EntryKind.HARDLINK and entry.target in new:
            first = promoted.setdefault(entry.target, entry.path)
            whole = base[entry.target]._replace(path=entry.path, reasons=entry.reasons)
            other = whole if first == entry.path else entry._replace(target=first)
            merged[entry.path] = other
        else:
            merged[entry.path] = entry
    return Plan([*merged.values(), *new.values()])
