"""Patterns of file rules, over a root: ``*``, ``?``, ``[…]`` and ``**`` (glob(7))."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase

from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.sysroot.port import Sysroot


def matches(path: str, pattern: str) -> bool:
    """Tell whether a pattern of `not:` is for ``path``.

    As in .gitignore, a pattern with no slash is for a name anywhere, and one
    of a directory for all beneath it.
    """
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in path.split("/"))
    return fnmatchcase(path, pattern) or fnmatchcase(path, pattern.rstrip("/") + "/*")


def expand(pattern: str, root: Sysroot) -> list[str]:
    """Return the paths of ``root`` that a rule names; one without a pattern is returned as it is.

    ``**`` is any number of directories; a leading dot is matched by a dot
    alone, as by a shell (glob(7)).
    """
    paths = ["/"]
    parts = [part for part in pattern.split("/") if part]
    for part in parts:
        if part == "**":
            paths = [below for path in paths for below in _directories(path, root)]
            # One directory may be beneath several: `**` twice names it many times.
            paths = list(dict.fromkeys(paths))
        elif any(sign in part for sign in "*?["):
            paths = [
                posixpath.join(path, name)
                for path in paths
                for name in _names(path, root)
                if fnmatchcase(name, part) and (part[0] == "." or name[0] != ".")
            ]
        else:
            paths = [posixpath.join(path, part) for path in paths]
    return paths


def _directories(path: str, root: Sysroot) -> Iterator[str]:
    found = root.lookup(path)
    pending = [found.path] if found is not None else []
    while pending:
        one = pending.pop()
        yield one
        for name in _names(one, root):
            below = posixpath.join(one, name)
            node = root.node(below)
            if node is not None and node.kind is Kind.DIRECTORY:
                pending.append(below)


def _names(path: str, root: Sysroot) -> Sequence[str]:
    found = root.lookup(path)
    if found is None or found.node.kind is not Kind.DIRECTORY:
        return ()
    return root.names(found.path)
