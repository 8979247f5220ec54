"""Numbers of the long runs → ``tests/long-results.md``.

Usage: python -m tests.tools.long_results RESULTS COMMIT WHO=NUMBERS…
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(arguments: Sequence[str]) -> int:
    """Write the page that the arguments name."""
    results, commit, *runs = arguments
    with open(results, "w", encoding="utf-8") as page:
        page.writelines(f"{line}\n" for line in lines(commit, runs))
    return 0


def lines(commit: str, runs: Sequence[str]) -> Iterator[str]:
    """Return the page, line by line."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    yield "# The last run of `tests/run --long`"
    yield ""
    yield f"- commit: {commit}"
    yield f"- date: {today}"
    yield f"- machine: {platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
    yield f"  Python {platform.python_version()}"
    yield ""
    yield "| run as | passed | failed | errors | skipped | seconds |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    failures: list[str] = []
    figures: list[str] = []
    for run in runs:
        who, _, file = run.partition("=")
        numbers = _read(file)
        cells = (numbers.get(key, "?") for key in ("passed", "failed", "error", "skipped"))
        yield f"| {who} | {' | '.join(map(str, cells))} | {numbers.get('seconds', '?')} |"
        failures += (f"- {who}: `{name}`" for name in numbers.get("failures", ()))
        figures += (f"- {who}: {figure}" for figure in numbers.get("figures", ()))
    yield ""
    yield "Failures:" if failures else "No failures."
    if failures:
        yield ""
        yield from failures
    if figures:
        yield ""
        yield "What was compared:"
        yield ""
        yield from figures


def _read(file: str) -> dict[str, Any]:
    try:
        with open(file, encoding="utf-8") as stream:
            numbers: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        return {"failures": ["(pytest did not come to its end)"]}
    return numbers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
