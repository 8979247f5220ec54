"""Names as people type them → paths inside the root that is read."""

from __future__ import annotations

import os

from rootgen.errors import MissingError
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.program import find_program


def open_sysroot(sysroot: str) -> DirectorySysroot:
    """Return the Sysroot over the directory ``sysroot`` (``/``: the host).

    Raises SysrootError where it is no directory.
    """
    return DirectorySysroot(sysroot)


def working_directory(sysroot: str) -> str:
    """Return where relative paths start in the root ``sysroot``: here on the host, else its top."""
    return os.getcwd() if os.path.abspath(sysroot) == "/" else "/"


def path_within(sysroot: str, name: str) -> str:
    """Return ``name`` as a path within ``sysroot``; a bare name, but a dot, stays as it is.

    On the host a relative path is the caller's; in any other root it is
    taken from the root's top.
    """
    if "/" not in name and name not in {".", ".."}:
        return name
    if os.path.abspath(sysroot) == "/":
        return os.path.abspath(name)
    return name if name.startswith("/") else f"/{name}"


def find_target(root: DirectorySysroot, name: str) -> str:
    """Return the absolute path of a FILE argument: a path, or a name on the root's PATH.

    A bare name that PATH does not have may be a file of the current
    directory. Raises MissingError with the nearest names, or SysrootError
    for a directory.
    """
    try:
        return find_program(root, path_within(root.name, name))[0]
    except MissingError:
        if "/" not in name and os.path.abspath(root.name) == "/" and os.path.isfile(name):
            return find_program(root, os.path.abspath(name))[0]
        raise
