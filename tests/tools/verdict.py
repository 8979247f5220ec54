"""A pytest plug-in: a skipped test or an empty suite is a failure; numbers go to a file.

With them go the figures that tests recorded (``tests/conftest.py``).

A skip hides among passes, and a suite that collected nothing looks green in a
hurry. Used with ``-p tests.tools.verdict``.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_COUNTED = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
_started = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer ``--numbers FILE``."""
    parser.addoption("--numbers", metavar="FILE", help="write counts and failures as JSON")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run with skips, or with no test, into a failed one."""
    config = session.config
    reporter: TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    counts = {name: len(reporter.stats.get(name, [])) for name in _COUNTED}
    if counts["skipped"] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("tests/run: skipped tests count as failures", red=True)
    if config.getoption("--numbers"):
        _write(config.getoption("--numbers"), counts, reporter)


def _write(file: str, counts: dict[str, int], reporter: TerminalReporter) -> None:
    bad: list[Any] = [
        report for kind in ("failed", "error", "skipped") for report in reporter.stats.get(kind, [])
    ]
    numbers = {
        **counts,
        "seconds": round(time.monotonic() - _started, 1),
        "failures": [report.nodeid for report in bad],
        "figures": sorted(
            str(value)
            for report in reporter.stats.get("passed", [])
            for name, value in report.user_properties
            if name == "figure"
        ),
    }
    with open(file, "w", encoding="utf-8") as stream:
        json.dump(numbers, stream, indent=2)
