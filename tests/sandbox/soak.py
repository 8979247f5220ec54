"""Launches without end, with random kills from outside; then what of them is left is counted.

``python -m tests.sandbox.soak --seconds 3600`` runs for an hour by itself.
Prints one JSON document; exits 1 where anything is left.

Every process of it stays below this one, which adopts orphans
(PR_SET_CHILD_SUBREAPER): so what is left is what it still has as children.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rootgen.linux.process import set_child_subreaper, start_time
from rootgen.sandbox.cgroup_facts import maker_is_gone
from tests.image.stacks import add_stack, busybox_layer
from tests.sandbox.tree import ROOTGEN, build_tree

_AT_ONCE = 5
_TICK = 0.02
_PATIENCE = 30.0  # seconds until all that was killed must be gone
_OLDEST = 4.0  # seconds after which a command that still runs is killed
_KILLS_A_TICK = 0.12

_SIGNALS = (
    signal.SIGKILL,
    signal.SIGKILL,
    signal.SIGKILL,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGSTOP,
    signal.SIGTSTP,
)
_SCRIPTS = (
    "exit 3",
    "sleep 0.3",
    "setsid sleep 1000 & (sleep 1000 &) & exit 0",
    "trap '' TERM INT HUP; sleep 1000",
    "kill -STOP $$; sleep 1000",
    "exec <&- >&- 2>&-; sleep 1000",
    "kill -9 -1",
    "kill -9 1 $PPID; sleep 0.2; exit 4",
    "while :; do sleep 0.01 & wait; done",
    "seq 1 30000",
    "n=0; while [ $n -lt 20 ]; do (sleep 0.4 &); n=$((n+1)); done; sleep 0.1",
)
_KINDS = (
    "plain",
    "plain",
    "limits",
    "terminal",
    "timeout",
    "detach",
    "exec",
    "python",
    "ephemeral",
    "image",
    "commit",
)
# What of a store is there only as long as somebody works on it.
_UNFINISHED = ("unpacked/*/upper-*", "unpacked/*/.*", "unpacked/*/uses/*", "ingest/*")
_WORDS = (
    (b"rootgen: process 1", "process 1"),
    (b"rootgen: supervisor", "supervisor"),
    (b"rootgen: watcher", "watcher"),
    (b"rootgen: exec", "joiner"),
    (b"rootgen.sandbox.serve", "server"),
    (b"/rootgen\0", "launcher"),
)
_PYTHON = (
    "import sys, threading, rootgen; "
    "work = lambda: rootgen.run(sys.argv[1], ['sh', '-c', sys.argv[2]], timeout=0.5); "
    "threads = [threading.Thread(target=work) for _ in range(3)]; "
    "threading.excepthook = lambda _: None; "
    "[one.start() for one in threads]; [one.join() for one in threads]"
)


class Command(NamedTuple):
    """A command line that runs: since when, and the terminal that it is on."""

    kind: str
    since: float
    terminal: int = -1


class Soak:
    """The launches, the kills, and what there was before them."""

    def __init__(self, place: str, dice: random.Random) -> None:
        """Make a tree and directories in ``place``; note what is there already."""
        self.tree = str(build_tree(Path(place) / "tree"))
        self._store = f"{place}/store"
        add_stack(self._store, "base:1", [busybox_layer()])
        self.dice = dice
        self.counts: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self._running: dict[int, Command] = {}
        self._detached: dict[str, float] = {}
        self._stopped: list[tuple[float, int, int | None]] = []
        self._directories = {name: f"{place}/{name}" for name in ("tmp", "run")}
        for path in self._directories.values():
            os.mkdir(path, 0o700)
        self._environment = {
            **os.environ,
            "TMPDIR": self._directories["tmp"],
            "XDG_RUNTIME_DIR": self._directories["run"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self._errors = f"{place}/errors"
        self._name = f"soak-{os.getpid()}"
        self._mounts = _mounts()
        self._groups = _groups()
        self._limits = os.geteuid() == 0
        set_child_subreaper(subreaper=True)

    def run(self, seconds: float) -> None:
        """Launch and kill for so long, then end all that still runs."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._turn()
            time.sleep(_TICK)
        for name in list(self._detached):
            self._stop(name)
        self._settle()
        # Kills may have hit those commands that were to stop launches.
        for name in self._names():
            self._stop(name)
        # What a killed command had begun to forget, the next one goes on with.
        self._spawn("stop", [ROOTGEN, "ps"])
        self._spawn("stop", [ROOTGEN, "gc", "--store", self._store])
        if self._limits:
            # Where launcher and watcher were both killed, the next launch of its kind tidies up.
            self._spawn("limits", self._line("exit 0", "--memory", "64M", "--pids", "8"))
        self._settle()

    def left(self) -> dict[str, list[str]]:
        """Return what of all of it is still there."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            self._reap()
            self._end_what_takes_long(time.monotonic())
            found = {
                "processes": [_told(process) for process in _descendants()],
                "mounts": sorted(_mounts() - self._mounts),
                "groups": sorted(one for one in _groups() - self._groups if _is_lost(one)),
                "launches": self._names(),
                "files": [
                    f"{path}/{name}"
                    for path in self._directories.values()
                    for name in os.listdir(path)
                    if name != "rootgen"
                ],
                "store": [str(path) for one in _UNFINISHED for path in Path(self._store).glob(one)],
                "tracebacks": self._tracebacks(),
            }
            if not any(found.values()) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def _turn(self) -> None:
        now = time.monotonic()
        self._reap()
        for command in self._running.values():
            if command.terminal >= 0:
                _drain(command.terminal)
        while len(self._running) < _AT_ONCE:
            self._launch(self.dice.choice(_KINDS))
        for name, at in list(self._detached.items()):
            if now > at:
                self._stop(name)
        self._end_what_takes_long(now)
        if self.dice.random() < _KILLS_A_TICK:
            self._kill_one(now)

    def _end_what_takes_long(self, now: float) -> None:
        """Continue what was stopped, after a while; kill what still runs after a longer one."""
        for at, process, start in list(self._stopped):
            if now > at:
                self._stopped.remove((at, process, start))
                if start_time(process) == start:
                    _kill(process, signal.SIGCONT)
        for process, command in self._running.items():
            if now - command.since > _OLDEST and command.kind != "stop":
                _kill(process, signal.SIGKILL)

    def _kill_one(self, now: float) -> None:
        victims = _descendants()
        if not victims:
            return
        process = self.dice.choice(victims)
        what = _kind_of(process)
        number = self.dice.choice(_SIGNALS)
        if not _kill(process, number):
            return
        self.kills[f"{signal.Signals(number).name} to {what}"] += 1
        if number in (signal.SIGSTOP, signal.SIGTSTP):
            self._stopped.append((now + self.dice.uniform(0.05, 0.5), process, start_time(process)))

    def _launch(self, kind: str) -> None:
        script = self.dice.choice(_SCRIPTS)
        if kind == "limits" and not self._limits:
            kind = "plain"
        if kind == "exec" and not self._detached:
            kind = "detach"
        self.counts[kind] += 1
        if kind == "limits":
            self._spawn(kind, self._line(script, "--memory", "64M", "--pids", "32"))
        elif kind == "timeout":
            limit = f"{self.dice.randrange(1, 500)}ms"
            self._spawn(kind, self._line(script, "--timeout", limit, "--kill-after", "100ms"))
        elif kind == "detach":
            name = f"{self._name}-{sum(self.counts.values())}"
            self._detached[name] = time.monotonic() + self.dice.uniform(0.1, 1.0)
            self._spawn(kind, self._line(script, "--detach", "--name", name))
        elif kind == "exec":
            name = self.dice.choice(list(self._detached))
            self._spawn(kind, [ROOTGEN, "exec", name, "--", "sh", "-c", script])
        elif kind == "python":
            self._spawn(kind, [sys.executable, "-c", _PYTHON, self.tree, script])
        elif kind in ("image", "commit"):
            self._spawn(kind, self._over_image(script, commits=kind == "commit"))
        else:
            options = ["--ephemeral"] if kind == "ephemeral" else []
            self._spawn(kind, self._line(script, *options), terminal=kind == "terminal")

    def _line(self, script: str, *options: str) -> list[str]:
        return [ROOTGEN, "run", *options, self.tree, "--", "sh", "-c", script]

    def _over_image(self, script: str, *, commits: bool) -> list[str]:
        options = ["--commit", f"made:{self.dice.randrange(5)}"] if commits else []
        line = [ROOTGEN, "run", "--store", self._store, *options, "base:1", "--"]
        return [*line, "busybox", "sh", "-c", f"echo $$ >/etc/new; {script}"]

    def _stop(self, name: str) -> None:
        self._detached.pop(name, None)
        self._spawn("stop", [ROOTGEN, "stop", "--kill-after", "100ms", name])

    def _spawn(self, kind: str, line: list[str], *, terminal: bool = False) -> None:
        outer = -1
        errors = (self._errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = (os.devnull, os.O_RDWR, 0)
        actions = [(os.POSIX_SPAWN_OPEN, stream, *null) for stream in (0, 1)]
        if terminal:
            outer, inner = os.openpty()
            os.set_blocking(outer, False)
            slave = (os.ttyname(inner), os.O_RDWR, 0)
            actions = [(os.POSIX_SPAWN_OPEN, stream, *slave) for stream in (0, 1)]
        process = os.posix_spawn(
            line[0],
            line,
            self._environment,
            file_actions=[*actions, (os.POSIX_SPAWN_OPEN, 2, *errors)],
            setsid=True,
        )
        if terminal:
            os.close(inner)
        self._running[process] = Command(kind, time.monotonic(), outer)

    def _reap(self) -> None:
        while True:
            try:
                process, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            command = self._running.pop(process, None)
            if command is not None and command.terminal >= 0:
                os.close(command.terminal)

    def _settle(self) -> None:
        """Wait for every command to end, with no more kills but of what takes too long."""
        end = time.monotonic() + _PATIENCE
        while self._running and time.monotonic() < end:
            self._reap()
            for process, command in self._running.items():
                if command.terminal >= 0:
                    _drain(command.terminal)
                _kill(process, signal.SIGCONT)
            self._end_what_takes_long(time.monotonic())
            time.sleep(_TICK)

    def _names(self) -> list[str]:
        """Return the names of our launches that are remembered."""
        state = "/run/rootgen" if os.geteuid() == 0 else f"{self._directories['run']}/rootgen"
        names = os.listdir(state) if os.path.isdir(state) else []
        return [name for name in names if name.startswith((self._name, "."))]

    def _tracebacks(self) -> list[str]:
        if not os.path.exists(self._errors):
            return []
        text = Path(self._errors).read_text(errors="replace")
        told = text.split("Traceback (most recent call last)")[1:]
        # What SIGINT meets before our first line runs is Python's own to tell.
        return [one[:2000] for one in told if "KeyboardInterrupt" not in one]


def _descendants() -> list[int]:
    """Return every process below this one that has not ended."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text(errors="replace")
            except OSError:
                continue
            state, parent = fields.rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(name)] = int(parent)
    found: list[int] = []
    level = {os.getpid()}
    while level:
        level = {process for process, parent in parents.items() if parent in level}
        found += level
    return found


