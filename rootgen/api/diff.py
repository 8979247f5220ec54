"""``diff``: two trees, or a tree and a manifest, compared as Plans."""

from __future__ import annotations

import os

from rootgen.errors import TreeError
from rootgen.layer.difference import NOT_OF_THE_DIGEST, NOT_OF_THE_TARGET, difference
from rootgen.named import TYPE_CHECKING
from rootgen.rootfs.scan import manifest_file, scan_tree

if TYPE_CHECKING:
    from rootgen.layer.difference import Difference
    from rootgen.named import Progress
    from rootgen.plan.plan import Plan


def diff(
    before: str, after: str, *, times: bool = False, progress: Progress | None = None
) -> Difference:
    """Return what makes ``after`` of ``before``: each a directory, or the file of a manifest.

    A tree that rootgen made is compared as it was meant: an ordinary user's
    has the owners of its manifest. Modification times count with ``times``.
    Raises TreeError for what is neither, PlanError for a malformed manifest.
    """
    ignoring = NOT_OF_THE_TARGET if times else NOT_OF_THE_DIGEST
    return difference(_plan(before, progress), _plan(after, progress), ignoring=ignoring)


def _plan(name: str, progress: Progress | None) -> Plan:
    if os.path.isdir(name):
        return scan_tree(name, progress=progress)
    if not os.path.lexists(name):
        raise TreeError(f"{name} does not exist")
    return manifest_file(name).plan
