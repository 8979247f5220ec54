"""What a layer takes for granted of what is beneath it, held against something else beneath.

A layer says *replace what is at this path*, *take this away*, *put this into
that directory*. Over another base the same bytes may say something else: into
a directory that has become a symbolic link, over a file that has been renewed.
"""

from __future__ import annotations

from enum import Enum

from rootgen.layer.difference import FIELD_WORDS
from rootgen.layer.read import Whiteout
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.entry import EntryKind
from rootgen.sysroot.memory import MemorySysroot
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rootgen.layer.read import Archive
    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan

_DIRECTORY = EntryKind.DIRECTORY
_CONTENT = ("sha256", "target", "device")
_METADATA = ("mode", "uid", "gid", "xattrs")


class Weight(Enum):
    """What comes of it."""

    CONFLICT = "conflict"  # the layer would do something else than it did
    TOLD = "told"  # it does what it did, and a person may want to know over what


class Reliance(NamedTuple):
    """One path at which it matters that something else is beneath a layer now."""

    path: str
    what: str
    weight: Weight


def reliances(
    layer: Archive, old: Plan, new: Plan, *, ignoring: Collection[str] = ()
) -> Iterator[Reliance]:
    """Give what ``layer``, which lay over ``old``, meets otherwise over ``new``.

    Files of both Plans have their digests. ``ignoring`` are paths of which
    nothing is said.
    """
    reading = _Reading(_Beneath(old), _Beneath(new))
    for member in layer.members:
        if isinstance(member, Whiteout):
            found = reading.of_whiteout(member)
        else:
            found = reading.of_entry(member.entry)
        if found is not None and found.path not in ignoring:
            yield found


