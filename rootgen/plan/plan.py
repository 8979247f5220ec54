"""The Plan: every path of a target, in order, as one immutable value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from rootgen.errors import PlanError
from rootgen.plan.entry import Entry, EntryKind


class Plan(Mapping[str, Entry]):
    """A sorted, immutable mapping from absolute target path to Entry.

    The order is by path components, so that a directory stands before what
    is in it. The root directory itself is the entry ``/``.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Sort ``entries``; raise PlanError where two share a path."""
        ordered = sorted(entries, key=plan_order)
        self._entries = {entry.path: entry for entry in ordered}
        if len(self._entries) < len(ordered):
            twice = next(one.path for one, other in pairwise(ordered) if one.path == other.path)
            raise PlanError(f"two entries for {twice}")

    def __getitem__(self, path: str) -> Entry:
        """Return the entry at ``path``."""
        return self._entries[path]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths in order."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        """Compare entry by entry."""
        if not isinstance(other, Plan):
            return NotImplemented
        return self._entries == other._entries

    def __hash__(self) -> int:
        """Hash by the entries; a Plan is a value."""
        return hash(tuple(self._entries.values()))

    def __repr__(self) -> str:
        """Show the size, not the content."""
        return f"<Plan of {len(self)} entries>"

    def entries(self) -> Iterable[Entry]:
        """Return the entries in order."""
        return self._entries.values()

    def files(self) -> Iterable[Entry]:
        """Return the regular files in order."""
        return (entry for entry in self._entries.values() if entry.kind is EntryKind.FILE)


def plan_order(entry: Entry) -> tuple[str, ...]:
    """Return what the entries of a Plan are ordered by."""
    return tuple(entry.path.split("/")) if entry.path != "/" else ("",)
