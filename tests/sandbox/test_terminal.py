"""An interactive shell in the tree, driven through a pseudo-terminal as a person does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
def bash(tree: Path) -> Iterator[Terminal]:
    """Open ``rootgen shell`` on the tree, at its prompt; the best shell there is bash."""
    with Terminal([ROOTGEN, "shell", str(tree)], rows=33, columns=77) as terminal:
        terminal.send("PS1='>''>'\n")
        terminal.expect(">>")
        yield terminal


def test_is_bash_with_job_control(bash: Terminal) -> None:
    """The shell is bash, interactive, and has said nothing about lacking job control."""
    assert b"job control" not in bash.seen
    bash.run("echo $BASH_VERSION [$-]", r"\n\d+\.\d[^\n]*\[[a-zA-Z]*m[a-zA-Z]*\]\r\n")


def test_exit_status(bash: Terminal) -> None:
    """``exit 3`` gives 3."""
    bash.send("exit 3\n")
    assert bash.wait() == 3


def test_end_of_input(bash: Terminal) -> None:
    """Ctrl-D at the prompt ends the shell."""
    bash.send("\x04")
    assert bash.wait() == 0


def test_interrupt(bash: Terminal) -> None:
    """Ctrl-C ends what is in front, and not the shell."""
    bash.send("sleep 1000\n")
    time.sleep(0.3)
    bash.press_until("\x03", ">>")
    bash.run("echo status-$?", r"status-130\r\n")


def test_stop_and_continue(bash: Terminal) -> None:
    """Ctrl-Z stops what is in front; fg, bg and jobs work."""
    bash.send("sleep 1000\n")
    time.sleep(0.3)
    bash.press_until("\x1a", r"Stopped +sleep 1000")
    bash.run("jobs", r"Stopped +sleep 1000")
    bash.run("bg", r"sleep 1000 &")
    bash.run("fg", r"sleep 1000\r\n")
    time.sleep(0.2)
    bash.press_until("\x03", ">>")
    bash.run("jobs; echo none-$?", r"none-0\r\n")
    assert b"Running" not in bash.seen


def test_quit(bash: Terminal) -> None:
    """Ctrl-\\ is a signal of the inner terminal as well."""
    bash.send("sleep 1000\n")
    time.sleep(0.3)
    bash.press_until("\x1c", "Quit")
    bash.run("echo status-$?", r"status-131\r\n")


def test_size(bash: Terminal) -> None:
    """The size is that of the outer terminal, from the start and after each change."""
    bash.run("stty size", r"\n33 77\r\n")
    bash.run("trap 'echo changed-$?' WINCH; echo s''et", r"\nset\r\n")
    bash.expect(">>")
    bash.resize(50, 132)
    bash.expect(r"changed-0\r\n")
    bash.run("stty size", r"\n50 132\r\n")


def test_terminal_of_its_own(bash: Terminal) -> None:
    """The terminal is one of the container's own devpts; the host's is not to be had."""
    bash.run("tty", r"\n/dev/pts/0\r\n")
    bash.run("ls /dev/pts", r"\n0 +ptmx\r\n")
    bash.run("readlink /proc/self/fd/0", r"\n/dev/pts/0\r\n")
    bash.run("test -c /dev/console && echo c''onsole", r"\nconsole\r\n")
    bash.run("(: </dev/tty) && echo o''pens", r"\nopens\r\n")


def test_modes_inside_are_sane(bash: Terminal) -> None:
    """The inner terminal is in its ordinary modes, with the outer one's erase character."""
    bash.run("stty -a", r"icanon")
    bash.run("stty -a", r"erase = \^\?")


@pytest.mark.parametrize("ending", ["exit", "killed", "signalled"])
def test_modes_are_restored(bash: Terminal, ending: str) -> None:
    """The outer terminal is raw meanwhile and as before afterwards, whatever the end was."""
    assert termios.tcgetattr(bash.slave) != bash.modes
    if ending == "exit":
        bash.send("exit\n")
    elif ending == "killed":
        bash.send("kill -9 $$\n")
    else:
        # Between two lines bash takes a signal for the next one, which nobody types.
        bash.run("sh -c \"echo s''et; sleep 1000\"", r"set\r\n")
        bash.process.send_signal(signal.SIGHUP)
    bash.wait()
    assert termios.tcgetattr(bash.slave) == bash.modes


