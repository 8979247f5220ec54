"""``deps``: what the dynamic loader would map for a file, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.api.targets import find_target, open_sysroot, working_directory
from rootgen.closure.resolve import interpreters_of
from rootgen.ldso.cpu import read_cpu
from rootgen.ldso.system import System
from rootgen.named import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.ldso.load import Load


class DepsResult(NamedTuple):
    """One target: as given, as found, its process; ``script`` are the interpreters met."""

    target: str
    path: str
    load: Load
    script: tuple[str, ...] = ()


def deps(
    targets: Sequence[str], *, sysroot: str = "/", library_path: tuple[str, ...] = ()
) -> tuple[DepsResult, ...]:
    """Return what each of ``targets`` would load, resolved within ``sysroot``.

    A target is a path, or a name on the root's PATH; for a script it is its
    interpreter that loads. Raises MissingError for a target that is not
    there and ElfError for one that is no program; libraries that lack are
    in ``load.missing``.
    """
    root = open_sysroot(sysroot)
    # The host's own root answers for this processor and this directory, any other for none.
    system = System(root, cpu=read_cpu(root), working_directory=working_directory(sysroot))
    results: list[DepsResult] = []
    for target in targets:
        path = find_target(root, target)
        script = interpreters_of(root, path)
        program = script[-1] if script else path
        load = system.load(program, library_path=library_path)
        results.append(DepsResult(target, path, load, script))
    return tuple(results)
