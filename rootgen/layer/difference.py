"""The difference of two Plans, as a value."""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# What the target does not have: why an entry is there, and where its bytes were.
NOT_OF_THE_TARGET = ("content", "reasons")
# What the digest of a Plan leaves out as well (DESIGN, rule 5).
NOT_OF_THE_DIGEST = (*NOT_OF_THE_TARGET, "mtime")


class Change(NamedTuple):
    """One path that both Plans have: its two entries, and the names of the fields that differ."""

    before: Entry
    after: Entry
    fields: tuple[str, ...]


class Difference(NamedTuple):
    """What makes one Plan of another; each part in the order of a Plan."""

    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    changed: tuple[Change, ...] = ()

    def is_empty(self) -> bool:
        """Tell whether the two Plans are the same."""
        return not (self.added or self.removed or self.changed)


def difference(base: Plan, new: Plan, *, ignoring: Collection[str] = ()) -> Difference:
    """Return what ``new`` has added to, removed from and changed in ``base``.

    ``ignoring`` are names of fields that may differ.
    """
    compared = [(number, name) for number, name in enumerate(Entry._fields) if name not in ignoring]
    changed: list[Change] = []
    for entry in new.entries():
        before = base.get(entry.path)
        if before is None or before == entry:
            continue
        fields = tuple(name for number, name in compared if before[number] != entry[number])
        if fields:
            changed.append(Change(before, entry, fields))
    return Difference(
        tuple(entry for entry in new.entries() if entry.path not in base),
        tuple(entry for entry in base.entries() if entry.path not in new),
        tuple(changed),
    )


def apply(base: Plan, change: Difference) -> Plan:
    """Return ``base`` with ``change`` made to it.

    Raises PlanError where ``base`` is not what the difference was taken from.
    """
    gone = {entry.path for entry in change.removed}
    altered = {one.after.path: one.after for one in change.changed}
    unknown = sorted((gone | altered.keys()) - base.keys())
    if unknown:
        raise PlanError(f"the difference is of another plan: {unknown[0]} is not in this one")
    kept = (entry for entry in base.entries() if entry.path not in gone)
    return Plan([*(altered.get(entry.path, entry) for entry in kept), *change.added])


def change_words(change: Difference) -> Iterator[str]:
    """Say each path and what became of it, in the order of paths within each part."""
    yield from (f"{entry.path} is gone" for entry in change.removed)
    yield from (f"{entry.path} was added" for entry in change.added)
    yield from (
        f"{one.after.path}: {', '.join(FIELD_WORDS.get(field, field) for field in one.fields)}"
        " changed"
        for one in change.changed
    )


FIELD_WORDS = {
    "uid": "owner",
    "gid": "group",
    "mtime": "time",
    "sha256": "content",
    "xattrs": "attributes",
    "device": "device number",
}
