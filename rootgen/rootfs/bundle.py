"""An OCI bundle: a directory of ``config.json`` and, copied or not, the root file system."""

from __future__ import annotations

import os

from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, FromSysroot
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.rootfs.blame import Blaming
from rootgen.rootfs.content import Sources
from rootgen.rootfs.directory import write_directory
from rootgen.rootfs.metadata import Metadata
from rootgen.rootfs.populate import Place, Population
from rootgen.rootfs.scan import scan_tree
from rootgen.rootfs.walk import DIRECTORY
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.rootfs.note import Note, Notes

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
    plan = _plan_of(tree, progress) if copied else None

    def fill(directory: int, notes: Notes) -> None:
        if plan is not None:
            _copy(directory, out, plan, tree, notes, progress)
        with Blaming(f"{out}/{CONFIG}", None):
            file = os.open(CONFIG, _NEW, 0o644, dir_fd=directory)
            with open(file, "wb") as opened:
                opened.write(config)
                os.fchmod(opened.fileno(), 0o644)
                opened.flush()
                os.fsync(opened.fileno())

    return write_directory(out, fill, apart=tree, force=force)


def _plan_of(tree: str, progress: Progress | None) -> Plan:
    return Plan(
        entry._replace(content=FromSysroot(entry.path)) if entry.kind is EntryKind.FILE else entry
        for entry in scan_tree(tree, progress=progress).entries()
    )


def _copy(
    directory: int,
    shown: str,
    plan: Plan,
    tree: str,
    notes: Notes,
    progress: Progress | None,
) -> None:
    os.mkdir(ROOTFS, 0o700, dir_fd=directory)
    top = os.open(ROOTFS, DIRECTORY, dir_fd=directory)
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