def _kind_of(process: int) -> str:
    line = _read(f"/proc/{process}/cmdline")
    return next((word for text, word in _WORDS if text in line), "program")


def _told(process: int) -> str:
    line = _read(f"/proc/{process}/cmdline").replace(b"\0", b" ")
    return f"{process} {line[:200].decode(errors='replace')}"


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _kill(process: int, number: int) -> bool:
    try:
        os.kill(process, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _drain(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        return


def _mounts() -> set[str]:
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def _groups() -> set[str]:
    """Return the cgroups of rootgen's on this machine."""
    return {
        f"{directory}/{name}"
        for directory, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith("rootgen-")
    }


def _is_lost(group: str) -> bool:
    return maker_is_gone(os.path.basename(group))


def main() -> int:
    """Run for as long as asked for, and print what came of it."""
    parser = argparse.ArgumentParser(description="launches with random kills")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=None, help="the same dice again")
    chosen = parser.parse_args()
    seed = random.randrange(1 << 32) if chosen.seed is None else chosen.seed
    with tempfile.TemporaryDirectory(prefix="soak.") as place:
        os.chmod(place, 0o755)
        soak = Soak(place, random.Random(seed))
        begun = time.monotonic()
        soak.run(chosen.seconds)
        left = soak.left()
        told = {
            "seed": seed,
            "seconds": round(time.monotonic() - begun),
            "launches": sum(soak.counts.values()),
            "kinds": dict(soak.counts),
            "kills": sum(soak.kills.values()),
            "killed": dict(soak.kills.most_common()),
            "left": {name: found for name, found in left.items() if found},
        }
    print(json.dumps(told, indent=1))
    return 1 if told["left"] else 0


if __name__ == "__main__":
    sys.exit(main())