def test_modes_are_restored_after_a_failure(tree: Path) -> None:
    """Also where nothing was started at all."""
    with Terminal(command_line(tree, "none")) as terminal:
        assert terminal.wait() == 127
        assert termios.tcgetattr(terminal.slave) == terminal.modes
        assert b"none" in terminal.seen


def test_no_output_is_lost(tree: Path) -> None:
    """What the program wrote last is on the screen when rootgen has ended."""
    with Terminal(command_line(tree, "sh", "-c", "seq 1 20000; echo the-end")) as terminal:
        assert terminal.wait() == 0
        terminal.expect(r"\r\n19999\r\n20000\r\nthe-end\r\n")


def test_paste(bash: Terminal) -> None:
    """More than the terminal's buffer holds arrives whole, while output flows the other way."""
    bash.run("stty -echo; echo q''uiet", r"quiet\r\n")
    bash.send("cat >/tmp/pasted; wc -c </tmp/pasted\n")
    for _ in range(64):
        bash.send("x" * 1023 + "\n")
    bash.send("\x04")
    bash.expect(r"65536\r\n")


def test_hang_up(tree: Path) -> None:
    """When the window is closed nothing stays behind."""
    with Terminal([ROOTGEN, "shell", str(tree)]) as terminal:
        terminal.send("echo u''p; trap '' HUP; sleep 1000\n")
        terminal.expect(r"up\r\n")
        terminal.hang_up()
        terminal.process.wait(timeout=20)


