"""Saying which entry of a tree it was that could not be written, and why."""

from __future__ import annotations

import errno

from rootgen.errors import TreeError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.plan.entry import Entry


class Blaming:
    """A context in which an OSError is about one entry of a tree being written."""

    def __init__(self, name: str, entry: Entry | None) -> None:
        """Blame ``entry`` of the tree ``name``."""
        self._name = name
        self._entry = entry

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Raise TreeError for an OSError."""
        if isinstance(error, OSError):
            raise write_error(self._name, error, self._entry) from error


def write_error(name: str, error: OSError, entry: Entry | None = None) -> TreeError:
    """Return the error that says why the tree ``name`` was not written."""
    why = (f"at {entry.path}",) if entry is not None else ()
    hint = ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        hint = "nothing was left behind; make room, or give --out on another file system"
    elif error.errno in {errno.EMFILE, errno.ENFILE}:
        hint = "raise the limit of open files: ulimit -n 1024"
    return TreeError(f"cannot write {name}: {error.strerror or error}", why=why, hint=hint)
