"""A launch whose time is over: told to end, made to end, and how that is told (timeout(1))."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.cli.command import OptionError
from rootgen.cli.duration import duration
from rootgen.sandbox.deadline import Deadline
from rootgen.sandbox.launch import TimeLimit
from tests.sandbox.terminal import Terminal
from tests.sandbox.tree import command_line

if TYPE_CHECKING:
    from pathlib import Path


def _line(tree: Path, timeout: float, kill_after: float, *command: str) -> list[str]:
    options = ["--timeout", str(timeout), "--kill-after", f"{kill_after * 1000:g}ms"]
    return command_line(tree, *command, options=options)


def _run(
    tree: Path, timeout: float, kill_after: float, *command: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        _line(tree, timeout, kill_after, *command), capture_output=True, timeout=60, check=False
    )


def test_what_is_sent_when() -> None:
    """SIGTERM and SIGCONT at the limit, SIGKILL after the grace, nothing else."""
    deadline = Deadline(TimeLimit(5, 2), 100.0)
    assert (deadline.patience(101.0), deadline.due(104.9), deadline.timed_out) == (4.0, (), False)
    assert deadline.due(105.0) == (signal.SIGTERM, signal.SIGCONT)
    assert (deadline.timed_out, deadline.patience(105.0), deadline.due(106.0)) == (True, 2.0, ())
    assert deadline.due(107.5) == (signal.SIGKILL,)
    assert (deadline.patience(107.5), deadline.due(999.0)) == (None, ())


def test_far_limit() -> None:
    """However far it is, a wait is one that poll(2) takes; and nothing is due after that."""
    deadline = Deadline(TimeLimit(float("inf"), 2), 0.0)
    patience = deadline.patience(1.0)
    assert patience is not None
    assert patience * 1000 < 1 << 31
    assert deadline.due(1.0 + patience) == ()


def test_no_limit_and_stop() -> None:
    """Without a limit nothing is ever due, until a stop is asked for; that is no timeout."""
    deadline = Deadline(None, 0.0)
    assert (deadline.patience(1e9), deadline.due(1e9)) == (None, ())
    deadline.stop(7.0, 1.0)
    assert deadline.due(7.0) == (signal.SIGTERM, signal.SIGCONT)
    assert deadline.due(8.0) == (signal.SIGKILL,)
    assert deadline.status(143) == 143


def test_status() -> None:
    """As timeout(1): 124 whatever the program made of SIGTERM, 137 where it had to be killed."""
    deadline = Deadline(TimeLimit(1, 1), 0.0)
    assert deadline.status(3) == 3
    deadline.due(1.0)
    assert (deadline.status(0), deadline.status(143), deadline.status(137)) == (124, 124, 137)


def test_in_time(tree: Path) -> None:
    """What ends in time ends as ever, and nothing is said."""
    done = _run(tree, 20, 1, "sh", "-c", "exit 3")
    assert (done.returncode, done.stderr) == (3, b"")


def test_over(tree: Path) -> None:
    """SIGTERM ends it: 124, and the reason on standard error."""
    begun = time.monotonic()
    done = _run(tree, 0.3, 20, "sleep", "1000")
    assert done.returncode == 124
    assert done.stderr == b"rootgen: its time of 0.3 s was over: ended by SIGTERM\n"
    assert 0.3 < time.monotonic() - begun < 10


def test_cleaning_up(tree: Path) -> None:
    """The program may do something about SIGTERM, and use its grace."""
    script = "trap 'sleep 0.3; echo cleaned; exit 0' TERM; while :; do sleep 0.05; done"
    done = _run(tree, 0.3, 20, "sh", "-c", script)
    assert (done.returncode, done.stdout) == (124, b"cleaned\n")


def test_ignoring(tree: Path) -> None:
    """Who ignores SIGTERM is killed after the grace, with all that it started: 137."""
    script = "trap '' TERM HUP INT; setsid sleep 1000 & sleep 1000 & while :; do sleep 1; done"
    done = _run(tree, 0.3, 0.3, "sh", "-c", script)
    assert done.returncode == 137
    assert b"ended by SIGTERM, and SIGKILL 0.3 s later" in done.stderr


def test_stopped(tree: Path) -> None:
    """Who has stopped itself is continued, so that SIGTERM can end it."""
    done = _run(tree, 0.3, 20, "sh", "-c", "kill -STOP $$")
    assert done.returncode == 124


@pytest.mark.parametrize(("kill_after", "status"), [(20, 124), (0.3, 137)])
def test_on_a_terminal(tree: Path, kill_after: float, status: int) -> None:
    """The same where the terminal is relayed; afterwards it is as it was."""
    trap = "trap '' TERM; " if status == 137 else ""
    command = _line(tree, 0.5, kill_after, "sh", "-c", f"{trap}echo s''et; sleep 1000; sleep 1000")
    with Terminal(command) as terminal:
        terminal.expect("set")
        assert terminal.wait() == status, terminal.seen
        terminal.expect(r"its time of 0.5 s was over")


def test_far_on_a_terminal(tree: Path) -> None:
    """A month is a limit like another."""
    with Terminal(_line(tree, 30 * 86400, 20, "sh", "-c", "exit 3")) as terminal:
        assert terminal.wait() == 3, terminal.seen


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30", 30),
        ("1.5", 1.5),
        ("2s", 2),
        ("500ms", 0.5),
        ("2m", 120),
        ("1.5h", 5400),
        ("1d", 86400),
    ],
)
def test_durations(written: str, seconds: float) -> None:
    """Seconds where there is no unit, else what the unit says."""
    assert duration(written, "--timeout") == seconds


@pytest.mark.parametrize(
    "written", ["", "s", "-1", "1e3", "nan", "inf", "2 m", "2M", "1..2", "9" * 12]
)
def test_no_durations(written: str) -> None:
    """Anything else is a mistake that says what was expected."""
    with pytest.raises(OptionError, match="expected a duration such as"):
        duration(written, "--timeout")


def test_explained(tree: Path) -> None:
    """The limit is one of the steps, with the command that sets the same."""
    line = [*_line(tree, 90, 5, "true")]
    line.insert(2, "--explain")
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert "$ timeout --kill-after=5 90 …\n" in done.stdout
    line.insert(2, "--json")
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert '"time_limit": { "seconds": 90.0, "kill_after": 5.0 }' in " ".join(done.stdout.split())
