r"""A Sysroot held in memory, drawn from an indented text.

::

    usr/
      bin/
        bash = ELF…            a file with these bytes (mode 0755 beneath a bin/, else 0644)
        sh -> bash             a symbolic link
        awk -> /etc/alternatives/awk
      lib/
        copy.so == other.so    a hard link to a name of the same directory
    bin -> usr/bin

A drawing shows a file system to the reader of a test as ``tree(1)`` would.
"""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind, Node
from rootgen.sysroot.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.sysroot.port import Found


class BytesFile:
    """A file whose bytes are in memory (``port.OpenFile``)."""

    __slots__ = ("_data", "_name")

    def __init__(self, data: bytes, name: str) -> None:
        """Serve ``data``; ``name`` is for messages."""
        self._data = data
        self._name = name

    def __enter__(self) -> BytesFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go; there is nothing to close."""

    def pread(self, size: int, offset: int) -> bytes:
        """Read at most ``size`` bytes at ``offset``."""
        return self._data[offset : offset + size]

    def fileno(self) -> int:
        """Raise SysrootError: bytes in memory have no descriptor."""
        message = f"{self._name} is in memory: it has no descriptor"
        raise SysrootError(message)


class MemorySysroot:
    """A Sysroot over nodes and bytes in memory (``port.Sysroot``)."""

    __slots__ = ("_contents", "_nodes", "_resolver", "name")

    def __init__(self, nodes: Mapping[str, Node], contents: Mapping[str, bytes]) -> None:
        """Take the nodes by path (``/`` included) and the bytes of the files."""
        self.name = "(memory)"
        self._nodes = dict(nodes)
        self._contents = dict(contents)
        self._resolver = Resolver(self._nodes.get)

    def lookup(self, path: str) -> Found | None:
        """Resolve ``path``; see ``port.Sysroot``."""
        return self._resolver.lookup(path)

    def lookup_error(self, path: str) -> int:
        """Return why ``lookup`` found nothing; see ``port.Sysroot``."""
        return self._resolver.lookup_error(path)

    def node(self, path: str) -> Node | None:
        """Return the node at ``path``."""
        return self._nodes.get(path)

    def open(self, path: str) -> BytesFile:
        """Open the file at the real path ``path``; see ``port.Sysroot``."""
        if path not in self._contents:
            message = f"cannot read {path}: not a regular file"
            raise SysrootError(message)
        return BytesFile(self._contents[path], path)

    def names(self, path: str) -> list[str]:
        """List the directory at ``path``, sorted; see ``port.Sysroot``."""
        node = self._nodes.get(path)
        if node is None or node.kind is not Kind.DIRECTORY:
            message = f"cannot list {path}: not a directory"
            raise SysrootError(message)
        prefix = path.rstrip("/") + "/"
        return sorted(
            name[len(prefix) :]
            for name in self._nodes
            if name.startswith(prefix) and name != "/" and "/" not in name[len(prefix) :]
        )

    def xattrs(self, path: str) -> tuple[tuple[str, bytes], ...]:
        """Return none: a drawing has no extended attributes."""
        del path
        return ()


def draw(text: str, contents: Mapping[str, bytes] | None = None) -> MemorySysroot:
    """Draw a Sysroot from an indented text (see the module's docstring).

    ``contents`` gives bytes by path, for what text cannot hold; the
    directories that they are in need not be drawn. Raises
    ValueError for a line that is indented under no directory.
    """
    nodes = {"/": _node(Kind.DIRECTORY, 0o755, 1)}
    data: dict[str, bytes] = {}
    parents: list[tuple[int, str]] = [(-1, "")]
    for line in filter(str.strip, text.splitlines()):
        indent = len(line) - len(line.lstrip())
        while parents[-1][0] >= indent:
            parents.pop()
        parent = parents[-1][1]
        if nodes.get(parent or "/", nodes["/"]).kind is not Kind.DIRECTORY:
            message = f"not beneath a directory: {line.strip()}"
            raise ValueError(message)
        path, node, content = _drawn(line.strip(), parent, nodes, data)
        nodes[path] = node
        if content is not None:
            data[path] = content
        parents.append((indent, path))
    for path, content in (contents or {}).items():
        parent = path
        while (parent := parent.rpartition("/")[0]) and parent not in nodes:
            nodes[parent] = _node(Kind.DIRECTORY, 0o755, len(nodes) + 1)
        node = nodes.get(path, _node(Kind.FILE, 0o755, len(nodes) + 1))
        nodes[path] = node._replace(size=len(content))
        data[path] = content
    return MemorySysroot(nodes, data)


def _drawn(
    text: str, parent: str, nodes: dict[str, Node], data: Mapping[str, bytes]
) -> tuple[str, Node, bytes | None]:
    number = len(nodes) + 1
    if " -> " in text:
        name, _, target = text.partition(" -> ")
        return f"{parent}/{name}", _node(Kind.SYMLINK, 0o777, number, target=target), None
    if " == " in text:
        name, _, other = text.partition(" == ")
        twin = f"{parent}/{other}"
        node = nodes[twin]._replace(nlink=nodes[twin].nlink + 1)
        same = [path for path, known in nodes.items() if known.identity == node.identity]
        nodes.update(dict.fromkeys(same, node))
        return f"{parent}/{name}", node, data[twin]
    if text.endswith("/"):
        return f"{parent}/{text[:-1]}", _node(Kind.DIRECTORY, 0o755, number), None
    name, _, body = text.partition(" = ")
    content = body.encode().decode("unicode_escape").encode("latin-1")
    mode = 0o755 if parent.rpartition("/")[2] in {"bin", "sbin"} else 0o644
    return f"{parent}/{name}", _node(Kind.FILE, mode, number, size=len(content)), content


def _node(kind: Kind, mode: int, number: int, *, size: int = 0, target: str = "") -> Node:
    return Node(kind, mode, 0, 0, size, 0, (0, number), 1, target)
