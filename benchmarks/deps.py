"""``rootgen deps`` beside libtree, lddtree and ldd: all of /usr/bin in one call, and two programs.

Usage: ``python -m benchmarks.deps [--runs N] [--json]``. Every tool is given
the same files, those of /usr/bin that are ELF; ldd and lddtree are so slow
that they take part in a few rounds only, and in one.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from benchmarks.make import cases as make_cases
from benchmarks.measure import Case, Outcome, Sample, clean_environment, difference, measure
from benchmarks.place import ROOTGEN, Target, options, tell, workplace

_DIRECTORY = "/usr/bin"
_LDD_ROUNDS, _LDDTREE_ROUNDS = 5, 1
_LIBTREE_RATIO = 1 / 3
_LDD_RATIO = 1 / 25
_OWN_WORK_MS = 3.0
_SMALL = ("bash", "ls")


def everything() -> tuple[Case, dict[str, Case]]:
    """Return ours, and the tools that are asked the same of all of /usr/bin.

    A tool exits as it likes where one of so many files lacks something or
    is static: that is no failure of the measurement.
    """
    files = tuple(_elf_files(_DIRECTORY))
    whatever = ("sh", "-c", '"$@"; true', "sh")
    rootgen = Case(
        "rootgen deps --format list", (*whatever, ROOTGEN, "deps", "--format", "list", *files)
    )
    libtree = Case("libtree -vvv", (*whatever, "libtree", "-vvv", *files))
    # lddtree is for the system's Python: a version manager's has no pyelftools.
    system = {**clean_environment(), "PATH": "/usr/bin:/bin"}
    peers = {"libtree": libtree}
    for name in ("ldd", "lddtree"):
        peers[name] = Case(name, (*whatever, name, *files), None, system)
    return rootgen, peers


def small(place: str) -> list[Case]:
    """Return ``deps bash ls``, and the floor under it: a click program of five lines."""
    made = make_cases(place)
    command = (ROOTGEN, "deps", "--format", "list", *_SMALL)
    return [Case("rootgen deps bash ls", command), made["click hello world"], made["bare Python"]]


def in_process(runs: int) -> tuple[Outcome, Outcome]:
    """Return our own work alone, start and printing left out: all of /usr/bin, and two programs."""
    from rootgen.api.deps import Asked, Resolver

    def resolve(files: list[str]) -> Sample:
        start, processor = time.perf_counter(), time.process_time()
        resolver = Resolver(Asked())
        for path in files:
            resolver.load(path)
        seconds = time.perf_counter() - start
        return Sample(0, seconds, time.process_time() - processor, 0, "")

    files = _elf_files(_DIRECTORY)
    two = [os.path.join(_DIRECTORY, name) for name in _SMALL]
    resolve(files)
    return (
        Outcome("API, all of /usr/bin", tuple(resolve(files) for _ in range(runs))),
        Outcome("API, bash and ls", tuple(resolve(two) for _ in range(runs))),
    )


def targets(
    pairs: dict[str, tuple[Outcome, Outcome]], two: list[Outcome], own: Outcome
) -> list[Target]:
    """Return what is to be reached, with what was."""
    reached: list[Target] = []
    for name, ratio in (("libtree", _LIBTREE_RATIO), ("ldd", _LDD_RATIO)):
        ours, peer = pairs[name]
        if not peer.problem and not ours.problem:
            what = f"all of /usr/bin, against {ratio:.2f} of {peer.name}"
            reached.append(Target(what, ours.median, ratio * peer.median, "ms"))
    reached.append(Target("own work for bash and ls, once started", own.median, _OWN_WORK_MS, "ms"))
    if not two[0].problem and not two[1].problem:
        what = "deps bash ls less click hello world, round by round"
        reached.append(Target(what, difference(two[0], two[1]), _OWN_WORK_MS, "ms"))
    return reached


def main() -> int:
    """Measure, and print."""
    chosen = options("rootgen deps beside its peers")
    count = len(_elf_files(_DIRECTORY))
    ours, peers = everything()
    rounds = {"libtree": chosen.runs, "ldd": _LDD_ROUNDS, "lddtree": _LDDTREE_ROUNDS}
    pairs: dict[str, tuple[Outcome, Outcome]] = {}
    for name, peer in peers.items():
        first, second = measure([ours, peer], min(rounds[name], chosen.runs))
        pairs[name] = first, second
    with workplace() as place:
        two = list(measure(small(place), chosen.runs))
    whole, own = in_process(chosen.runs)
    reference = pairs["libtree"][0]
    told = [reference, *(_scaled(*pair, reference) for pair in pairs.values()), *two, whole, own]
    if not chosen.json:
        print(f"{count} programs of {_DIRECTORY}\n")
    return tell(told, reference, targets(pairs, two, own), as_data=chosen.json)


def _scaled(ours: Outcome, one: Outcome, reference: Outcome) -> Outcome:
    """Return a peer's times as they would be in the rounds of ``reference``: the ratio is kept."""
    if one.problem or not (ours.samples and reference.samples):
        return one
    speed = reference.median / statistics.median(sample.seconds * 1000 for sample in ours.samples)
    return one._replace(
        samples=tuple(sample._replace(seconds=sample.seconds * speed) for sample in one.samples)
    )


def _elf_files(directory: str) -> list[str]:
    found = []
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_file() and os.access(entry.path, os.R_OK | os.X_OK):
            with open(entry.path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    found.append(entry.path)
    return found


if __name__ == "__main__":
    sys.exit(main())
