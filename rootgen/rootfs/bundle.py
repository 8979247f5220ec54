"""An OCI bundle: a directory of ``config.json`` and, copied or not, the root file system."""

from __future__ import annotations

import os

from rootgen.named import TYPE_CHECKING, NamedTuple
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

    from rootgen.named import Progress
    from rootgen.rootfs.note import Note, Notes
    from rootgen.sysroot.port import Sysroot


# runtime-spec, bundle.md.
CONFIG, ROOTFS = "config.json", "rootfs"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MANIFEST = Entry(MANIFEST_PATH, EntryKind.FILE, 0o644)


class Copied(NamedTuple):
    """What is copied into a bundle: ``plan``, the root its contents are of, and its manifest.

    That is None where the plan has it, or there is none.
    """

    plan: Plan
    sysroot: Sysroot
    manifest: bytes | None = None


def copied_tree(tree: str, progress: Progress | None = None) -> Copied:
    """Return the tree in a directory as what is copied, with the owners that its manifest says.

    Raises TreeError, PlanError.
    """
    plan = scan_tree(tree, progress=progress)
    sysroot = DirectorySysroot(tree)
    return Copied(by_path(plan), sysroot, _manifest_bytes(sysroot))


def by_path(plan: Plan) -> Plan:
    """Return ``plan`` with its files' contents at their own paths of a root."""
    return Plan(
        entry._replace(content=FromSysroot(entry.path)) if entry.kind is EntryKind.FILE else entry
        for entry in plan.entries()
    )


def write_bundle(
    out: str,
    config: Callable[[str], bytes],
    copied: Copied | None,
    *,
    apart: str,
    force: bool,
    progress: Progress | None,
) -> tuple[Note, ...]:
    """Write the bundle ``out``, whole or not at all; return what could not be kept.

    ``copied`` is copied into it (as a reflink where the file system has
    those); ``config`` returns ``config.json``, and is called with where the
    copy is. What stands there is replaced with ``force`` only, if it is not
    empty; ``apart`` is being read. Raises TreeError, SysrootError for a file
    that may not be read, PlanError, and what ``config`` raises.
    """

    def fill(directory: int, notes: Notes) -> None:
        if copied is not None:
            _copy(directory, out, copied, notes, progress)
        data = config(f"/proc/self/fd/{directory}/{ROOTFS}")
        with Blaming(f"{out}/{CONFIG}", None):
            file = os.open(CONFIG, _NEW, 0o644, dir_fd=directory)
            with open(file, "wb") as opened:
                opened.write(data)
                os.fchmod(opened.fileno(), 0o644)
                opened.flush()
                os.fsync(opened.fileno())

    return write_directory(out, fill, apart=apart, force=force)


def _copy(
    directory: int,
    shown: str,
    copied: Copied,
    notes: Notes,
    progress: Progress | None,
) -> None:
    os.mkdir(ROOTFS, 0o700, dir_fd=directory)
    top = os.open(ROOTFS, DIRECTORY, dir_fd=directory)
    try:
        status = os.fstat(top)
        owner = (status.st_uid, status.st_gid)
        metadata = Metadata(notes, owner, privileged=os.geteuid() == 0)
        population = Population(
            Place(top, f"{shown}/{ROOTFS}"),
            Sources(copied.sysroot, copied.sysroot),
            metadata,
            notes,
            durable=True,
            progress=progress,
        )
        plan = population.fill(copied.plan)
        if copied.manifest is not None:
            population.add_manifest(copied.manifest, _MANIFEST)
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
