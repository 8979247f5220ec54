"""The servers of launches, seen from outside."""

from __future__ import annotations

import os
import time


def parent_of(process: int) -> int:
    """Return the parent of a process: of a launch's process 1, its server."""
    with open(f"/proc/{process}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def wait_for_end(process: int) -> None:
    """Wait until a process is gone; AssertionError where that takes long."""
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{process}"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
