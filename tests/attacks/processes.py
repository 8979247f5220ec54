"""Other processes, what outlives a launch, how much is taken, and the caller's terminal."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.attacks.launchers import Request
from tests.attacks.outcome import Outcome, Verdict, by_effect, judge
from tests.sandbox.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.launchers import Launcher
    from tests.attacks.scene import Scene

_PIDS, _FORKS = 20, 100
_LIMIT, _TAKEN = 64 << 20, 256 << 20
_PATIENCE = 15.0


def kill_process(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a process of the host is killed by its number there."""
    with subprocess.Popen(["sleep", "60"]) as victim:
        done = scene.run(launcher, "kill_process", str(victim.pid))
        _wait_until(lambda: victim.poll() is not None, 1)
        killed = victim.poll() is not None
        victim.kill()
    return by_effect(done, "a process of the host was killed" if killed else "")


def trace(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a process of the host, or process 1, is traced."""
    with subprocess.Popen(["sleep", "60"]) as victim:
        numbers = [str(victim.pid)] if launcher.name == "naive" else [str(victim.pid), "1"]
        outcome = judge(scene.run(launcher, "trace", *numbers))
        victim.kill()
    return outcome


def kill_parent(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: whoever started the launch is killed."""
    before = ["sh", "-c", '"$@"; echo survived >&2', "sh"]
    done = scene.run(launcher, "kill_parent", before=before)
    return by_effect(done, "" if "survived" in done.errors else "the caller was killed")


def kill_one(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: process 1 inside is killed, by every signal; never tried where that is the host's."""
    return judge(scene.run(launcher, "kill_one"))


def outlive(way: str) -> Callable[[Scene, Launcher], Outcome]:
    """Return the attack that leaves a process behind.

    ``daemon``: the program ends, its grandchild (another session, every
    descriptor closed) does not. ``deaf``: both ignore SIGTERM. ``stopped``:
    both stop themselves. The launcher is then told to end, and killed.
    """

    def attack(scene: Scene, launcher: Launcher) -> Outcome:
        mark = f"left-{scene.token[:16]}"

        def end(process: subprocess.Popen[bytes]) -> None:
            _wait_until(lambda: bool(_marked(mark)) or process.poll() is not None)
            if way == "daemon":
                return
            time.sleep(0.3)
            process.terminate()
            time.sleep(0.3)
            process.kill()

        done = scene.run(launcher, "outlive", way, mark, meanwhile=end, patience=5)
        _wait_until(lambda: not _marked(mark), 2)
        left = _marked(mark)
        for number in left:
            os.kill(number, signal.SIGKILL)
        if not left and "started" not in done.errors:
            return Outcome(Verdict.REFUSED, done.errors)
        return by_effect(done, f"{len(left)} processes are left" if left else "")._replace(
            verdict=Verdict.SUCCEEDED if left else Verdict.HELD
        )

    attack.__doc__ = f"A process outlives the launch ({way})."
    return attack


def _marked(mark: str) -> list[int]:
    """Return the processes whose command line begins with ``mark``, wherever they are."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes()
                state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:  # it has ended meanwhile
                continue
            if words.startswith(mark.encode()) and state != "Z":
                found.append(int(entry))
    return found


def _wait_until(true: Callable[[], bool], patience: float = _PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)


def forks(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: more processes than the limit allows."""
    return judge(scene.run(launcher, "forks", str(_FORKS), request=Request(pids=_PIDS)))


def memory(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: more memory than the limit allows."""
    return judge(scene.run(launcher, "memory", str(_TAKEN), request=Request(memory=_LIMIT)))


def environment(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a secret in the caller's environment is read."""
    done = scene.run(launcher, "environment", "TOKEN", before=["env", f"TOKEN={scene.token}"])
    return judge(done, scene.token)


def push_input(way: str) -> Callable[[Scene, Launcher], Outcome]:
    """Return the attack that types into the caller's terminal, for its shell to read."""

    def attack(scene: Scene, launcher: Launcher) -> Outcome:
        line = launcher.command_line(scene.tree, ["/bin/attack", way], Request(terminal=True))
        with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"]) as terminal:
            terminal.run("PS1='>''>'", ">>")
            terminal.send(f"{shlex.join(line)}; echo do''ne\n")
            terminal.expect(r"done\r\n")
            shown = terminal.run("echo e''nd", r"(?s)(.*)end\r\n").group(1)
        pushed = b"pushed\r\n" in shown
        return Outcome(
            Verdict.SUCCEEDED if pushed else Verdict.HELD,
            "the caller's shell ran what was typed" if pushed else shown.decode(),
        )

    attack.__doc__ = f"Input is typed into the caller's terminal ({way})."
    return attack


def take_terminal(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a terminal that is nobody's, on standard input only, is taken and typed into."""
    master, slave = os.openpty()
    try:
        done = scene.run(launcher, "take_and_push", stdin=slave)
        os.set_blocking(slave, False)
        try:
            typed = os.read(slave, 4096)
        except BlockingIOError:
            typed = b""
    finally:
        os.close(master)
        os.close(slave)
    return by_effect(done, "who reads the terminal next finds typed input" if typed else "")


def controlling(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the caller's terminal is written to though no descriptor leads there."""
    line = launcher.command_line(scene.tree, ["/bin/attack", "controlling", scene.token], Request())
    command = f"{shlex.join(line)} </dev/null >{scene.host}/said 2>&1; echo do''ne"
    with Terminal(["/bin/sh", "-c", command]) as terminal:
        shown = terminal.expect(r"(?s)(.*)done\r\n").group(1).decode()
    return Outcome(Verdict.SUCCEEDED if scene.token in shown else Verdict.HELD, shown)
