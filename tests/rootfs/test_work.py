"""Work: results in the order of the jobs, whether at once or in threads."""

from __future__ import annotations

import time

import pytest

from rootgen.plan.entry import Entry, EntryKind
from rootgen.rootfs.work import MUCH, Work


def _entry(number: int) -> Entry:
    return Entry(f"/{number}", EntryKind.FILE, 0o644)


def _job(number: int) -> Entry:
    time.sleep(0.001 * (number % 3))
    return _entry(number)


@pytest.mark.parametrize("weight", [0, 1, MUCH])
def test_order(weight: int) -> None:
    """Results come in the order in which the jobs were given."""
    with Work() as work:
        for number in range(200):
            work.do(weight, lambda number=number: _job(number))  # type: ignore[misc]
        assert work.results() == list(map(_entry, range(200)))


@pytest.mark.parametrize("weight", [0, MUCH])
def test_failure(weight: int) -> None:
    """What a job raises is raised."""

    def fail() -> Entry:
        raise ValueError("as it should")

    def try_it() -> None:
        with Work() as work:
            work.do(weight, lambda: _entry(1))
            work.do(weight, fail)
            work.do(weight, lambda: _entry(2))
            work.results()

    with pytest.raises(ValueError, match="as it should"):
        try_it()
