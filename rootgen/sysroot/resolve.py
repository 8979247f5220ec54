"""Walking a path through its symbolic links, inside a root.

The one walk that every Sysroot shares: it asks for one node at a time and
never lets ``..`` or an absolute link out of the root.
"""

from __future__ import annotations

from errno import ELOOP, ENOENT, ENOTDIR

from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Found, Kind, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.sysroot.port import Node

# path_resolution(7): MAXSYMLINKS.
MAXIMUM_LINKS = 40


class Resolver:
    """Resolves paths over one source of nodes, remembering the directories met.

    ``node_of`` answers for a path whose parents are real directories. The
    memory holds only directories and what was gone through on the way to
    others, so it stays small however many names are asked for; and the last
    name, as who finds a file will ask what it is.
    """

    __slots__ = ("_directories", "_errors", "_last", "_last_path", "_node_of", "_passed")

    def __init__(self, node_of: Callable[[str], Node | None]) -> None:
        """Start with an empty memory over ``node_of``."""
        self._node_of = node_of
        self._directories: dict[str, Found | None] = {}
        self._passed: dict[str, Node] = {}
        self._errors: dict[str, int] = {}
        self._last_path = ""
        self._last: Found | None = None

    def lookup(self, path: str) -> Found | None:
        """Resolve ``path``; see ``port.Sysroot.lookup``."""
        if path == self._last_path and self._last is not None:
            return self._last
        found = self._lookup(path)
        self._last_path, self._last = path, found
        return found

    def lookup_error(self, path: str) -> int:
        """Return why ``lookup`` found nothing; see ``port.Sysroot.lookup_error``."""
        head = path.rpartition("/")[0]
        return self._errors.get(path) or self._errors.get(head) or ENOENT

    def _lookup(self, path: str) -> Found | None:
        head, _, tail = path.rpartition("/")
        if not head or tail in {"", ".", ".."}:
            return self._walk(path)
        try:
            directory = self._directories[head]
        except KeyError:
            directory = self._walk(head)
            self._directories[head] = directory
        if directory is None:
            return None
        if directory.node.kind is not Kind.DIRECTORY:
            self._errors[head] = ENOTDIR
            return None
        real = directory.path + "/" + tail if directory.path != "/" else "/" + tail
        node = self._node_of(real)
        if node is None:
            return None
        if node.kind is not Kind.SYMLINK:
            return Found(real, node, directory.links)
        return self._walk(path)

    def _walk(self, path: str) -> Found | None:
        pending = path.split("/")
        pending.reverse()
        real = ""
        links: list[Link] = []
        node = self._node("/", passed=True)
        while pending:
            name = pending.pop()
            if node is None:
                return None
            if node.kind is not Kind.DIRECTORY:
                self._errors[path] = ENOTDIR
                return None
            if name in {"", "."}:
                continue
            if name == "..":
                real = real.rpartition("/")[0]
                node = self._node(real or "/", passed=True)
                continue
            candidate = f"{real}/{name}"
            node = self._node(candidate, passed=bool(pending))
            if node is None:
                return None
            if node.kind is not Kind.SYMLINK:
                real = candidate
                continue
            links.append(Link(candidate, node.target))
            if len(links) > MAXIMUM_LINKS or not node.target:
                self._errors[path] = ELOOP if node.target else ENOENT
                return None
            if node.target.startswith("/"):
                real = ""
            pending.extend(reversed(node.target.split("/")))
            node = self._node(real or "/", passed=True)
        return None if node is None else Found(real or "/", node, tuple(links))

    def _node(self, path: str, *, passed: bool) -> Node | None:
        """Return what is at ``path``; remember it if it is ``passed`` on the way to another."""
        node = self._passed.get(path)
        if node is None:
            node = self._node_of(path)
            if node is not None and passed:
                self._passed[path] = node
        return node
