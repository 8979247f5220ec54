"""Launches of every kind, killed at random moments from outside, leave nothing behind.

Ten seconds of it; with --long five minutes, or as many seconds as
ROOTGEN_SOAK_SECONDS says. ``python -m tests.sandbox.soak --seconds 3600``
is the hour by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def _soak(seconds: int, record: Callable[[str, object], None]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.soak", "--seconds", str(seconds)],
        capture_output=True,
        timeout=seconds + 300,
        check=False,
    )
    assert done.stdout, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["left"] == {}, f"seed {told['seed']}"
    assert done.returncode == 0
    # What did nothing would leave nothing: there were launches of each kind, and kills.
    assert told["launches"] > seconds
    assert told["kills"] > seconds / 2
    kinds = ", ".join(f"{number} {name}" for name, number in sorted(told["kinds"].items()))
    record(
        "figure",
        f"{told['launches']} launches in {told['seconds']} s ({kinds}), {told['kills']} kills "
        "from outside: no process, mount, cgroup, state or temporary file left",
    )


def test_some_seconds(record_property: Callable[[str, object], None]) -> None:
    """A sample in every run."""
    _soak(10, record_property)


@pytest.mark.long
def test_long(record_property: Callable[[str, object], None]) -> None:
    """Five minutes, or what is asked for."""
    _soak(int(os.environ.get("ROOTGEN_SOAK_SECONDS", "300")), record_property)
