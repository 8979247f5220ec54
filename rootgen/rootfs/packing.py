"""A tree as what packs it wants it: the Plan that it is meant to be, and its contents."""

from __future__ import annotations

import os
import stat
from collections import deque

from rootgen.linux.path import open_beneath
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan, plan_order
from rootgen.rootfs.content import digest_of
from rootgen.rootfs.note import Note
from rootgen.rootfs.scan import Intent, Looking, intended, look, open_tree, read_manifest
from rootgen.rootfs.source import TreeContents
from rootgen.rootfs.walk import FILE
from rootgen.sysroot.directory import DescriptorFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.named import Progress
    from rootgen.plan.manifest import Manifest


_NO_MANIFEST = Note("/", "no manifest: owners are as they stand in the tree")
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

    def stream(self) -> Stream:
        """Return what is to be packed, to be found while it is; raise PlanError as ``meant``."""
        return Stream(self._root, self.contents)

    def meant(self, progress: Progress | None = None, *, contents: bool = False) -> Meant:
        """Return what is to be packed; with ``contents``, files have their digests.

        Raises TreeError, and PlanError for a malformed manifest.
        """
        seen = look(self._root, contents=contents, progress=progress)
        manifest = read_manifest(self._root)
        if manifest is None:
            return Meant(seen.plan, None, (_NO_MANIFEST, *seen.unheld))
        plan = intended(seen, manifest.plan)
        own = _manifest_entry(self._root, contents=contents)
        plan = plan if own is None else Plan([*plan.entries(), own])
        return Meant(plan, manifest, seen.unheld)


class Stream:
    """What a tree is meant to be, found as it is asked for: each entry once, in a Plan's order.

    So a tree is packed while it is read. The entries are those of ``Meant.plan``;
    ``size`` is about how many bytes their contents have, where a manifest says it.
    A context manager.
    """

    def __init__(self, root: int, contents: TreeContents) -> None:
        """Begin at the open tree ``root``; raise PlanError for a malformed manifest."""
        self.count = 0
        self._root = root
        self._contents = contents
        # The file that was found last, as it is open.
        self._opened: tuple[str, int] | None = None
        self._looking = Looking(root, self._keep)
        self._reading = self._looking.entries()
        self._manifest = read_manifest(root)
        files = () if self._manifest is None else self._manifest.plan.files()
        self.size = sum(entry.size for entry in files)

    def entries(self, apart: tuple[int, int]) -> Iterator[Entry]:
        """Return the entries, counted in ``count``, but for the file of the inode ``apart``.

        Raises TreeError.
        """
        self._looking.apart = apart
        for entry in self._entries():
            self.count += 1
            yield entry

    def open(self, entry: Entry) -> DescriptorFile:
        """Open the file that ``entry`` is: the last one, as a rule; raise TreeError."""
        if self._opened is None or self._opened[0] != entry.path:
            return self._contents.open(entry)
        descriptor, self._opened = self._opened[1], None
        return DescriptorFile(descriptor)

    def _keep(self, entry: Entry, descriptor: int) -> None:
        self._drop()
        self._opened = entry.path, descriptor

    def __enter__(self) -> Stream:
        """Return the stream itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close what is open."""
        self._reading.close()
        self._drop()

    def _drop(self) -> None:
        if self._opened is not None:
            os.close(self._opened[1])
            self._opened = None

    def notes(self) -> tuple[Note, ...]:
        """Return what is left out of what was read so far."""
        unheld = self._looking.unheld.all()
        return unheld if self._manifest is not None else (_NO_MANIFEST, *unheld)

    def _entries(self) -> Iterator[Entry]:
        found: Iterable[Entry] = self._reading
        if self._manifest is None:
            return iter(found)
        intent = Intent(self._manifest.plan, self._looking.owner)
        lacking = intent.devices
        if lacking and not intent.ordinary:
            # Whether one of them is there is seen in the end.
            found = tuple(found)
            paths = {entry.path for entry in found}
            if any(entry.path in paths for entry in lacking):
                lacking = ()
        own = _manifest_entry(self._root, contents=False)
        return _merged(map(intent.of, found), (*lacking, own) if own is not None else lacking)


def _merged(entries: Iterable[Entry], others: Iterable[Entry]) -> Iterator[Entry]:
    """Return ``entries``, and the ``others`` among them whose path none of them has, in order."""
    waiting = deque(sorted(others, key=plan_order))
    for entry in entries:
        if waiting:
            order = plan_order(entry)
            while waiting and plan_order(waiting[0]) < order:
                yield waiting.popleft()
            if waiting and waiting[0].path == entry.path:
                waiting.popleft()
        yield entry
    yield from waiting


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
