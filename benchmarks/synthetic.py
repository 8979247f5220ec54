"""A made system of thousands of libraries: how time and memory grow with it.

Usage: ``python -m benchmarks.synthetic [--json]``. Each size is resolved in a
process of its own, within the system as ``--sysroot`` does it; times are those
of the processor.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from benchmarks.measure import clean_environment
from tests.elf.image import DT_NEEDED, DT_SONAME, Recipe, build

_SIZES = (2_500, 5_000, 10_000, 15_000, 20_000)
_NEEDED = 10
# Libraries need those of their own cluster, in circles as well, and a program needs a cluster.
_CLUSTER = 100
_LIBRARIES = "usr/lib64"
_LOADER = "/lib64/ld-linux-x86-64.so.2"
_ROUNDS = 3
_PEAK_MB = 300.0
# How much more an edge may cost in the largest system than in the smallest.
_GROWTH = 1.5
_BAR = 40


class Figures(NamedTuple):
    """One size: ``one_ms`` for the program that maps everything, ``many_ms`` for all others."""

    libraries: int
    edges: int
    one_ms: float
    programs: int
    many_ms: float
    peak_mb: float

    @property
    def edge_us(self) -> float:
        """Return what an edge costs, in microseconds: each is followed twice."""
        return (self.one_ms + self.many_ms) * 1000 / (2 * self.edges)


def make_system(root: str, libraries: int) -> None:
    """Write a loader, ``libraries`` libraries and their programs beneath ``root``.

    ``/usr/bin/all`` needs the first library of each cluster, and the others
    are reached from there; ``/usr/bin/pN`` needs that of cluster N alone.
    """
    choose = random.Random(libraries)
    for directory in (_LIBRARIES, "usr/bin", "lib64"):
        os.makedirs(os.path.join(root, directory))
    _write(root, _LOADER, Recipe(dynamic=((DT_SONAME, b"ld-linux-x86-64.so.2"),)))
    clusters = range(0, libraries, _CLUSTER)
    for start in clusters:
        for number in range(_CLUSTER):
            # The next one, so that each is reached, and others at random.
            wanted = [(number + 1) % _CLUSTER, *choose.sample(range(_CLUSTER), _NEEDED - 1)]
            needed = [_name(start + one) for one in wanted]
            recipe = _recipe(needed, _name(start + number))
            _write(root, f"/{_LIBRARIES}/{_name(start + number).decode()}", recipe)
        _write(root, f"/usr/bin/p{start // _CLUSTER}", _recipe([_name(start)]))
    _write(root, "/usr/bin/all", _recipe([_name(start) for start in clusters]))


def resolve(root: str) -> Figures:
    """Return what System needs for the system at ``root``; peak memory is this process's."""
    from rootgen.ldso.system import System
    from rootgen.sysroot.directory import DirectorySysroot

    # As the command line has it (rootgen/cli): Python's own setting is a third of the time here.
    gc.set_threshold(100_000, 50, 50)
    start = time.process_time()
    load = System(DirectorySysroot(root)).load("/usr/bin/all")
    one = time.process_time() - start
    assert not load.missing, load.missing[:3]
    # The program and the loader besides.
    libraries, edges = len(load.objects) - 2, len(load.needs)
    start = time.process_time()
    system = System(DirectorySysroot(root))
    programs = range(libraries // _CLUSTER)
    loads = [system.load(f"/usr/bin/p{number}") for number in programs]
    many = time.process_time() - start
    assert sum(len(load.objects) - 2 for load in loads) == libraries
    with open("/proc/self/status", encoding="ascii") as file:
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", file.read(), re.MULTILINE)
    assert peak is not None
    return Figures(
        libraries, edges, one * 1000, len(programs), many * 1000, int(peak[1]) * 1024 / 1e6
    )


def measured(libraries: int) -> Figures:
    """Make a system and resolve it, each round in a process of its own; return the best round."""
    with tempfile.TemporaryDirectory(prefix="rootgen-synthetic.") as place:
        root = os.path.join(place, "root")
        make_system(root, libraries)
        rounds = []
        for _ in range(_ROUNDS):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.synthetic", "--resolve", root],
                check=True,
                capture_output=True,
                env=clean_environment(),
            )
            rounds.append(Figures(*json.loads(done.stdout)))
    best = min(rounds, key=lambda one: one.one_ms + one.many_ms)
    return best._replace(peak_mb=max(one.peak_mb for one in rounds))


def main() -> int:
    """Measure each size, and print the curve; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="how resolving grows with the system")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--resolve", metavar="ROOT", help="resolve one made system (internal)")
    chosen = parser.parse_args()
    if chosen.resolve:
        print(json.dumps(resolve(chosen.resolve)))
        return 0
    curve = []
    if not chosen.json:
        print(f"{'libraries':>9} {'edges':>8} {'one process':>12} {'programs':>15} {'peak':>9}")
    for size in _SIZES:
        curve.append(measured(size))
        if not chosen.json:
            print(_row(curve[-1], curve[0]), flush=True)
    growth = curve[-1].edge_us / curve[0].edge_us
    missed = growth > _GROWTH or curve[-1].peak_mb > _PEAK_MB
    if chosen.json:
        document = {"rootgen": 1, "curve": [one._asdict() for one in curve], "growth": growth}
        print(json.dumps(document, indent=2))
        return int(missed)
    print(
        f"\n{'MISSED' if growth > _GROWTH else 'reached'}: an edge costs {growth:.2f} times as "
        f"much in the largest system, at most {_GROWTH}\n"
        f"{'MISSED' if curve[-1].peak_mb > _PEAK_MB else 'reached'}: "
        f"{curve[-1].peak_mb:.0f} MB at the peak, at most {_PEAK_MB:.0f}"
    )
    return int(missed)


def _row(one: Figures, first: Figures) -> str:
    # A curve of what an edge costs: level where growth is linear.
    bar = "#" * round(_BAR / 2 * one.edge_us / first.edge_us)
    return (
        f"{one.libraries:9} {one.edges:8} {one.one_ms:9.0f} ms "
        f"{one.programs:4}: {one.many_ms:6.0f} ms {one.peak_mb:6.0f} MB "
        f"{one.edge_us:6.2f} us an edge {bar}"
    )


def _name(number: int) -> bytes:
    return b"libsynthetic%d.so.1" % number


def _recipe(needed: list[bytes], soname: bytes | None = None) -> Recipe:
    """Return a library, or without a SONAME a program."""
    pairs = [(DT_NEEDED, name) for name in needed]
    if soname is None:
        return Recipe(interpreter=_LOADER.encode(), dynamic=tuple(pairs))
    return Recipe(dynamic=(*pairs, (DT_SONAME, soname)))


def _write(root: str, path: str, recipe: Recipe) -> None:
    with open(root + path, "wb") as file:
        file.write(build(recipe).data)


if __name__ == "__main__":
    sys.exit(main())
