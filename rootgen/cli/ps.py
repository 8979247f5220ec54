"""``rootgen ps``."""

from __future__ import annotations

import time

from rootgen.api.running import launches
from rootgen.cli.command import Command, Option, flag
from rootgen.cli.output import write_json, write_lines
from rootgen.report.launches import launches_json, launches_lines


def ps(*, all_: bool, as_json: bool) -> None:
    """List the launches that were begun with run --detach and are running.

    \b
      rootgen ps
      rootgen ps --all       those as well that have ended
      rootgen ps --json

    PID is that of process 1 out here; STATUS says since when it is running,
    or how it ended. One is lost when its supervisor was killed, and its
    processes with it. The last 32 that ended are remembered, until
    rootgen stop or another of the same name forgets them.
    """
    found = [one for one in launches() if all_ or one.state == "running"]
    if as_json:
        write_json(launches_json(found))
    else:
        write_lines(launches_lines(found, time.time()))


COMMAND = Command(
    "ps",
    "List the launches that go on by themselves.",
    ps,
    (
        Option(("-a", "--all"), "all_", kind="flag", help="List those as well that have ended."),
        flag("--json", "Print the result as JSON.", dest="as_json"),
    ),
)
