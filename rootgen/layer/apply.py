"""A layer applied to a Plan: what a container engine would have on disk after unpacking it.

OCI image-spec, layer.md, "Applying Changesets": entries replace what is at
their paths (a directory over a directory keeps what is in it), whiteouts take
away what lower layers had. A name whose directory is reached through symbolic
links lands where they lead within the root, as in containerd and umoci.
"""

from __future__ import annotations

from rootgen.errors import LayerError, PlanError
from rootgen.layer.read import Whiteout
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, hard_link
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Collection

    from rootgen.layer.read import Archive
    from rootgen.plan.entry import Reason

_MOST_LINKS = 40  # path_resolution(7)


def apply_layer(base: Plan, layer: Archive, *, reasons: tuple[Reason, ...] = ()) -> Plan:
    """Return the Plan that ``base`` is after ``layer`` was unpacked over it.

    ``base`` may be empty: any tarball is a layer over nothing. What the
    layer leaves as it was keeps its reasons and its content; what it brings
    has ``reasons``. Of hard links the first name in order is the file.

    Raises LayerError for a member in a directory that is none, a hard link
    to what is not there, and links without end.
    """
    root = _Root(base, reasons)
    for member in layer.members:
        if isinstance(member, Whiteout):
            root.remove(member)
        else:
            root.put(member.entry)
    return root.plan()


class _Inode:
    """What one or more names are; ``entry`` has the path of any of them."""

    __slots__ = ("entry",)

    def __init__(self, entry: Entry) -> None:
        self.entry = entry


