"""Collecting entries: what is found in a root becomes entries with reasons, in any order.

The value that comes out does not depend on the order of what went in:
reasons are sorted, parents and hard links are settled at the end.
"""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import (
    HOST_ATTRIBUTES,
    Entry,
    EntryKind,
    FromSysroot,
    Reason,
    ReasonKind,
    hard_link,
)
from rootgen.plan.plan import Plan
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rootgen.plan.as_sysroot import Union
    from rootgen.sysroot.port import Found, Node

_REASON_ORDER = {kind: number for number, kind in enumerate(ReasonKind)}


class Skipped(NamedTuple):
    """Something that a rule covers and a Plan cannot hold, and why."""

    path: str
    why: str


class Collection:
    """Entries being collected out of ``root``; ``plan()`` gives the value.

    ``upper`` are the entries that are not read from the root (texts,
    additions); ``epoch`` clamps times: None keeps the files' own, and gives
    0 to what has none.
    """

    def __init__(self, root: Union, upper: Mapping[str, Entry], epoch: int | None) -> None:
        """Start empty."""
        self.root = root
        self.skipped: list[Skipped] = []
        self._upper = upper
        self._epoch = epoch
        self._entries: dict[str, Entry] = {}
        self._reasons: dict[str, dict[Reason, None]] = {}
        self._identities: dict[tuple[int, int], list[str]] = {}

    def add(self, found: Found, reason: Reason) -> None:
        """Add what a lookup found, and every link on the way to it."""
        self.add_node(found.path, found.node, reason)
        for link in found.links:
            node = self.root.node(link.path)
            if node is not None:
                self.add_node(link.path, node, Reason(ReasonKind.LINK, found.path))

    def add_node(self, path: str, node: Node, reason: Reason) -> None:
        """Add what stands at the real path ``path``; sockets are skipped with a note."""
        if node.kind is Kind.SOCKET:
            self.skipped.append(Skipped(path, "a socket: its server makes it anew"))
            return
        known = self._entries.get(path)
        if known is None:
            self._entries[path] = self._entry(path, node)
            if node.kind is Kind.FILE and node.nlink > 1 and path not in self._upper:
                self._identities.setdefault(node.identity, []).append(path)
        elif _permissions(known) != _permissions(node):
            # A rule gives it other ones than the root does, and prevails whoever came first.
            own = self.root.node(path)
            if own is None or _permissions(own) != _permissions(node):
                self._entries[path] = known._replace(mode=node.mode, uid=node.uid, gid=node.gid)
        self._reasons.setdefault(path, {})[reason] = None

    def add_entry(self, entry: Entry) -> None:
        """Add an entry of our own; what is already at its path stays, with more reasons.

        Raises PlanError where the two are not of one kind.
        """
        known = self._entries.setdefault(entry.path, self._clamped(entry))
        if known.kind is not entry.kind:
            raise PlanError(
                f"{entry.path} would be a {known.kind.value} and a {entry.kind.value} at once"
            )
        for reason in entry.reasons:
            self._reasons.setdefault(entry.path, {})[reason] = None

    def set_entry(self, entry: Entry) -> None:
        """Add an entry of our own that prevails over what was read at its path.

        A directory leaves a symbolic link that leads to one: what is meant
        is where it leads.
        """
        known = self._entries.get(entry.path)
        if known is not None and known.kind is not entry.kind:
            found = self.root.lookup(entry.path)
            both = (known.kind, entry.kind) == (EntryKind.SYMLINK, EntryKind.DIRECTORY)
            if both and found is not None and found.node.kind is Kind.DIRECTORY:
                for reason in entry.reasons:
                    self.add(found, reason)
                self.set_entry(entry._replace(path=found.path))
                return
        if known is not None and known.kind is entry.kind:
            self._entries[entry.path] = known._replace(
                mode=entry.mode, uid=entry.uid, gid=entry.gid
            )
        self.add_entry(entry)

    def reasons(self, path: str) -> list[Reason]:
        """Return the reasons collected so far for ``path``."""
        return list(self._reasons.get(path, ()))

    def paths(self) -> Iterable[str]:
        """Return the paths collected so far."""
        return self._entries.keys()

    def plan(self) -> Plan:
        """Return the Plan: parents added, hard links settled, reasons sorted."""
        self._add_parents()
        links = self._hard_links()
        return Plan(self._settled(links.get(path, entry)) for path, entry in self._entries.items())

    def _entry(self, path: str, node: Node) -> Entry:
        known = self._upper.get(path)
        if known is not None:
            return self._clamped(known)
        kind = EntryKind(node.kind.value)
        is_file = node.kind is Kind.FILE
        return Entry(
            path,
            kind,
            node.mode,
            node.uid,
            node.gid,
            self._time(None if node.kind is Kind.DIRECTORY else node.mtime),
            node.size if is_file else 0,
            FromSysroot(path) if is_file else None,
            node.target,
            node.device if kind in {EntryKind.CHARACTER, EntryKind.BLOCK} else (0, 0),
            self._attributes(path) if node.kind in {Kind.FILE, Kind.DIRECTORY} else (),
        )

    def _attributes(self, path: str) -> tuple[tuple[str, bytes], ...]:
        return tuple(
            pair for pair in self.root.xattrs(path) if not pair[0].startswith(HOST_ATTRIBUTES)
        )

    def _clamped(self, entry: Entry) -> Entry:
        return entry._replace(mtime=self._time(entry.mtime or None))

    def _time(self, mtime: int | None) -> int:
        if mtime is None:
            return self._epoch or 0
        return mtime if self._epoch is None else min(mtime, self._epoch)

    def _add_parents(self) -> None:
        for path in sorted(self._entries):
            child, parent = path, path.rpartition("/")[0]
            while parent and parent not in self._entries:
                node = self.root.node(parent)
                entry = Entry(parent, EntryKind.DIRECTORY, 0o755)
                if node is not None and node.kind is Kind.DIRECTORY:
                    entry = self._entry(parent, node)
                self._entries[parent] = self._clamped(entry._replace(mtime=0))
                self._reasons[parent] = {Reason(ReasonKind.PARENT, child): None}
                child, parent = parent, parent.rpartition("/")[0]
            if parent and self._entries[parent].kind is not EntryKind.DIRECTORY:
                kind = self._entries[parent].kind.value
                message = f"{child} would be beneath {parent}, which is a {kind}"
                raise PlanError(message)

    def _hard_links(self) -> dict[str, Entry]:
        links: dict[str, Entry] = {}
        groups: dict[tuple[object, ...], list[str]] = {}
        for identity, paths in self._identities.items():
            for path in paths:
                # One inode has one mode and one owner: where a rule parts them, they are two.
                key = (identity, _permissions(self._entries[path]))
                groups.setdefault(key, []).append(path)
        for paths in groups.values():
            # The order of a Plan: a link stands after what it links to.
            first, *others = sorted(paths, key=lambda path: path.split("/"))
            for path in others:
                links[path] = hard_link(self._entries[path], first)
        return links

    def _settled(self, entry: Entry) -> Entry:
        reasons = sorted(
            self._reasons.get(entry.path, ()),
            key=lambda reason: (_REASON_ORDER[reason.kind], reason.by, reason.detail),
        )
        return entry._replace(reasons=tuple(reasons))


def _permissions(thing: Entry | Node) -> tuple[int, int, int]:
    return thing.mode, thing.uid, thing.gid
