"""``rootgen logs``."""

from __future__ import annotations

import sys

from rootgen.api.running import logs as read_logs
from rootgen.cli.command import Argument, Command


def logs(name: str) -> None:
    """Print what the launch NAME has printed so far, on both its streams.

    \b
      rootgen logs web
      rootgen logs web | tail

    Of more than 16 MiB the beginning is forgotten.
    """
    for piece in read_logs(name):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


COMMAND = Command("logs", "Print what a launch has printed.", logs, (Argument("name", "NAME"),))
