"""A Plan is also a Sysroot: it answers what is at a path and where a link leads.

``PlanSysroot`` answers from the Plan alone; ``Union`` lays a Plan over
another Sysroot, so that what a profile adds is seen by every search.
"""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import EntryKind, FromHost, FromSysroot, Inline
from rootgen.sysroot.memory import BytesFile
from rootgen.sysroot.port import Kind, Node
from rootgen.sysroot.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan
    from rootgen.sysroot.port import Contents, Found, OpenFile, Sysroot


class PlanSysroot:
    """A Sysroot over the entries of a Plan (``sysroot.port.Sysroot``).

    ``sources`` is what the contents come from, ``host`` the one
    for contents of the host (``--add``). Directories that a path needs and
    the Plan does not name yet are *implied*.
    """

    __slots__ = (
        "_children",
        "_host",
        "_implied",
        "_nodes",
        "_plan",
        "_resolver",
        "_sources",
        "name",
    )

    def __init__(self, plan: Plan, sources: Contents, host: Contents) -> None:
        """Index ``plan``."""
        self.name = "(plan)"
        self._plan = plan
        self._sources = sources
        self._host = host
        self._nodes: dict[str, Node] = {}
        self._children: dict[str, list[str]] = {}
        self._implied: set[str] = set()
        # The order of a Plan: a directory stands before what is in it.
        for number, entry in enumerate(plan.entries()):
            self._place(entry.path, _node(entry, number, self._nodes))
        if "/" not in self._nodes:
            self._imply("/")
        self._resolver = Resolver(self._nodes.get)

    def _place(self, path: str, node: Node) -> None:
        if path != "/":
            parent, _, name = path.rpartition("/")
            if (parent or "/") not in self._nodes:
                self._imply(parent or "/")
            self._children.setdefault(parent or "/", []).append(name)
        self._nodes[path] = node

    def _imply(self, path: str) -> None:
        self._implied.add(path)
        self._place(path, Node(Kind.DIRECTORY, 0o755, 0, 0, 0, 0, (-2, len(self._implied))))

    def nodes(self) -> Iterable[tuple[str, Node]]:
        """Return every path and what stands there, implied directories included."""
        return self._nodes.items()

    def is_implied(self, path: str) -> bool:
        """Tell whether ``path`` is there only because something is beneath it."""
        return path in self._implied

    def lookup(self, path: str) -> Found | None:
        """Resolve ``path`` within the Plan; see ``port.Sysroot``."""
        return self._resolver.lookup(path)

    def lookup_error(self, path: str) -> int:
        """Return why ``lookup`` found nothing; see ``port.Sysroot``."""
        return self._resolver.lookup_error(path)

    def node(self, path: str) -> Node | None:
        """Return the node that ``path`` will be."""
        return self._nodes.get(path)

    def open(self, path: str) -> OpenFile:
        """Open the bytes that will be at the real path ``path``; see ``port.Sysroot``."""
        entry = self._entry(path)
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
        entry = self._entry(path)
        return entry.xattrs if entry is not None else ()

    def _entry(self, path: str) -> Entry | None:
        """Return the entry at ``path``; of hard links the one that holds the file."""
        entry = self._plan.get(path)
        if entry is not None and entry.kind is EntryKind.HARDLINK:
            return self._plan.get(entry.target)
        return entry


class Union:
    """A Sysroot in which ``upper`` lies over ``lower`` (``sysroot.port.Sysroot``).

    A directory of both is merged; anything else of ``upper`` hides what
    ``lower`` has at that path.
    """

    __slots__ = ("_covering", "_lower", "_resolver", "_upper", "name")

    def __init__(self, upper: PlanSysroot, lower: Sysroot) -> None:
        """Lay ``upper`` over ``lower``."""
        self.name = lower.name
        self._upper = upper
        self._lower = lower
        # The upper paths beneath which nothing of the lower layer is seen.
        self._covering: set[str] = set()
        for path, node in upper.nodes():
            below = None if self._is_covered(path) else lower.node(path)
            covers = below is not None and below.kind is not Kind.DIRECTORY
            if covers or node.kind is not Kind.DIRECTORY:
                self._covering.add(path)
        self._resolver = Resolver(self.node)

    def lookup(self, path: str) -> Found | None:
        """Resolve ``path`` within the union; see ``port.Sysroot``."""
        return self._resolver.lookup(path)

    def lookup_error(self, path: str) -> int:
        """Return why ``lookup`` found nothing; see ``port.Sysroot``."""
        return self._resolver.lookup_error(path)

    def node(self, path: str) -> Node | None:
        """Return the upper node, or the lower one where nothing upper stands above it."""
        node = self._upper.node(path)
        if node is not None and not self._upper.is_implied(path):
            return node
        below = None if self._is_covered(path) else self._lower.node(path)
        if node is None or (below is not None and below.kind is Kind.DIRECTORY):
            return below
        return node

    def open(self, path: str) -> OpenFile:
        """Open the file at the real path ``path``; see ``port.Sysroot``."""
        return self._layer(path).open(path)

    def names(self, path: str) -> list[str]:
        """List the directory at ``path`` of both layers, sorted; see ``port.Sysroot``."""
        node = self.node(path)
        if node is None or node.kind is not Kind.DIRECTORY:
            message = f"cannot list {path} in {self.name}: not a directory"
            raise SysrootError(message)
        names: set[str] = set()
        if self._upper.node(path) is not None:
            names.update(self._upper.names(path))
        if not self._is_covered(path) and path not in self._covering:
            below = self._lower.node(path)
            if below is not None and below.kind is Kind.DIRECTORY:
                names.update(self._lower.names(path))
        return sorted(names)

    def xattrs(self, path: str) -> tuple[tuple[str, bytes], ...]:
        """Return the extended attributes at ``path``."""
        return self._layer(path).xattrs(path)

    def is_upper(self, path: str) -> bool:
        """Tell whether ``path`` itself is of the upper layer."""
        return self._upper.node(path) is not None and not self._upper.is_implied(path)

    def _layer(self, path: str) -> Sysroot:
        return self._upper if self.is_upper(path) or self._is_covered(path) else self._lower

    def _is_covered(self, path: str) -> bool:
        """Tell whether something upper above ``path`` hides what the lower layer has there."""
        parent = path
        while self._covering and (parent := parent.rpartition("/")[0]):
            if parent in self._covering:
                return True
        return False


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
