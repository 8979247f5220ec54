"""A path of the host that an option names and that is not to be had: what there is instead."""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError, raise_foreign
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn

_NAMES_LIMIT = 10_000
_NAME_LIMIT = 64


def refuse_host_path(option: str, path: str, error: OSError, more: str = "") -> NoReturn:
    """Raise the LaunchError for ``option``, whose ``path`` gave ``error``.

    ``more`` is what may be done besides.
    """
    raise_foreign(error)
    hint = "; ".join(filter(None, (_hint(path, error), more)))
    raise LaunchError(f"{option} {path}: {error.strerror}", hint=hint) from error


def _hint(path: str, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"it is the caller who may not: see `namei -l {path}`"
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return ""
    if os.path.islink(path):
        return f"it is a symbolic link that leads nowhere: {os.readlink(path)}"
    missing = parent = os.path.abspath(path)
    while parent != "/":
        missing, parent = parent, os.path.dirname(parent)
        if os.path.isdir(parent):
            break
    if os.path.lexists(missing):
        return f"{missing} is no directory"
    near = _near(os.path.basename(missing), parent)
    meant = f"{os.path.join(parent, near)}{os.path.abspath(path).removeprefix(missing)}"
    if near and os.path.exists(meant):
        return f"did you mean {meant}?"
    return f"there is no {missing} on the host; {parent} is there"


def _near(name: str, directory: str) -> str:
    """Return the name in a directory that is most like ``name``; "" where none is like it."""
    from difflib import get_close_matches
    from itertools import islice

    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in islice(entries, _NAMES_LIMIT)]
    except OSError as error:
        raise_foreign(error)
        return ""
    near = get_close_matches(name[:_NAME_LIMIT], sorted(set(names) - {name}), n=1, cutoff=0.75)
    return near[0] if near else ""
