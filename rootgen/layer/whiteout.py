"""Which entries and which whiteouts make one Plan of another when unpacked over it.

OCI image-spec, layer.md: a layer holds what was added and changed, whole, and
for what was removed an empty file ``.wh.NAME`` beside where it was.
"""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.layer.difference import NOT_OF_THE_TARGET, difference
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Inline
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

WHITEOUT = ".wh."


class Layer(NamedTuple):
    """An increment: ``entries`` to write and ``removed`` paths to take away, each in order."""

    entries: tuple[Entry, ...]
    removed: tuple[str, ...]

    def members(self) -> tuple[Entry, ...]:
        """Return what an archive of the layer holds: the entries, and a file for each whiteout."""
        if not self.removed:
            return self.entries
        return tuple(Plan([*self.entries, *map(_whiteout, self.removed)]).entries())


def layer_of(base: Plan, new: Plan, *, ignoring: Collection[str] = ()) -> Layer:
    """Return the layer that makes ``new`` of ``base``.

    Both are in the form that a scan gives, with the SHA-256 of every file.
    ``ignoring`` are names of fields that may differ (``mtime`` for one).
    An entry that differs in anything is written whole: a layer has no other
    way to change a mode. With it go the directories that it is in, as an
    unpacker would otherwise make them up, and every name of its inode, as a
    hard link is made only to what the same archive holds.

    Raises PlanError for a file without a digest, and for a name beginning
    with ``.wh.`` among what is to be written or removed: it would be taken
    for a whiteout.
    """
    for plan in (base, new):
        _check_digests(plan)
    change = difference(base, new, ignoring=(*NOT_OF_THE_TARGET, *ignoring))
    wanted = {entry.path for entry in change.added}
    wanted.update(one.after.path for one in change.changed)
    wanted.update(_fellows(new, wanted))
    removed = tuple(entry.path for entry in change.removed if _is_topmost(entry.path, new))
    wanted.update(_parents([*wanted, *removed], new))
    _check_names((*wanted, *removed))
    return Layer(tuple(entry for entry in new.entries() if entry.path in wanted), removed)


def whole_layer(plan: Plan) -> Layer:
    """Return the layer that makes ``plan`` of nothing; its files need no digests.

    Raises PlanError for a name that would be taken for a whiteout.
    """
    _check_names(plan)
    return Layer(tuple(plan.entries()), ())


def _check_names(paths: Iterable[str]) -> None:
    for path in paths:
        if path.rpartition("/")[2].startswith(WHITEOUT):
            raise PlanError(
                f"{path} cannot be in a layer: its name says that something else is removed",
                why=("names that begin with .wh. are whiteouts (OCI image-spec, layer.md)",),
                hint="rename it",
            )


def _check_digests(plan: Plan) -> None:
    for entry in plan.files():
        if not entry.sha256:
            raise PlanError(f"{entry.path} has no digest yet: its content cannot be compared")


def _is_topmost(path: str, new: Plan) -> bool:
    """Tell whether nothing above ``path`` goes away with it: gone itself, or replaced."""
    above = new.get(path.rpartition("/")[0] or "/")
    return above is not None and above.kind is EntryKind.DIRECTORY


def _fellows(new: Plan, wanted: Collection[str]) -> Iterable[str]:
    """Return all names of the inodes of which some name is in ``wanted``."""
    links = [entry for entry in new.entries() if entry.kind is EntryKind.HARDLINK]
    touched = {entry.target for entry in links if entry.path in wanted or entry.target in wanted}
    return (*touched, *(entry.path for entry in links if entry.target in touched))


def _parents(paths: Iterable[str], new: Plan) -> set[str]:
    """Return the top and the directories that ``paths`` are in, so far as the Plan names them."""
    found = {"/"}
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return {path for path in found if path in new}


def _whiteout(path: str) -> Entry:
    parent, _, name = path.rpartition("/")
    return Entry(f"{parent}/{WHITEOUT}{name}", EntryKind.FILE, 0, content=Inline(b""))
