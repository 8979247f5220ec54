"""Writing a Plan as a tree: beside its destination, then in its place in one rename."""

from __future__ import annotations

import os

from rootgen.errors import PlanError, RootgenError, TreeError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.manifest import MANIFEST_PATH, manifest_bytes, manifest_of
from rootgen.plan.plan import Plan
from rootgen.rootfs.blame import Blaming, write_error
from rootgen.rootfs.commit import Endable, Undisturbed, exchange_places, take_free_place
from rootgen.rootfs.content import Sources, digest_content
from rootgen.rootfs.destination import Destination, Temporary, lock
from rootgen.rootfs.metadata import Metadata
from rootgen.rootfs.note import Note, Notes
from rootgen.rootfs.populate import Place, Population
from rootgen.rootfs.walk import DIRECTORY, parent_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.named import Progress
    from rootgen.profile.model import ImageConfig
    from rootgen.sysroot.port import Sysroot


__all__ = ["Note", "Written", "hash_plan", "write_tree"]

_TOLD = 5
_REASON = (Reason(ReasonKind.SKELETON),)
_MANIFEST = Entry(MANIFEST_PATH, EntryKind.FILE, 0o644)


class Written(NamedTuple):
    """What was written: the Plan with the digest of every file, and what could not be kept."""

    plan: Plan
    notes: tuple[Note, ...]


class Old(NamedTuple):
    """The directory to be replaced: open (and locked), and which one it is."""

    descriptor: int
    identity: tuple[int, int]
    is_empty: bool


def hash_plan(
    plan: Plan, *, sysroot: Sysroot, host: Sysroot, progress: Progress | None = None
) -> Plan:
    """Return ``plan`` as ``write_tree`` would: with the digest of every file, and our directory.

    Raises PlanError for entries that contradict each other, SysrootError
    for a file that may not be read.
    """
    from rootgen.rootfs.work import Work

    plan = _whole(plan, Notes())
    sources = Sources(sysroot, host)
    total = sum(entry.size for entry in plan.files())
    done = 0
    with Work() as work:
        for entry in plan.files():
            work.do(entry.size, _hashing(entry, sources))
            done += entry.size
            if progress is not None:
                progress("hashing", done, total)
        hashed = {entry.path: entry for entry in work.results()}
    return Plan(hashed.get(entry.path, entry) for entry in plan.entries())


def write_tree(  # noqa: PLR0913 - a tree, its manifest, and who is told
    plan: Plan,
    out: str,
    *,
    sysroot: Sysroot,
    host: Sysroot,
    programs: tuple[str, ...],
    image: ImageConfig,
    force: bool,
    base: str = "",
    progress: Progress | None = None,
) -> Written:
    """Write ``plan`` and its manifest as the directory ``out``, whole or not at all.

    A directory that is there is replaced if it is empty, or a tree that has
    not changed since it was made; with ``force`` any that is not dangerous.
    ``base`` is the digest of what the plan is an increment over.
    Raises TreeError, PlanError for entries that contradict each other,
    SysrootError for a source that may not be read; what was there before
    is then untouched, and nothing is left beside it.
    """
    notes = Notes()
    plan = _whole(plan, notes)
    destination = Destination(out, sysroot.name)
    try:
        old = _examine(destination, force=force)
        try:
            destination.sweep(notes)
            with Endable():
                writing = _Writing(destination, Sources(sysroot, host), notes, progress, base)
                plan = writing.run(plan, programs, image, old)
        finally:
            if old is not None:
                os.close(old.descriptor)
    finally:
        destination.close()
    return Written(plan, notes.all())


class _Writing:
    """One tree on its way from a temporary to its place."""

    def __init__(
        self,
        destination: Destination,
        sources: Sources,
        notes: Notes,
        progress: Progress | None,
        base: str,
    ) -> None:
        self._base = base
        self._destination = destination
        self._sources = sources
        self._notes = notes
        self._progress = progress

    def run(
        self, plan: Plan, programs: tuple[str, ...], image: ImageConfig, old: Old | None
    ) -> Plan:
        temporary = self._destination.begin()
        try:
            try:
                plan = self._populate(
                    temporary, plan, programs, image, durable=old is not None and not old.is_empty
                )
                with Undisturbed():
                    put_in_place(self._destination, temporary, old, self._notes)
            except BaseException:
                take_back(self._destination, temporary)
                raise
        finally:
            os.close(temporary.descriptor)
        return plan

    def _populate(
        self,
        temporary: Temporary,
        plan: Plan,
        programs: tuple[str, ...],
        image: ImageConfig,
        *,
        durable: bool,
    ) -> Plan:
        shown = self._destination.shown
        status = os.fstat(temporary.descriptor)
        owner = (status.st_uid, status.st_gid)
        metadata = Metadata(self._notes, owner, privileged=os.geteuid() == 0)
        place = Place(temporary.descriptor, shown)
        population = Population(
            place, self._sources, metadata, self._notes, durable=durable, progress=self._progress
        )
        plan = population.fill(plan)
        manifest = manifest_of(programs, plan, image, self._base)
        population.add_manifest(manifest_bytes(manifest), _MANIFEST)
        population.settle(plan)
        population.flush()
        return plan


