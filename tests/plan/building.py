"""Plans out of drawn roots, for the tests of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rootgen.plan.as_sysroot import PlanSysroot, Union
from rootgen.plan.collect import Collection
from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.plan.plan import Plan
from rootgen.profile.model import FileRule, Place
from rootgen.sysroot.memory import draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rootgen.sysroot.port import Sysroot

NOTHING = draw("")
WANTED = Reason(ReasonKind.REQUESTED, "", "x")


def union(root: Sysroot, entries: Iterable[Entry] = ()) -> Union:
    """Lay ``entries`` over ``root``."""
    return Union(PlanSysroot(Plan(entries), root, NOTHING), root)


def collection(root: Sysroot, upper: Mapping[str, Entry] | None = None) -> Collection:
    """Begin a collection out of ``root``, with entries of our own over it."""
    own = dict(upper or {})
    return Collection(union(root, own.values()), own, None)


def collected(root: Sysroot, *paths: str) -> Plan:
    """Return the Plan of what ``paths`` lead to in ``root``."""
    into = collection(root)
    for path in paths:
        found = root.lookup(path)
        assert found is not None, path
        into.add(found, WANTED)
    return into.plan()


def directory(path: str, mode: int = 0o755) -> Entry:
    """Return an entry for a directory."""
    return Entry(path, EntryKind.DIRECTORY, mode)


def text(path: str, content: str = "ours") -> Entry:
    """Return an entry for a file of our own."""
    data = content.encode()
    return Entry(path, EntryKind.FILE, 0o644, size=len(data), content=Inline(data))


def rule(path: str, **fields: Any) -> FileRule:
    """Return a rule of profile ``p``, line 3."""
    return FileRule(path, "p", Place("p.yaml", 3, 5))._replace(**fields)


def shown(plan: Plan) -> dict[str, str]:
    """Return each path with what stands there: its kind, its target, its mode."""
    return {
        entry.path: f"{entry.kind.value} {entry.target or format(entry.mode, 'o')}"
        for entry in plan.entries()
    }
