"""An OCI bundle: a directory of ``config.json`` and, copied or not, the root file system."""

from __future__ import annotations

import os

from rootgen.errors import TreeError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, FromSysroot
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.rootfs.blame import Blaming
from rootgen.rootfs.commit import Endable, Undisturbed
from rootgen.rootfs.content import Sources
from rootgen.rootfs.destination import Destination, lock
from rootgen.rootfs.metadata import Metadata
from rootgen.rootfs.note import Note, Notes
from rootgen.rootfs.populate import Place, Population
from rootgen.rootfs.scan import scan_tree
from rootgen.rootfs.walk import DIRECTORY
from rootgen.rootfs.write import Old, put_in_place, take_back
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.rootfs.destination import Temporary

    Progress = Callable[[str, int, int], None]

# runtime-spec, bundle.md.
CONFIG, ROOTFS = "config.json", "rootfs"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MANIFEST = Entry(MANIFEST_PATH, EntryKind.FILE, 0o644)


def write_bundle(
    out: str, config: bytes, tree: str, *, copied: bool, force: bool, progress: Progress | None
) -> tuple[Note, ...]:
    """Write the bundle ``out``, whole or not at all; return what could not be kept.

    With ``copied`` the tree at ``tree`` is copied into it (as a reflink where
    the file system has those), with the owners that its manifest says. What
    stands there is replaced with ``force`` only, if it is not empty. Raises
    TreeError, SysrootError for a file that may not be read, PlanError.
    """
    notes = Notes()
    plan = _plan_of(tree, progress) if copied else None
    destination = Destination(out, os.path.realpath(tree))
    try:
        old = _examine(destination, force=force)
        try:
            destination.sweep(notes)
            with Endable():
                _write(destination, config, plan, tree, notes, old, progress)
        finally:
            if old is not None:
                os.close(old.descriptor)
    finally:
        destination.close()
    return notes.all()


def _plan_of(tree: str, progress: Progress | None) -> Plan:
    return Plan(
        entry._replace(content=FromSysroot(entry.path)) if entry.kind is EntryKind.FILE else entry
        for entry in scan_tree(tree, progress=progress).entries()
    )


def _examine(destination: Destination, *, force: bool) -> Old | None:
    identity = destination.standing()
    if identity is None:
        return None
    with Blaming(destination.shown, None):
        descriptor = os.open(destination.name, DIRECTORY, dir_fd=destination.parent)
    names = sorted(os.listdir(descriptor))
    if not lock(descriptor) or (names and not force):
        os.close(descriptor)
        what = ", ".join(names[:5]) + (", …" if names[5:] else "")
        raise TreeError(
            f"{destination.shown} is there already",
            why=(f"it holds {what}",) if names else ("another rootgen is writing it",),
            hint="name another directory, or replace this one: --force",
        )
    return Old(descriptor, identity, not names)


def _write(
    destination: Destination,
    config: bytes,
    plan: Plan | None,
    tree: str,
    notes: Notes,
    old: Old | None,
    progress: Progress | None,
) -> None:
    temporary = destination.begin()
    try:
        try:
            if plan is not None:
                _copy(temporary, destination.shown, plan, tree, notes, progress)
            with Blaming(f"{destination.shown}/{CONFIG}", None):
                file = os.open(CONFIG, _NEW, 0o644, dir_fd=temporary.descriptor)
                with open(file, "wb") as opened:
                    opened.write(config)
                    os.fchmod(opened.fileno(), 0o644)
                    opened.flush()
                    os.fsync(opened.fileno())
                os.fchmod(temporary.descriptor, 0o755)
            with Undisturbed():
                put_in_place(destination, temporary, old, notes)
        except BaseException:
            take_back(destination, temporary)
            raise
    finally:
        os.close(temporary.descriptor)


def _copy(
    temporary: Temporary,
    shown: str,
    plan: Plan,
    tree: str,
    notes: Notes,
    progress: Progress | None,
) -> None:
    os.mkdir(ROOTFS, 0o700, dir_fd=temporary.descriptor)
    top = os.open(ROOTFS, DIRECTORY, dir_fd=temporary.descriptor)
    try:
        sysroot = DirectorySysroot(tree)
        status = os.fstat(top)
        owner = (status.st_uid, status.st_gid)
        metadata = Metadata(notes, owner, privileged=os.geteuid() == 0)
        population = Population(
            Place(top, f"{shown}/{ROOTFS}"),
            Sources(sysroot, sysroot),
            metadata,
            notes,
            durable=True,
            progress=progress,
        )
        plan = population.fill(plan)
        manifest = _manifest_bytes(sysroot)
        if manifest is not None:
            population.add_manifest(manifest, _MANIFEST)
        population.settle(plan)
        population.flush()
    finally:
        os.close(top)


def _manifest_bytes(sysroot: DirectorySysroot) -> bytes | None:
    """Return the tree's manifest as it stands, which a scan leaves out; None where it has none."""
    from rootgen.errors import SysrootError

    try:
        with sysroot.open(MANIFEST_PATH) as file:
            data = b""
            while part := file.pread(1 << 20, len(data)):
                data += part
            return data
    except SysrootError:
        return None
