"""Process 1 is ours, and inside: what could be had by looking into it, as with CAP_SYS_PTRACE."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.terminal import Terminal
from tests.sandbox.tree import build_tree, command_line

if TYPE_CHECKING:
    from pathlib import Path

_COUNTING = (
    "trap 'echo interru''pted' INT; echo rea''dy; "
    "for i in 1 2 3 4 5 6 7 8; do sleep 0.2; done; echo o''ver"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a small tree."""
    return build_tree(tmp_path / "tree")


@pytest.mark.parametrize("behind", ["", " | cat"])
def test_has_no_terminal(tree: Path, behind: str) -> None:
    """The caller's terminal is not process 1's: through it /dev/tty would be had (pty(7))."""
    line = shlex.join(command_line(tree, "sh", "-c", "cut -d' ' -f5-7 /proc/1/stat"))
    with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"]) as terminal:
        shown = terminal.run(f"{line}{behind}", r"[\r\n](\d+) (\d+) (-?\d+)\r\n")
    group, session, controlling = (int(part) for part in shown.groups())
    # Both lead nowhere outside (0 is who is not of this PID namespace).
    assert (group, session) == (1, 1)
    assert controlling == 0


def test_is_interrupted_once(tree: Path) -> None:
    """Ctrl-C at the caller's terminal reaches a program in a pipeline, once."""
    line = shlex.join(command_line(tree, "sh", "-c", _COUNTING))
    with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"]) as terminal:
        terminal.send(f"{line} | (trap '' INT; cat)\n")
        terminal.expect(r"ready\r\n")
        os.write(terminal.master, b"\x03")
        shown = terminal.expect(r"(?s)(.*)over\r\n").group(1)
    assert shown.count(b"interrupted\r\n") == 1
