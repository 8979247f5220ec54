"""A launch on a terminal that another job has, and one that nobody reads from."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.terminal import Terminal
from tests.sandbox.tree import ROOTGEN, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shell() -> Iterator[Terminal]:
    """Open a shell of the host's, interactive and with job control."""
    with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"]) as terminal:
        terminal.run("PS1='>''>'", ">>")
        yield terminal
        terminal.send("kill -9 %1; wait; exit 0\n")
        terminal.wait()


def _line(tree: Path, script: str, *options: str) -> str:
    return " ".join(command_line(tree, "sh", "-c", f"'{script}'", options=options))


def test_runs_in_the_background(tree: Path, shell: Terminal) -> None:
    """What needs no terminal goes on to its end, and what it prints is seen."""
    shell.send(f"{_line(tree, 'sleep 0.5; echo out; exit 3')} &\n")
    shell.expect(r"out\r+\n")
    shell.run("wait %1; echo status-$?", r"status-3\r\n")
    assert b"Stopped" not in shell.seen
    shell.run("stty -a", r"[^-]icanon")


def test_time_goes_on_in_the_background(tree: Path, shell: Terminal) -> None:
    """A time limit holds there as well."""
    shell.send(f"{_line(tree, 'sleep 1000', '--timeout', '500ms')} &\n")
    shell.expect("its time of 0.5 s was over")
    shell.run("wait %1; echo status-$?", r"status-124\r\n")


def test_modes_are_left_alone(tree: Path, shell: Terminal) -> None:
    """While another job has the terminal its modes are that job's, to the launch's end as well."""
    shell.send(f"{_line(tree, 'sleep 1; echo done')} & stty -echo; sleep 2; stty -a\n")
    shell.expect(r"done\r+\n")
    shell.expect(r" -echo ")
    shell.run("stty echo; echo se''t", r"set\r\n")


@pytest.mark.parametrize("way", ["running", "stopped"])
def test_brought_to_the_front(tree: Path, shell: Terminal, way: str) -> None:
    """With fg it gets what is typed, line by line and with its echo, and Ctrl-C."""
    script = "echo u''p; read -r line; echo got-$line; sleep 1000"
    shell.send(f"{_line(tree, script)} &\n")
    shell.expect(r"up\r+\n")
    time.sleep(0.3)
    if way == "stopped":
        shell.run("kill -STOP %1; sleep 0.2; jobs", r"Stopped +\S+rootgen")
    shell.send("fg\n")
    shell.expect(r"rootgen run [^\n]*\n")
    time.sleep(0.5)
    shell.send("typ'ed\n")
    shell.expect(r"typ'ed\r\n")  # the echo of the terminal inside
    shell.expect(r"got-typ'ed\r\n")
    shell.press_until("\x03", ">>")
    shell.run("echo status-$?", r"status-130\r\n")
    shell.run("stty -a", r"[^-]icanon")


def test_to_the_background_and_back(tree: Path, shell: Terminal) -> None:
    """Stopped, sent on in the background, and fetched again."""
    script = "while :; do sleep 0.2; echo al''ive; done"
    shell.send(f"{_line(tree, script)}\n")
    shell.expect(r"alive\r\n")
    pid = int(re.findall(rb"\d+", subprocess.check_output(["pgrep", "-f", f"run {tree}"]))[0])
    os.kill(pid, signal.SIGTSTP)
    shell.expect("Stopped")
    assert b"alive" not in shell.seen
    shell.run("bg", r"rootgen run [^\n]*&\r\n")
    shell.expect(r"alive\r+\n")
    shell.run("stty -a", r"[^-]icanon")
    shell.send("fg\n")
    shell.expect(r"rootgen run [^\n]*\n")
    time.sleep(0.5)
    shell.press_until("\x03", ">>")
    shell.run("echo status-$?", r"status-130\r\n")


def test_exec_in_the_background(tree: Path, shell: Terminal) -> None:
    """A command in a running launch does as one of its own."""
    name = f"back-{os.getpid()}"
    line = command_line(tree, "sleep", "1000", options=["--detach", "--name", name])
    subprocess.run(line, check=True, capture_output=True)
    try:
        shell.send(f"{ROOTGEN} exec {name} -- sh -c 'sleep 0.5; exit 4' &\n")
        time.sleep(0.3)
        shell.run("wait %1; echo status-$?", r"status-4\r\n")
    finally:
        subprocess.run([ROOTGEN, "stop", name], check=True, capture_output=True)


