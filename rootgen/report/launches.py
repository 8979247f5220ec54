"""The launches that go on by themselves, as a table and as JSON."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.report.words import count_words, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    class Launch(Protocol):
        """What is shown of one launch (``api.running.Listed``)."""

        @property
        def name(self) -> str: ...  # noqa: D102
        @property
        def state(self) -> str: ...  # noqa: D102
        @property
        def process(self) -> int | None: ...  # noqa: D102
        @property
        def tree(self) -> str: ...  # noqa: D102
        @property
        def command(self) -> tuple[str, ...]: ...  # noqa: D102
        @property
        def started(self) -> float: ...  # noqa: D102
        @property
        def ended(self) -> float | None: ...  # noqa: D102
        @property
        def exit_status(self) -> int | None: ...  # noqa: D102


_HEADINGS = ("NAME", "PID", "STATUS", "TREE", "COMMAND")
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def launches_lines(launches: Sequence[Launch], now: float) -> Iterator[str]:
    """Yield a table for people; ``now`` is the time, in seconds since the epoch."""
    rows = [_HEADINGS, *(_row(one, now) for one in launches)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _row(one: Launch, now: float) -> tuple[str, ...]:
    process = "-" if one.process is None else str(one.process)
    command = " ".join(map(printable, one.command))
    return one.name, process, _status(one, now), printable(one.tree), command


def _status(one: Launch, now: float) -> str:
    if one.state == "running":
        return f"running for {_span(now - one.started)}"
    if one.exit_status is None or one.ended is None:
        return one.state
    return f"exit {one.exit_status}, {_span(now - one.ended)} ago"


def _span(seconds: float) -> str:
    for size, noun in _UNITS:
        if seconds >= size:
            return count_words(int(seconds // size), noun)
    return count_words(max(int(seconds), 0), "second")


def launches_json(launches: Sequence[Launch]) -> dict[str, object]:
    """Return the same as values for JSON."""
    return {
        "rootgen": 1,
        "command": "ps",
        "launches": [
            {
                "name": one.name,
                "state": one.state,
                "pid": one.process,
                "tree": one.tree,
                "command": list(one.command),
                "started": one.started,
                "ended": one.ended,
                "exit_status": one.exit_status,
            }
            for one in launches
        ],
    }
