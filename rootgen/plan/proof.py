"""The proof that a Plan stands on its own: its programs find there what they found before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.ldso.system import System
from rootgen.named import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Sysroot


class Divergence(NamedTuple):
    """A program that would not load in the target what it loads where it was read.

    ``wanted`` and ``got`` are real paths; ``got`` is None where the target's
    loader would find nothing.
    """

    program: str
    name: str
    wanted: str
    got: str | None


def divergences(loads: Mapping[str, Load], target: Sysroot) -> list[Divergence]:
    """Resolve each of ``loads`` again inside ``target`` and return what differs.

    ``loads`` are by the path each program was opened at.
    """
    system = System(target)
    found: list[Divergence] = []
    for opened, load in loads.items():
        again = system.load(opened)
        if _paths(load) != _paths(again):
            found.extend(_compare(opened, load, again))
    return found


def _paths(load: Load) -> list[str]:
    return [mapped.found.path for mapped in load.objects]


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
        # The same objects in another order: say which come first.
        pairs = zip(_paths(load), _paths(again), strict=False)
        wanted, other = next((a, b) for a, b in pairs if a != b)
        differing[wanted] = Divergence(opened, wanted, wanted, other)
    return list(differing.values())
