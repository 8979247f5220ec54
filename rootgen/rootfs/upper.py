"""The upper directory of an overlayfs stack, read as a layer: what was written over the others.

Documentation/filesystems/overlayfs.rst: a character device 0:0 is a whiteout,
which says that a name of the layers below is gone; a directory with the
attribute ``overlay.opaque`` hides all that they have in it. Attributes of
overlayfs are trusted.* where root mounted it, else user.*.
"""

from __future__ import annotations

import os

from rootgen.errors import TreeError
from rootgen.layer.read import Whiteout, Written
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind
from rootgen.rootfs.scan import look
from rootgen.rootfs.walk import Directories

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.named import Progress
    from rootgen.rootfs.note import Note

    Members = tuple[Written | Whiteout, ...]


def upper_members(
    root: int, attributes: str, progress: Progress | None = None
) -> tuple[Members, tuple[Note, ...]]:
    """Return what the upper directory, open as ``root``, makes of those below it, and notes.

    ``attributes`` is how those of overlayfs begin: ``trusted.overlay.`` or
    ``user.overlay.``. Files have their digests. The notes say what a layer
    cannot hold: sockets. Raises TreeError.
    """
    seen = look(root, progress=progress)
    if seen.unread:
        raise TreeError(f"cannot read {min(seen.unread)} of what was written")
    with Directories(root) as directories:
        members = tuple(_members(seen.plan.entries(), attributes, directories))
    return members, seen.unheld


def _members(
    entries: Iterable[Entry], attributes: str, directories: Directories
) -> Iterator[Written | Whiteout]:
    for entry in entries:
        if entry.kind is EntryKind.CHARACTER and entry.device == (0, 0):
            yield Whiteout(entry.path)
            continue
        own = tuple(pair for pair in entry.xattrs if not pair[0].startswith(attributes))
        yield Written(entry._replace(xattrs=own))
        # Of the top of a directory overlayfs does not ask whether it is opaque.
        if entry.kind is EntryKind.DIRECTORY and entry.path != "/":
            try:
                opaque = os.getxattr(directories.at(entry.path), f"{attributes}opaque")
            except OSError:
                continue  # it has no such attribute
            if opaque == b"y":
                yield Whiteout(entry.path, opaque=True)
