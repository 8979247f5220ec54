"""Timing commands in turn, so that whatever slows the machine slows each of them alike."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# Rounds before the ones that count: page cache, bytecode, directory entries.
_WARM_UP = 2
_ERROR_SHOWN = 300


class Case(NamedTuple):
    """One command to time; ``prepare`` is done before each round and not counted."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[], None] | None = None
    environment: Mapping[str, str] | None = None


class Sample(NamedTuple):
    """One round of one command."""

    status: int
    seconds: float
    processor_seconds: float
    peak_bytes: int
    output: str


class Outcome(NamedTuple):
    """What came of a case: its samples in the order of the rounds, or why there are none."""

    name: str
    samples: tuple[Sample, ...]
    problem: str = ""

    @property
    def median(self) -> float:
        """Return the median of the wall-clock time, in milliseconds."""
        return statistics.median(one.seconds for one in self.samples) * 1000

    @property
    def quartiles(self) -> tuple[float, float]:
        """Return the first and third quartile, in milliseconds."""
        times = [one.seconds * 1000 for one in self.samples]
        if len(times) == 1:
            return times[0], times[0]
        first, _, third = statistics.quantiles(times, n=4)
        return first, third

    @property
    def processor(self) -> float:
        """Return the median of the processor time, in milliseconds."""
        return statistics.median(one.processor_seconds for one in self.samples) * 1000

    @property
    def peak(self) -> float:
        """Return the largest resident size of any round, in megabytes."""
        return max(one.peak_bytes for one in self.samples) / 1e6


def clean_environment() -> dict[str, str]:
    """Return our environment without what changes how Python starts.

    With PYTHONDONTWRITEBYTECODE nothing would be cached, and compiling
    would be what is measured.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def perform(case: Case) -> Sample:
    """Run ``case`` once, with nothing on its standard input."""
    if case.prepare is not None:
        case.prepare()
    output = os.memfd_create("output")
    null = os.open(os.devnull, os.O_RDWR)
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    environment = case.environment or clean_environment()
    try:
        start = time.perf_counter()
        child = os.posix_spawnp(case.command[0], case.command, environment, file_actions=actions)
        _, status, usage = os.wait4(child, 0)
        seconds = time.perf_counter() - start
        # The end of what was said: there a failure says what it was.
        size = os.fstat(output).st_size
        told = os.pread(output, _ERROR_SHOWN, max(0, size - _ERROR_SHOWN)).decode(errors="replace")
    finally:
        os.close(output)
        os.close(null)
    return Sample(
        os.waitstatus_to_exitcode(status),
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
        told,
    )


def measure(cases: Sequence[Case], runs: int) -> tuple[Outcome, ...]:
    """Time ``cases`` in turn, each as often as ``runs``; a round starts with another one each time.

    A case that fails in its first round is left out of the others, and
    says why.
    """
    problems: dict[str, str] = {}
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for number in range(-_WARM_UP, runs):
        turn = number % len(cases)
        for case in (*cases[turn:], *cases[:turn]):
            if case.name in problems:
                continue
            try:
                sample = perform(case)
            except OSError as error:
                problems[case.name] = f"{case.command[0]}: {error.strerror}"
                continue
            if sample.status != 0:
                problems[case.name] = f"exit {sample.status}: {' '.join(sample.output.split())}"
            elif number >= 0:
                samples[case.name].append(sample)
    return tuple(
        Outcome(case.name, tuple(samples[case.name]), problems.get(case.name, "")) for case in cases
    )


def difference(one: Outcome, other: Outcome) -> float:
    """Return the median of how much longer ``one`` took than ``other`` in the same round (ms)."""
    pairs = zip(one.samples, other.samples, strict=True)
    return statistics.median(left.seconds - right.seconds for left, right in pairs) * 1000


def table(outcomes: Sequence[Outcome], reference: Outcome) -> Iterator[str]:
    """Return the rows; the ratio says how many times the reference's time a command takes."""
    width = max(len(one.name) for one in outcomes)
    heading = f"{'median':>10} {'quartiles':>19} {'ratio':>7} {'processor':>10} {'peak':>9}"
    yield f"{'':{width}} {heading}"
    for one in outcomes:
        if one.problem:
            yield f"{one.name:{width}} not measured: {one.problem}"
            continue
        first, third = one.quartiles
        ratio = f"{one.median / reference.median:7.2f}" if reference.samples else f"{'?':>7}"
        yield (
            f"{one.name:{width}} {one.median:7.1f} ms {first:8.1f} - {third:5.1f} ms "
            f"{ratio} {one.processor:7.1f} ms {one.peak:6.1f} MB"
        )


def as_json(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """Return the outcomes as JSON has them, every sample included."""
    return [
        {
            "name": one.name,
            "problem": one.problem or None,
            "median_ms": round(one.median, 3) if one.samples else None,
            "processor_ms": round(one.processor, 3) if one.samples else None,
            "peak_mb": round(one.peak, 1) if one.samples else None,
            "samples_ms": [round(sample.seconds * 1000, 3) for sample in one.samples],
        }
        for one in outcomes
    ]
