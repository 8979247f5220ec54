"""The proof that a Plan stands on its own: its programs find there what they found before."""

from __future__ import annotations

from itertools import zip_longest

from rootgen.ldso.cpu import BASELINE
from rootgen.ldso.system import System
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.ldso.cpu import Cpu
    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Sysroot


class Divergence(NamedTuple):
    """A program that would not load in the target what it loads where it was read.

    ``wanted`` and ``got`` are real paths; ``got`` is None, or ``wanted`` "",
    where that loader finds nothing.
    """

    program: str
    name: str
    wanted: str
    got: str | None


def divergences(
    loads: Mapping[str, Load], target: Sysroot, cpu: Cpu = BASELINE
) -> list[Divergence]:
    """Resolve each of ``loads`` again inside ``target`` and return what differs.

    ``loads`` are by the path each program was opened at, on the processor
    ``cpu``.
    """
    system = System(target, cpu=cpu)
    found: list[Divergence] = []
    for opened, load in loads.items():
        again = system.load(opened)
        if _paths(load) != _paths(again):
            found.extend(_compare(opened, load, again))
    return found


def _paths(load: Load) -> list[str]:
    # A library given as the program names no loader: the one that would run it is no need of it.
    asked = {0, *(need.target for need in load.needs)}
    return [mapped.found.path for index, mapped in enumerate(load.objects) if index in asked]


def _compare(opened: str, load: Load, again: Load) -> list[Divergence]:
    got = {
        need.name: again.objects[need.target].found.path
        for need in again.needs
        if need.target is not None
    }
    differing: dict[str, Divergence] = {}
    for need in load.needs:
        if need.target is None:
            continue
        wanted = load.objects[need.target].found.path
        if got.get(need.name) != wanted:
            differing[need.name] = Divergence(opened, need.name, wanted, got.get(need.name))
    if not differing:
        # The same objects in another order, or more of them: say where they part.
        pairs = zip_longest(_paths(load), _paths(again), fillvalue="")
        wanted, other = next((a, b) for a, b in pairs if a != b)
        differing[wanted] = Divergence(opened, wanted or other, wanted, other or None)
    return list(differing.values())
