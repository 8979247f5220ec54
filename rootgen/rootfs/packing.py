"""A tree as what packs it wants it: the Plan that it is meant to be, and its contents."""

from __future__ import annotations

import os
import stat

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.rootfs.note import Note
from rootgen.rootfs.scan import intended, look, open_tree, read_manifest
from rootgen.rootfs.source import TreeContents

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.plan.manifest import Manifest

    Progress = Callable[[str, int, int], None]

_REASON = (Reason(ReasonKind.SKELETON),)


class Meant(NamedTuple):
    """What a tree is meant to be.

    ``plan`` has the owners, devices and privileged attributes of the
    manifest where an ordinary user's tree lacks them, and the manifest's own
    file. Its files have no digests. ``notes`` say what is left out.
    """

    plan: Plan
    manifest: Manifest | None
    notes: tuple[Note, ...]


class PackedTree:
    """A tree open for packing; use it as a context manager.

    ``contents.open`` opens its files, best in the order of the Plan.
    """

    def __init__(self, directory: str) -> None:
        """Open the tree; raise TreeError where there is none."""
        self._root = open_tree(directory)
        self.contents = TreeContents(self._root)

    def __enter__(self) -> PackedTree:
        """Return the tree itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.contents.__exit__(*exc)
        os.close(self._root)

    def meant(self, progress: Progress | None = None) -> Meant:
        """Return what is to be packed.

        Raises TreeError, and PlanError for a malformed manifest.
        """
        seen = look(self._root, contents=False, progress=progress)
        manifest = read_manifest(self._root)
        if manifest is None:
            told = Note("/", "no manifest: owners are as they stand in the tree")
            return Meant(seen.plan, None, (told, *seen.unheld))
        plan = intended(seen, manifest.plan)
        return Meant(_with_manifest(plan, self._root), manifest, seen.unheld)


def _with_manifest(plan: Plan, root: int) -> Plan:
    """Return ``plan`` with the file of the manifest, as ``write_tree`` makes it."""
    size = os.stat(MANIFEST_PATH[1:], dir_fd=root, follow_symlinks=False)
    if not stat.S_ISREG(size.st_mode):
        return plan
    entry = Entry(MANIFEST_PATH, EntryKind.FILE, 0o644, size=size.st_size, reasons=_REASON)
    return Plan([*plan.entries(), entry])