def test_suspended_from_outside(bash: Terminal) -> None:
    """Stopped by a signal, rootgen gives the terminal back; continued, takes it again."""
    bash.process.send_signal(signal.SIGTSTP)
    _, status = os.waitpid(bash.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert termios.tcgetattr(bash.slave) == bash.modes
    bash.process.send_signal(signal.SIGCONT)
    bash.run("echo a''live", r"alive\r\n")
    assert termios.tcgetattr(bash.slave) != bash.modes


def test_run_on_a_terminal(tree: Path) -> None:
    """``run`` with a terminal on both sides gives the program one."""
    with Terminal(command_line(tree, "tty")) as terminal:
        assert terminal.wait() == 0
        terminal.expect(r"/dev/pts/0\r\n")


def test_session(bash: Terminal) -> None:
    """The shell leads a session, with the terminal in its hand (proc_pid_stat(5))."""
    bash.run(
        "read -r _ _ _ _ _ sid tty front _ </proc/$$/stat; echo $(( sid == $$ )) $(( tty != 0 )) "
        "$(( front == $$ ))",
        r"\n1 1 1\r\n",
    )


@pytest.mark.parametrize("user", ["app"])
def test_user_owns_the_terminal(tree: Path, user: str) -> None:
    """Who is not root can open its own terminal again."""
    command = command_line(tree, "sh", "-c", "echo fine >$(tty); id -un", options=["--user", user])
    with Terminal(command) as terminal:
        assert terminal.wait() == 0, terminal.seen
        terminal.expect(r"fine\r\napp\r\n")


def test_standard_error_that_is_no_terminal(tree: Path, tmp_path: Path) -> None:
    """It stays apart: what goes to a file goes there as it is, while the rest is a terminal."""
    line = " ".join(command_line(tree, "sh", "-c", "'tty; printf a\\\\nb >&2'"))
    with Terminal(["/bin/sh", "-c", f"{line} 2>{tmp_path}/errors"]) as terminal:
        assert terminal.wait() == 0, terminal.seen
        terminal.expect(r"/dev/pts/0\r\n")
    assert (tmp_path / "errors").read_bytes() == b"a\nb"


@pytest.mark.parametrize(
    ("missing", "shown"), [([], "bash"), (["bash"], "sh"), (["bash", "sh"], "sh")]
)
def test_best_shell(tree: Path, missing: list[str], shown: str) -> None:
    """The best shell that the tree has; busybox serves as sh."""
    for name in missing:
        (tree / "bin" / name).unlink()
    with Terminal([ROOTGEN, "shell", str(tree)]) as terminal:
        terminal.run("echo begin-$0-end", f"begin-{shown}-end")
        terminal.send("exit 6\n")
        assert terminal.wait() == 6


def test_no_shell(tree: Path) -> None:
    """A tree without a shell is told of, with 127."""
    for name in ("bash", "sh", "busybox"):
        (tree / "bin" / name).unlink()
    done = subprocess.run([ROOTGEN, "shell", str(tree)], capture_output=True, check=False)
    assert done.returncode == 127
    assert b"no shell" in done.stderr


def test_shell_without_a_terminal(tree: Path) -> None:
    """``shell`` reads its commands from a pipe as well."""
    done = subprocess.run(
        [ROOTGEN, "shell", str(tree)], input=b"echo $0; exit 7\n", capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, b"bash\n", b"")


def test_pipeline(tree: Path) -> None:
    """In a pipeline at a terminal Ctrl-C, Ctrl-Z and fg do as for any program."""
    line = " ".join(command_line(tree, "sh", "-c", "'sleep 1000; echo not-reached'"))
    with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"]) as terminal:
        terminal.run("PS1='>''>'", ">>")
        terminal.send(f"{line} | cat\n")
        time.sleep(0.7)
        terminal.press_until("\x1a", "Stopped")
        terminal.run("echo stopped-${PIPESTATUS[0]}", r"stopped-\d+\r\n")
        terminal.send("fg\n")
        terminal.expect("cat\r\n")
        time.sleep(0.3)
        terminal.press_until("\x03", ">>")
        terminal.run("jobs; echo status-$?", r"status-0\r\n")
        assert b"not-reached" not in terminal.seen
        terminal.send("exit 0\n")
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("\x04", "exit"),
        ("echo ty''ped\n\x04", r"typed\r\n"),
        ("sleep 0.2\n" * 5 + "echo ty''ped\n\x04", r"typed\r\n"),
    ],
    ids=["nothing", "a command", "commands that take a while"],
)
def test_end_of_file_before_the_start(tree: Path, typed: str, shown: str) -> None:
    """What was typed before we began is the shell's, its end as well, as script(1) types it."""
    line = f"sleep 0.5; exec {ROOTGEN} shell {tree}"
    with Terminal(["/bin/sh", "-c", line]) as terminal:
        terminal.send(typed)
        assert terminal.wait() == 0, terminal.seen
        terminal.expect(shown)


def test_end_of_file_before_the_start_for_lines(tree: Path) -> None:
    """Who reads lines, and later, gets it too, once."""
    line = " ".join(command_line(tree, "sh", "-c", "'sleep 0.3; cat; echo st''ill; cat'"))
    with Terminal(["/bin/sh", "-c", f"sleep 0.5; exec {line}"]) as terminal:
        terminal.send("\x04")
        terminal.expect("still")
        terminal.send("\x04")
        assert terminal.wait() == 0, terminal.seen


_TWO_ENDS = """
import os, signal
from rootgen.linux.process import signal_descriptor
from rootgen.sandbox.relay import Relay
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
relay = Relay.__new__(Relay)
relay._status, relay._signals = None, signal_descriptor([signal.SIGCHLD])
relay._child = os.fork()
if relay._child == 0:
    os._exit(3)
os.waitid(os.P_PID, relay._child, os.WEXITED | os.WNOWAIT)
for _ in range(2):
    relay._read_signals(None)
    print(relay._status)
    os.kill(os.getpid(), signal.SIGCHLD)
"""


def test_something_beside_ends_later() -> None:
    """What fuse-overlayfs or pasta ends with is told like the launch's own end, and is not it."""
    done = subprocess.run(
        [sys.executable, "-c", _TWO_ENDS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["3", "3"], done.stderr