def take_back(destination: Destination, temporary: Temporary) -> None:
    """Remove the temporary, if that is still what has its name."""
    from rootgen.rootfs.remove import remove_tree

    parent = destination.parent
    try:
        named = os.stat(temporary.name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if os.path.samestat(os.fstat(temporary.descriptor), named):
        remove_tree(parent, temporary.name)


def put_in_place(
    destination: Destination, temporary: Temporary, old: Old | None, notes: Notes
) -> None:
    """Give the temporary its name, in one rename; what had it is removed. Raises TreeError."""
    parent, name = destination.parent, destination.name
    try:
        if old is None or old.is_empty:
            take_free_place(parent, temporary.name, name)
            return
        from rootgen.linux.sync import sync_filesystem

        aside = destination.aside()
        now = exchange_places(parent, temporary.name, name, old.identity, aside)
        # Its blocks may be another file's before the names are on the disk.
        sync_filesystem(temporary.descriptor)
    except OSError as error:
        raise _no_place(destination.shown, error) from error
    destination.remove(now, notes)


def _examine(destination: Destination, *, force: bool) -> Old | None:
    """Return what is to be replaced, or raise TreeError where it should not be."""
    identity = destination.standing()
    if identity is None:
        return None
    shown = destination.shown
    with Blaming(shown, None):
        descriptor = os.open(destination.name, DIRECTORY, dir_fd=destination.parent)
    if not lock(descriptor):
        os.close(descriptor)
        raise TreeError(f"{shown} is being replaced by another rootgen at this moment")
    try:
        names = sorted(os.listdir(descriptor))
        if names and not force:
            _refuse_others(descriptor, shown, names)
    except BaseException:
        os.close(descriptor)
        raise
    return Old(descriptor, identity, not names)


def _refuse_others(root: int, shown: str, names: list[str]) -> None:
    """Raise TreeError unless the open directory ``root`` is a tree of ours, as it was made."""
    from rootgen.rootfs.drift import drift_of
    from rootgen.rootfs.scan import read_manifest

    hint = "give --out another directory, or replace this one: --force"
    try:
        manifest = read_manifest(root)
        if manifest is None:
            inside = ", ".join(names[:_TOLD]) + (", …" if len(names) > _TOLD else "")
            raise TreeError(
                f"{shown} is there already, and rootgen did not make it",
                why=(f"it holds {inside}",),
                hint=hint,
            )
        words = list(drift_of(root, manifest).words())
    except PlanError as error:
        raise TreeError(
            f"{shown} is there already, and its manifest is not as rootgen wrote it",
            why=(error.what,),
            hint=hint,
        ) from error
    if words:
        more = (f"… and {len(words) - _TOLD} more",) if len(words) > _TOLD else ()
        raise TreeError(
            f"{shown} changed since it was made", why=(*words[:_TOLD], *more), hint=hint
        )


def _whole(plan: Plan, notes: Notes) -> Plan:
    """Return ``plan`` with the directory of the manifest and without a manifest of another tree.

    Raises PlanError for what no tree can hold.
    """
    entries = {entry.path: entry for entry in plan.entries()}
    if entries.pop(MANIFEST_PATH, None) is not None:
        notes.add(MANIFEST_PATH, "left out: the tree has a manifest of its own")
    parent = parent_of(MANIFEST_PATH)[0]
    while parent not in entries:
        entries[parent] = Entry(parent, EntryKind.DIRECTORY, 0o755, reasons=_REASON)
        parent = parent_of(parent)[0]
    for entry in entries.values():
        _check(entry, entries)
    return plan if len(entries) == len(plan) else Plan(entries.values())


def _check(entry: Entry, entries: dict[str, Entry]) -> None:
    if entry.path == "/":
        if entry.kind is not EntryKind.DIRECTORY:
            raise PlanError("/ is not a directory")
        return
    parent, name = parent_of(entry.path)
    if not entry.path.startswith("/") or name in {"", ".", ".."}:
        raise PlanError(f"{entry.path} is not an absolute and normalised path")
    above = entries.get(parent)
    if above is None or above.kind is not EntryKind.DIRECTORY:
        raise PlanError(f"{entry.path} is in no directory of the plan")
    if entry.kind is EntryKind.HARDLINK:
        target = entries.get(entry.target)
        if target is None or target.kind is not EntryKind.FILE or target[2:6] != entry[2:6]:
            raise PlanError(f"{entry.path} is a hard link to {entry.target}, no such file here")


def _hashing(entry: Entry, sources: Sources) -> Callable[[], Entry]:
    file = sources.open(entry)

    def job() -> Entry:
        with file:
            try:
                sha256, size = digest_content(file)
            except OSError as error:
                raise RootgenError(f"cannot read {entry.path}: {error.strerror}") from error
        return entry._replace(sha256=sha256, size=size)

    return job


def _no_place(shown: str, error: OSError) -> TreeError:
    import errno

    if error.errno == errno.EBUSY:
        return TreeError(
            f"cannot replace {shown}: it is a mount point, or the current directory of a mount",
            hint="give --out a directory within it",
        )
    if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
        return TreeError(f"{shown} was made by something else meanwhile; it is untouched")
    if error.errno == errno.EXDEV:
        return TreeError(
            f"cannot replace {shown}: its file system does not rename directories (overlay)",
            hint="remove it first",
        )
    return write_error(shown, error)
