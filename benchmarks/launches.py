"""``rootgen.run`` from Python, in a loop on one processor, beside bwrap.

Usage: ``python -m benchmarks.launches [--runs N] [--json]``: a hundred
launches of /bin/true for each of N rounds. Root or not.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import rootgen
from benchmarks import peers
from benchmarks.measure import Case, Outcome, Sample, perform
from benchmarks.place import ROOTGEN, Target, options, tell, workplace

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMAND = ("/bin/true",)
_A_ROUND = 100
_IN_A_ROW = 50
_LAUNCHES_A_SECOND = 150
_OVER_BWRAP = 3.0  # milliseconds


def _through_api(tree: str) -> Sample:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    status = rootgen.run(tree, _COMMAND).status
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    # The caller's own time and size: the launch server is no child of it.
    used = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    return Sample(status, seconds, used, after.ru_maxrss * 1024, "")


def _measure(ways: dict[str, Callable[[], Sample]], rounds: int) -> tuple[Outcome, ...]:
    """Do each way in turn, ``_IN_A_ROW`` launches each time, as a test suite would.

    Short enough that each meets the same machine, and long enough that one is not measured with
    the caches that another left behind. The first of each way, once, are not counted.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in ways}
    for number in range(-1, rounds * _A_ROUND // _IN_A_ROW):
        for name, way in ways.items():
            for _ in range(_IN_A_ROW):
                sample = way()
                if sample.status != 0:
                    raise SystemExit(f"{name}: exit status {sample.status} {sample.output}")
                if number >= 0:
                    samples[name].append(sample)
    return tuple(Outcome(name, tuple(found)) for name, found in samples.items())


def _targets(outcomes: dict[str, Outcome]) -> list[Target]:
    own = outcomes["rootgen.run"]
    # A mean, not a median: so many in a second is what a test suite waits for.
    mean = sum(one.seconds for one in own.samples) / len(own.samples) * 1000
    reached = [Target("each of the launches in a loop", mean, 1000 / _LAUNCHES_A_SECOND, "ms")]
    if "bwrap" in outcomes:
        limit = outcomes["bwrap"].median + _OVER_BWRAP
        reached.append(Target("a launch, against bwrap and 3 ms", own.median, limit, "ms"))
    return reached


def main() -> int:
    """Measure, and print."""
    chosen = options("rootgen.run in a loop, beside bwrap")
    # One processor for all of it: the caller, the launch server, and what they launch.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with workplace() as place:
        tree = os.path.join(place, "tree")
        subprocess.run(
            [ROOTGEN, "make", "bash", "true", "--out", tree], check=True, capture_output=True
        )
        ways: dict[str, Callable[[], Sample]] = {"rootgen.run": lambda: _through_api(tree)}
        if shutil.which("bwrap"):
            case = peers.bwrap(tree, _COMMAND)
            ways["bwrap"] = lambda: perform(case)
        command = Case("rootgen run", (ROOTGEN, "run", tree, "--", *_COMMAND))
        ways["rootgen run (the command)"] = lambda: perform(command)
        outcomes = _measure(ways, max(chosen.runs // 10, 1))
    named = {one.name: one for one in outcomes}
    return tell(outcomes, named["rootgen.run"], _targets(named), as_data=chosen.json)


if __name__ == "__main__":
    sys.exit(main())