def test_stop_of_a_launch_with_a_stopped_exec(tree: Path) -> None:
    """A job that joined the launch and is stopped as a whole does not delay the launch's end."""
    name = f"held-{os.getpid()}"
    line = command_line(tree, "sleep", "1000", options=["--detach", "--name", name])
    subprocess.run(line, check=True, capture_output=True)
    line = [ROOTGEN, "exec", name, "--", "sh", "-c", "echo up; sleep 1000"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, start_new_session=True) as joined:
        assert joined.stdout is not None
        assert joined.stdout.readline() == b"up\n"
        os.killpg(joined.pid, signal.SIGSTOP)
        try:
            subprocess.run([ROOTGEN, "stop", name], check=True, capture_output=True, timeout=15)
        finally:
            joined.send_signal(signal.SIGCONT)
    assert joined.returncode == 128 + signal.SIGKILL


def _cpu_seconds(process: int) -> float:
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("grace", ["10s", "500ms"])
def test_output_that_nobody_takes(tree: Path, grace: str) -> None:
    """On a terminal that is not drained a time limit ends the launch, and its output is lost."""
    ignoring = "" if grace == "10s" else 'trap "" TERM; '
    options = ["--timeout", "1", "--kill-after", grace]
    line = command_line(tree, "sh", "-c", f"{ignoring}while :; do echo yes; done", options=options)
    with Terminal(line) as terminal:
        assert terminal.process.wait(timeout=20) == (124 if grace == "10s" else 137)
        assert termios.tcgetattr(terminal.slave) == terminal.modes


_CLOSED = 'chmod 0 "$(tty)" && exec "$@"'


@pytest.mark.parametrize("before", [0, 1000, 2000, 3000, 4000])
def test_terminal_that_may_not_be_opened(tree: Path, before: int) -> None:
    """The same after su, where there is the caller's own description of the terminal only.

    For root there is no such terminal. How much is on the terminal before
    says how much room there is for the last that it can take.
    """
    line = command_line(tree, "sh", "-c", "while :; do echo yes; done", options=["--timeout", "1"])
    script = f"head -c {before} /dev/zero; {_CLOSED}"
    with Terminal(["/bin/sh", "-c", script, "sh", *line]) as terminal:
        assert terminal.process.wait(timeout=20) == 124


def test_output_to_a_terminal_that_may_not_be_opened(tree: Path) -> None:
    """It gets there whole."""
    line = command_line(tree, "sh", "-c", "seq 1 20000; echo the-e''nd")
    with Terminal(["/bin/sh", "-c", _CLOSED, "sh", *line]) as terminal:
        assert terminal.wait() == 0
        terminal.expect(r"\r\n19999\r\n20000\r\nthe-end\r\n")


def test_hang_up_in_the_background(tree: Path) -> None:
    """It is noticed there as well, where the shell tells nobody of it."""
    with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"]) as terminal:
        script = 'trap "" HUP; echo u""p; while :; do sleep 1; done'
        terminal.send(f"{_line(tree, script)} & disown; echo pid=$!=\n")
        process = int(terminal.expect(r"pid=(\d+)=").group(1))
        terminal.expect(r"up\r+\n")
        descriptor = os.pidfd_open(process)
        terminal.hang_up()
        assert select.select([descriptor], [], [], 20)[0]
        os.close(descriptor)


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP"])
def test_ended_by_a_signal_while_nobody_reads(tree: Path, name: str) -> None:
    """One signal that ends the program ends the launch."""
    number = getattr(signal, f"SIG{name}")
    with Terminal(command_line(tree, "sh", "-c", "while :; do echo yes; done")) as terminal:
        time.sleep(1)
        terminal.process.send_signal(number)
        assert terminal.process.wait(timeout=20) == 128 + number


def test_waiting_costs_nothing(tree: Path) -> None:
    """Who ended by itself is shown to the end, however long nobody reads, without a busy wait."""
    script = "while :; do echo yes; done & sleep 1; kill $!; exit 6"
    with Terminal(command_line(tree, "sh", "-c", script)) as terminal:
        time.sleep(3)
        before = _cpu_seconds(terminal.process.pid)
        time.sleep(2)
        assert terminal.process.poll() is None
        assert _cpu_seconds(terminal.process.pid) - before < 0.5
        assert terminal.wait() == 6
        assert terminal.seen.count(b"yes\r\n") > 65536 // 5
