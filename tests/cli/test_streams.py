"""Standard streams that are closed, full or of another encoding, and names that forge lines."""

from __future__ import annotations

import os
import subprocess

import pytest

from rootgen.cli.entry import _shown
from rootgen.errors import MissingError
from tests.people.command import ROOTGEN


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "command", ["--help", "deps bash", "make --dry-run bash", "make --dry-run nothing"]
)
def test_closed(closed: str, command: str) -> None:
    """A stream that the caller closed is no traceback, and nothing opens in its place."""
    script = f"{ROOTGEN} {command} {closed}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if "nothing" in command else 0)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_encoding(encoding: str) -> None:
    """Signs that an encoding lacks are replaced, not raised."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([ROOTGEN, "deps", "bash"], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6" in done.stdout


def test_full() -> None:
    """A full disk behind standard output is told, with a failing status."""
    done = subprocess.run(
        ["sh", "-c", f"{ROOTGEN} deps bash >/dev/full"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "rootgen: standard output: No space left on device\n"


def test_names_forge_no_lines() -> None:
    """A line break within a name stays within its line."""
    error = MissingError("no lib\nrootgen: all is well", why=("a\x1b[2Jb", "c"), hint="d\ne")
    assert _shown(error).splitlines() == [
        "no lib\\nrootgen: all is well",
        "  a\\x1b[2Jb",
        "  c",
        "  hint: d\\ne",
    ]
