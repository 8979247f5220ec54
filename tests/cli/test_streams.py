"""Standard streams that are closed, full or of another encoding, and names that forge lines."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.cli.entry import _shown
from rootgen.errors import MissingError
from tests.people.command import ROOTGEN

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "command", ["--help", "deps bash", "make --dry-run bash", "make --dry-run nothing"]
)
def test_closed(closed: str, command: str) -> None:
    """A stream that the caller closed is no traceback, and nothing opens in its place.

    What was to be printed on a closed standard output is a failure, as where it is full.
    """
    script = f"{ROOTGEN} {command} {closed}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if "nothing" in command or ">&-" in closed.split() else 0)
    if closed == ">&-" and "nothing" not in command:
        assert done.stderr == "rootgen: standard output: Bad file descriptor\n"


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


def test_closed_for_a_list(tmp_path: Path) -> None:
    """A list that is empty has nothing that could not be printed; one that is not fails."""
    state = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    line = ["sh", "-c", f"{ROOTGEN} ps --json >&-"]
    done = subprocess.run(line, capture_output=True, text=True, env=state)
    assert (done.returncode, done.stderr) == (
        1,
        "rootgen: standard output: Bad file descriptor\n",
    )


@pytest.mark.parametrize("command", ["deps nosuch", "make", "nosuch", "make --nosuch", ""])
@pytest.mark.parametrize("errors", ["/dev/full", "&-"])
def test_messages_that_cannot_be_written(command: str, errors: str) -> None:
    """Where standard error takes nothing, the exit status is what it would have been."""
    statuses = [
        subprocess.run(["sh", "-c", f"{ROOTGEN} {command} 2>{to}"], capture_output=True).returncode
        for to in ("/dev/null", errors)
    ]
    assert statuses[0] == statuses[1] != 0
