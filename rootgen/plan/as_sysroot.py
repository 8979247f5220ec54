"""A Plan is also a Sysroot: it answers what is at a path and where a link leads.

``PlanSysroot`` answers from the Plan alone; ``Union`` lays a Plan over
another Sysroot, so that what a profile adds is seen by every search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.errors import SysrootError
from rootgen.plan.entry import EntryKind, FromHost, FromSysroot, Inline
from rootgen.sysroot.memory import BytesFile
from rootgen.sysroot.port import Kind, Node
from rootgen.sysroot.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan
    from rootgen.sysroot.port import Found, OpenFile, Sysroot


class PlanSysroot:
    """A Sysroot over the entries of a Plan (``sysroot.port.Sysroot``).

    ``sources`` is the Sysroot that the contents come from, ``host`` the one
    for contents of the host (``--add``).
    """

    __slots__ = ("_children", "_host", "_nodes", "_plan", "_resolver", "_sources", "name")

    def __init__(self, plan: Plan, sources: Sysroot, host: Sysroot) -> None:
        """Index ``plan``."""
        self.name = "(plan)"
        self._plan = plan
        self._sources = sources
        self._host = host
        self._nodes: dict[str, Node] = {}
        self._children: dict[str, list[str]] = {}
        for number, entry in enumerate(plan.entries()):
            self._nodes[entry.path] = _node(entry, number, self._nodes)
            if entry.path != "/":
                parent, _, name = entry.path.rpartition("/")
                self._children.setdefault(parent or "/", []).append(name)
        self._nodes.setdefault("/", Node(Kind.DIRECTORY, 0o755, 0, 0, 0, 0, (-1, 0)))
        self._resolver = Resolver(self._nodes.get)

    def lookup(self, path: str) -> Found | None:
        """Resolve ``path`` within the Plan; see ``port.Sysroot``."""
        return self._resolver.lookup(path)

    def node(self, path: str) -> Node | None:
        """Return the node that ``path`` will be."""
        return self._nodes.get(path)

    def open(self, path: str) -> OpenFile:
        """Open the bytes that will be at the real path ``path``; see ``port.Sysroot``."""
        entry = self._plan.get(path)
        if entry is not None and entry.kind is EntryKind.HARDLINK:
            entry = self._plan.get(entry.target)
        match entry.content if entry is not None else None:
            case FromSysroot(source):
                return self._sources.open(source)
            case FromHost(source):
                return self._host.open(source)
            case Inline(data):
                return BytesFile(data, path)
        message = f"cannot read {path} of the plan: not a regular file"
        raise SysrootError(message)

    def names(self, path: str) -> list[str]:
        """List the directory at ``path``, sorted; see ``port.Sysroot``."""
        node = self._nodes.get(path)
        if node is None or node.kind is not Kind.DIRECTORY:
            message = f"cannot list {path} of the plan: not a directory"
            raise SysrootError(message)
        return sorted(self._children.get(path, ()))

    def xattrs(self, path: str) -> tuple[tuple[str, bytes], ...]:
        """Return the extended attributes that ``path`` will have."""
        entry = self._plan.get(path)
        return entry.xattrs if entry is not None else ()


class Union:
    """A Sysroot in which ``upper`` lies over ``lower`` (``sysroot.port.Sysroot``).

    A directory of both is merged; anything else of ``upper`` hides what
    ``lower`` has at that path.
    """

    __slots__ = ("_lower", "_resolver", "_upper", "name")

    def __init__(self, upper: PlanSysroot, lower: Sysroot) -> None:
        """Lay ``upper`` over ``lower``."""
        self.name = lower.name
        self._upper = upper
        self._lower = lower
        self._resolver = Resolver(self.node)

    def lookup(self, path: str) -> Found | None:
        """Resolve ``path`` within the union; see ``port.Sysroot``."""
        return self._resolver.lookup(path)

    def node(self, path: str) -> Node | None:
        """Return the upper node, or the lower one where no upper file stands above it."""
        node = self._upper.node(path)
        if node is not None:
            return node
        parent = path
        while parent := parent.rpartition("/")[0]:
            above = self._upper.node(parent)
            if above is not None:
                return self._lower.node(path) if above.kind is Kind.DIRECTORY else None
        return self._lower.node(path)

    def open(self, path: str) -> OpenFile:
        """Open the file at the real path ``path``; see ``port.Sysroot``."""
        layer = self._upper if self._upper.node(path) is not None else self._lower
        return layer.open(path)

    def names(self, path: str) -> list[str]:
        """List the directory at ``path`` of both layers, sorted; see ``port.Sysroot``."""
        names: set[str] = set()
        for layer in (self._upper, self._lower):
            node = layer.node(path)
            if node is not None and node.kind is Kind.DIRECTORY:
                names.update(layer.names(path))
        return sorted(names)

    def xattrs(self, path: str) -> tuple[tuple[str, bytes], ...]:
        """Return the extended attributes at ``path``."""
        layer = self._upper if self._upper.node(path) is not None else self._lower
        return layer.xattrs(path)

    def is_upper(self, path: str) -> bool:
        """Tell whether ``path`` itself is of the upper layer."""
        return self._upper.node(path) is not None


def _node(entry: Entry, number: int, nodes: Mapping[str, Node]) -> Node:
    if entry.kind is EntryKind.HARDLINK and entry.target in nodes:
        return nodes[entry.target]
    kind = Kind.FILE if entry.kind is EntryKind.HARDLINK else Kind(entry.kind.value)
    return Node(
        kind,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.size,
        entry.mtime,
        (-1, number),
        1,
        entry.target if kind is Kind.SYMLINK else "",
        entry.device,
    )