class _Root:
    """Paths and the inodes that they name, as members change them one by one."""

    def __init__(self, base: Plan, reasons: tuple[Reason, ...]) -> None:
        self._reasons = reasons
        self._inodes: dict[str, _Inode] = {}
        self._below: dict[str, set[str]] = {}
        # What this layer brought: its whiteouts are about the layers beneath.
        self._upper: set[str] = set()
        self._cleared: set[str] = set()
        for entry in base.entries():
            if entry.kind is not EntryKind.HARDLINK:
                self._name(entry.path, _Inode(entry))
        for entry in base.entries():
            if entry.kind is EntryKind.HARDLINK:
                if entry.target not in self._inodes:
                    raise PlanError(f"{entry.path} is a hard link to {entry.target}, not there")
                self._name(entry.path, self._inodes[entry.target])

    def put(self, entry: Entry) -> None:
        """Make ``entry``, replacing what is at its path."""
        path = self._place(entry.path)
        if entry.kind is EntryKind.HARDLINK:
            self._link(entry, path)
            return
        entry = entry._replace(path=path, reasons=self._reasons)
        old = self._inodes.get(path)
        is_directory = entry.kind is EntryKind.DIRECTORY
        if old is not None and is_directory and old.entry.kind is EntryKind.DIRECTORY:
            if entry != old.entry._replace(content=None, reasons=self._reasons):
                old.entry = entry
        else:
            self._take_away(path)
            inode = _Inode(entry)
            if old is not None and entry == old.entry._replace(
                path=path, content=None, reasons=self._reasons
            ):
                # The same again: a new inode, and the old reasons.
                inode.entry = old.entry._replace(path=path)
            self._name(path, inode)
        self._upper.add(path)

    def remove(self, whiteout: Whiteout) -> None:
        """Take away what the layers beneath have at or in the path."""
        parent, _, name = whiteout.path.rpartition("/")
        above = self._real(whiteout.path if whiteout.opaque else parent or "/")
        if above is None or self._kind(above) is not EntryKind.DIRECTORY:
            return
        path = above if whiteout.opaque else _join(above, name)
        if whiteout.opaque or path in self._upper:
            self._clear(path)
        else:
            self._take_away(path)

    def _clear(self, path: str) -> None:
        """Take away all beneath ``path`` that is of lower layers; what they cannot bring again.

        A directory of theirs in which this layer has something stays.
        """
        found = self._subtree(path, self._cleared)
        self._cleared.add(path)
        for one in reversed(found):
            if one not in self._upper and not self._below.get(one):
                self._take_away(one)

    def plan(self) -> Plan:
        """Return what is there now."""
        if self._inodes and "/" not in self._inodes:
            self._imply("/")
        names: dict[int, list[str]] = {}
        for path, inode in self._inodes.items():
            if inode.entry.kind is EntryKind.FILE:
                names.setdefault(id(inode), []).append(path)
        entries = []
        firsts = {
            identity: min(paths, key=lambda path: path.split("/"))
            for identity, paths in names.items()
            if len(paths) > 1
        }
        for path, inode in self._inodes.items():
            entry = inode.entry if inode.entry.path == path else inode.entry._replace(path=path)
            first = firsts.get(id(inode), path)
            entries.append(entry if first == path else hard_link(entry, first))
        return Plan(entries)

    def _link(self, entry: Entry, path: str) -> None:
        target = self._place(entry.target)
        inode = self._inodes.get(target)
        if inode is None or inode.entry.kind is EntryKind.DIRECTORY or target == path:
            what = "itself" if target == path else f"{entry.target}, which is no file there"
            raise LayerError(f"{entry.path} of the archive is a hard link to {what}")
        self._take_away(path)
        if inode.entry.kind is EntryKind.FILE:
            self._name(path, inode)
        else:
            # A Plan names a link or a device once for each path.
            self._name(path, _Inode(inode.entry._replace(path=path)))
        self._upper.add(path)

    def _place(self, path: str) -> str:
        """Return the real path that a member called ``path`` is put at, making its directories."""
        if path == "/":
            return path
        parent, _, name = path.rpartition("/")
        if not parent or self._kind(parent) is EntryKind.DIRECTORY:
            return path
        real = self._real(parent, make=True)
        if real is None or self._kind(real) is not EntryKind.DIRECTORY:
            raise LayerError(
                f"{path} of the archive is in no directory",
                why=(f"{parent} is something else, or a link that leads nowhere",),
            )
        return _join(real, name)

    def _real(self, path: str, *, make: bool = False) -> str | None:
        """Return where ``path`` leads, its links resolved within the root; None: nowhere.

        With ``make``, directories that are lacking are made on the way.
        """
        pending = path.split("/")[::-1]
        real, links = "/", 0
        while pending:
            name = pending.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                real = real.rpartition("/")[0] or "/"
                continue
            candidate = _join(real, name)
            inode = self._inodes.get(candidate)
            if inode is None and make and self._kind(real) in {EntryKind.DIRECTORY, None}:
                self._imply(candidate)
            elif inode is None:
                return None
            elif inode.entry.kind is EntryKind.SYMLINK:
                links += 1
                if links > _MOST_LINKS:
                    raise LayerError(f"{path} of the archive leads through links without end")
                target = inode.entry.target
                real = "/" if target.startswith("/") else real
                pending.extend(target.split("/")[::-1])
                continue
            real = candidate
        return real

    def _imply(self, path: str) -> None:
        """Make a directory that no member made, as engines do: mode 0755, of root."""
        entry = Entry(path, EntryKind.DIRECTORY, 0o755, reasons=self._reasons)
        self._name(path, _Inode(entry))
        self._upper.add(path)

    def _kind(self, path: str) -> EntryKind | None:
        inode = self._inodes.get(path)
        return None if inode is None else inode.entry.kind

    def _name(self, path: str, inode: _Inode) -> None:
        self._inodes[path] = inode
        if path != "/":
            self._below.setdefault(path.rpartition("/")[0] or "/", set()).add(path)

    def _take_away(self, path: str) -> None:
        """Take away ``path`` and all that is in it; nothing where it is not there."""
        if path not in self._inodes:
            return
        for one in (path, *self._subtree(path)):
            del self._inodes[one]
            self._upper.discard(one)
            self._cleared.discard(one)
            self._below.pop(one, None)
        if path != "/":
            self._below[path.rpartition("/")[0] or "/"].discard(path)

    def _subtree(self, path: str, without: Collection[str] = ()) -> list[str]:
        """Return all that is beneath ``path``, a directory before what is in it.

        What is in the directories ``without`` is left out.
        """
        found: list[str] = []
        pending = [path]
        while pending:
            directory = pending.pop()
            if directory in without:
                continue
            children = self._below.get(directory, ())
            found.extend(children)
            pending.extend(children)
        return found


def _join(directory: str, name: str) -> str:
    return f"/{name}" if directory == "/" else f"{directory}/{name}"
