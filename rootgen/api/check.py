"""``check``: what changed in a tree since it was made, and whether its programs still load."""

from __future__ import annotations

import os

from rootgen.closure.resolve import Gathering
from rootgen.errors import ElfError, LoaderError, MissingError, SysrootError
from rootgen.ldso.system import System
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import ReasonKind
from rootgen.report.changes import CheckReport, Lack
from rootgen.rootfs.drift import drift_of
from rootgen.rootfs.scan import open_tree, tree_manifest
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.named import Progress
    from rootgen.plan.plan import Plan


def check(root: str, *, progress: Progress | None = None) -> CheckReport:
    """Compare the tree at the directory ``root`` with its manifest and load its programs in it.

    ``progress`` is called with a phase, the bytes read and 0. Raises
    TreeError where there is no tree of ours, PlanError for a malformed
    manifest.
    """
    descriptor = open_tree(root)
    try:
        manifest = tree_manifest(descriptor, root)
        drift = drift_of(descriptor, manifest, progress=progress)
    finally:
        os.close(descriptor)
    sysroot = DirectorySysroot(root)
    # An increment's programs are proven where it is made, over its base.
    asked = () if manifest.base else manifest.programs
    lacks = tuple(_lacks(sysroot, asked, manifest.plan))
    unheld = tuple((note.path, note.what) for note in drift.unheld)
    programs = sum(_is_program(sysroot, one, manifest.plan) for one in asked)
    entries = len(manifest.plan)
    return CheckReport(root, manifest.digest, programs, entries, drift.change, unheld, lacks)


def _lacks(sysroot: DirectorySysroot, programs: tuple[str, ...], plan: Plan) -> Iterator[Lack]:
    gathering = Gathering(System(sysroot))
    for program in programs:
        try:
            gathering.add(program, program, lenient=not _is_program(sysroot, program, plan))
        except (ElfError, LoaderError, MissingError, SysrootError) as error:
            yield Lack(program, program, "; ".join((error.what, *error.why)))
    for one in gathering.closure().lacking:
        searched = f"; searched {', '.join(one.searched)}" if one.searched else ""
        yield Lack(one.chain[0], one.name, f"{one.why}; {one.chain[-1]} wants it{searched}")


def _is_program(sysroot: DirectorySysroot, path: str, plan: Plan) -> bool:
    """Tell whether a path was asked for as a program, not brought as a file that may be one."""
    found = sysroot.lookup(path)
    entry = None if found is None else plan.get(found.path)
    return entry is None or any(
        reason.kind is ReasonKind.REQUESTED
        or (reason.kind is ReasonKind.PROFILE and reason.detail.startswith("programs"))
        for reason in entry.reasons
    )