class _Beneath:
    """A Plan that a layer lies over."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._root: PlanSysroot | None = None

    def place(self, path: str) -> tuple[str | None, str]:
        """Return where a member called ``path`` is put, and what decides it.

        None where that is in no directory. The second is the nearest path
        above that is there.
        """
        parent, _, name = path.rpartition("/")
        above = parent
        while above and above not in self._plan:
            above = above.rpartition("/")[0]
        if not above or self._plan[above].kind is _DIRECTORY:
            return path, above or "/"
        if self._root is None:
            nothing = MemorySysroot({}, {})
            self._root = PlanSysroot(self._plan, nothing, nothing)
        found = self._root.lookup(above)
        if found is None or found.node.kind is not Kind.DIRECTORY:
            return None, above
        return f"{found.path.rstrip('/')}{parent[len(above) :]}/{name}", above

    def entry(self, path: str | None) -> Entry | None:
        """Return what is at ``path``; of hard links what they are."""
        entry = None if path is None else self._plan.get(path)
        if entry is not None and entry.kind is EntryKind.HARDLINK:
            return self._plan[entry.target]._replace(path=entry.path)
        return entry

    def noun(self, path: str) -> str:
        """Say what is at ``path``."""
        entry = self._plan.get(path)
        return "nothing" if entry is None else _noun(entry)


class _Reading:
    """One layer being read, member by member."""

    def __init__(self, old: _Beneath, new: _Beneath) -> None:
        self._old = old
        self._new = new
        self._brought: dict[str, Entry] = {}

    def of_whiteout(self, whiteout: Whiteout) -> Reliance | None:
        """Judge what is taken away."""
        path = whiteout.path
        moved = self._moved(path)
        if moved is not None:
            return moved
        before, now = self._both(path)
        if whiteout.opaque:
            if now is None or now.kind is _DIRECTORY:
                return None
            return _conflict(path, f"what is in it is hidden, and it is {_noun(now)} now")
        if now is None:
            return None if before is None else _told(path, "is removed, and is not there any more")
        if before is None:
            return _told(path, "is removed, which was not there before")
        if (before.kind is _DIRECTORY) is not (now.kind is _DIRECTORY):
            return _conflict(path, f"is removed: it was {_noun(before)}, and is {_noun(now)} now")
        return None

    def of_entry(self, entry: Entry) -> Reliance | None:
        """Judge what is put somewhere."""
        path = entry.path
        if path == "/":
            return None
        moved = self._moved(path)
        if moved is not None:
            return moved
        if entry.kind is EntryKind.HARDLINK:
            fellow = self._brought.get(entry.target)
            if fellow is None:
                return self._of_link(entry)
            entry = fellow._replace(path=path)
        self._brought[path] = entry
        before, now = self._both(path)
        if now is None:
            return self._of_lost(entry, before)
        if before is None or before.kind is not now.kind:
            return _of_another_kind(entry, before, now)
        return _of_the_same_kind(entry, before, now)

    def _both(self, path: str) -> tuple[Entry | None, Entry | None]:
        return (
            self._old.entry(self._old.place(path)[0]),
            self._new.entry(self._new.place(path)[0]),
        )

    def _moved(self, path: str) -> Reliance | None:
        """Tell a path that leads elsewhere now, through what its directories have become."""
        was, by = self._old.place(path)
        now, above = self._new.place(path)
        if was == now:
            return None
        if was is None:
            return _conflict(path, f"was in no directory: {by} was {self._old.noun(by)}")
        if any(one in self._brought for one in _above(path)):
            return None  # the layer's own directory stands in the way, which was told
        what = self._new.noun(above)
        if now is None:
            return _conflict(path, f"would be in no directory: {above} is {what} now")
        return _conflict(path, f"would be put at {now}: {above} is {what} now")

    def _of_link(self, entry: Entry) -> Reliance | None:
        """Judge a hard link to what the layer does not bring."""
        before, now = self._both(entry.target)
        if now is None or now.kind is _DIRECTORY:
            return _conflict(entry.path, f"is a hard link to {entry.target}, which is not there")
        if before is None or _fields(before, now, _CONTENT):
            return _told(entry.path, f"is a hard link to {entry.target}, which is another file now")
        return None

    def _of_lost(self, entry: Entry, before: Entry | None) -> Reliance | None:
        if before is None or entry.kind is _DIRECTORY or _fields(entry, before, _CONTENT):
            return None
        return _told(entry.path, "stays as the old base had it; the new one has it no more")


def _of_another_kind(entry: Entry, before: Entry | None, now: Entry) -> Reliance | None:
    if entry.kind is _DIRECTORY and now.kind is not _DIRECTORY:
        return _conflict(entry.path, f"is a directory, and is {_noun(now)} in the new base")
    if entry.kind is not _DIRECTORY and now.kind is _DIRECTORY:
        return _conflict(entry.path, f"is {_noun(entry)}, and is a directory in the new base")
    if entry.kind is now.kind and not _fields(entry, now, _CONTENT):
        return None
    was = "nothing" if before is None else _noun(before)
    return _told(entry.path, f"hides {_noun(now)} of the new base; the old one had {was} there")


def _of_the_same_kind(entry: Entry, before: Entry, now: Entry) -> Reliance | None:
    """Judge what goes over what both bases have, perhaps not the same."""
    if entry.kind is not now.kind or entry.kind is not _DIRECTORY:
        if not _fields(before, now, _CONTENT):
            return _of_metadata(entry, before, now)
        if entry.kind is now.kind and not _fields(entry, now, _CONTENT):
            return None
        if entry.kind is before.kind and not _fields(entry, before, _CONTENT):
            return _told(entry.path, "brings the old base's back; the new one has another")
        return _told(entry.path, "hides the new base's, which is another than the old one's")
    return _of_metadata(entry, before, now)


def _of_metadata(entry: Entry, before: Entry, now: Entry) -> Reliance | None:
    if entry.kind is not now.kind or _fields(entry, now, _CONTENT):
        return None
    back = [
        name
        for name in _fields(before, now, _METADATA)
        if name not in _fields(entry, before, _METADATA)
    ]
    if not back:
        return None
    words = ", ".join(FIELD_WORDS.get(name, name) for name in back)
    return _told(entry.path, f"brings the old base's {words} back")


def _fields(one: Entry, other: Entry, names: Collection[str]) -> list[str]:
    """Return which of the fields ``names`` differ."""
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _noun(entry: Entry) -> str:
    if entry.kind is EntryKind.SYMLINK:
        return f"a symbolic link to {entry.target}"
    return Kind.FILE.noun() if entry.kind is EntryKind.HARDLINK else Kind(entry.kind.value).noun()


def _conflict(path: str, what: str) -> Reliance:
    return Reliance(path, what, Weight.CONFLICT)


def _told(path: str, what: str) -> Reliance:
    return Reliance(path, what, Weight.TOLD)
