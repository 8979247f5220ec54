"""``rootgen stop``."""

from __future__ import annotations

from rootgen.api.running import stop as stop_launch
from rootgen.cli.command import Argument, Command, Option
from rootgen.cli.duration import duration
from rootgen.cli.output import write_lines
from rootgen.sandbox.options import KILL_AFTER


def stop(names: tuple[str, ...], *, kill_after: str) -> None:
    """End the launches NAME, and forget them with what they printed.

    \b
      rootgen stop web
      rootgen stop --kill-after 1s web worker

    Each is told to end (SIGTERM), and after some time killed. When this
    returns all its processes are gone.
    """
    seconds = duration(kill_after, "--kill-after") if kill_after else KILL_AFTER
    for name in names:
        status = stop_launch(name, seconds)
        how = "lost" if status is None else f"exit status {status}"
        write_lines([f"{name}: {how}"])


COMMAND = Command(
    "stop",
    "End launches, and forget them.",
    stop,
    (
        Argument("names", "NAME...", many=True),
        Option(
            ("--kill-after",), "kill_after", metavar="DURATION",
            help="Kill what SIGTERM did not end after this time.  [default: 10s]",
        ),
    ),
)  # fmt: skip
