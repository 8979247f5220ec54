"""A tree as what packs it wants it: the Plan that it is meant to be, and its contents."""

from __future__ import annotations

import os
import stat

from rootgen.linux.path import open_beneath
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.rootfs.content import digest_of
from rootgen.rootfs.note import Note
from rootgen.rootfs.scan import intended, look, open_tree, read_manifest
from rootgen.rootfs.source import TreeContents
from rootgen.rootfs.walk import FILE

if TYPE_CHECKING:
    from rootgen.named import Progress
    from rootgen.plan.manifest import Manifest


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

    def meant(self, progress: Progress | None = None, *, contents: bool = False) -> Meant:
        """Return what is to be packed; with ``contents``, files have their digests.

        Raises TreeError, and PlanError for a malformed manifest.
        """
        seen = look(self._root, contents=contents, progress=progress)
        manifest = read_manifest(self._root)
        if manifest is None:
            told = Note("/", "no manifest: owners are as they stand in the tree")
            return Meant(seen.plan, None, (told, *seen.unheld))
        plan = intended(seen, manifest.plan)
        own = _manifest_entry(self._root, contents=contents)
        plan = plan if own is None else Plan([*plan.entries(), own])
        return Meant(plan, manifest, seen.unheld)


def _manifest_entry(root: int, *, contents: bool) -> Entry | None:
    """Return the entry of the manifest's own file, as ``write_tree`` makes it."""
    descriptor = open_beneath(root, MANIFEST_PATH, FILE)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        sha256 = digest_of(descriptor)[0] if contents else ""
    finally:
        os.close(descriptor)
    return Entry(
        MANIFEST_PATH,
        EntryKind.FILE,
        0o644,
        size=status.st_size,
        sha256=sha256,
        reasons=_REASON,
    )
