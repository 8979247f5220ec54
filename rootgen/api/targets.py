"""Names as people type them → paths inside the root that is read."""

from __future__ import annotations

import os

from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.program import find_program


def open_sysroot(sysroot: str) -> DirectorySysroot:
    """Return the Sysroot over the directory ``sysroot`` (``/``: the host).

    Raises SysrootError where it is no directory.
    """
    return DirectorySysroot(sysroot)


def path_within(sysroot: str, name: str) -> str:
    """Return ``name`` as a path within ``sysroot``; a bare name stays as it is.

    On the host a relative path is the caller's; in any other root it is
    taken from the root's top. A path that already begins with the sysroot's
    own is taken to be meant within it, so that shell completion can be used.
    """
    if "/" not in name:
        return name
    root = os.path.abspath(sysroot)
    if root == "/":
        return os.path.abspath(name)
    if os.path.abspath(name).startswith(f"{root}/") and not name.startswith("/usr/"):
        return os.path.abspath(name)[len(root) :]
    return name if name.startswith("/") else f"/{name}"


def find_target(root: DirectorySysroot, name: str) -> str:
    """Return the absolute path of a FILE argument: a path, or a name on the root's PATH.

    Raises MissingError with the nearest names, or SysrootError for a
    directory.
    """
    path = path_within(root.name, name)
    if "/" not in path and os.path.isfile(path) and os.path.abspath(root.name) == "/":
        from rootgen.errors import MissingError  # the file beside us is the second choice

        try:
            return find_program(root, path)[0]
        except MissingError:
            path = os.path.abspath(path)
    return find_program(root, path)[0]
