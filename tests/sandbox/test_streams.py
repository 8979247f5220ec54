"""Without a terminal the program's three descriptors are ours, byte for byte."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.tree import command_line, launch

if TYPE_CHECKING:
    from pathlib import Path


def test_binary(tree: Path) -> None:
    """Every byte value goes in and comes out, a megabyte of them."""
    data = bytes(range(256)) * 4096
    done = launch(tree, "cat", stdin=data)
    assert done.stdout == data
    assert done.stderr == b""


def test_standard_error(tree: Path) -> None:
    """The two outputs stay apart, and nothing of ours is mixed in."""
    done = launch(tree, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_closed_pipe(tree: Path) -> None:
    """A reader that goes away ends an endless writer, by SIGPIPE as outside."""
    process = subprocess.Popen(
        command_line(tree, "sh", "-c", "while :; do echo y; done"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=20) == 128 + 13


@pytest.mark.parametrize("number", [0, 1, 2])
def test_directory(tree: Path, number: int) -> None:
    """A stream that is a directory is refused, by Python itself before rootgen begins.

    It says so on standard error, unless that is the directory.
    """
    line = ["sh", "-c", f'exec "$@" {number}</', "sh", *command_line(tree, "touch", "/began")]
    done = subprocess.run(line, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert (b"is a directory" in done.stderr.lower()) == (number != 2)
    assert not (tree / "began").exists()


def test_not_a_terminal(tree: Path) -> None:
    """The program is not told that it has a terminal, and has none to control."""
    script = "for n in 0 1 2; do test -t $n && echo $n; done; (: </dev/tty) 2>/dev/null && echo tty"
    assert launch(tree, "sh", "-c", script).stdout == b""


def test_program_may_close_its_output(tree: Path) -> None:
    """Process 1 holds no copy: a pipe to it is at its end when the program closed it."""
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        command_line(tree, "sh", "-c", "exec 2>&-; echo closed; read line; exit 8"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=write_end,
    )
    os.close(write_end)
    assert process.stdout is not None
    assert process.stdout.readline() == b"closed\n"
    process.communicate(b"go\n", timeout=20)
    assert process.returncode == 8
    with open(read_end, "rb") as rest:
        assert rest.read() == b""
