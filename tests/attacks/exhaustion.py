"""Taking of the machine until others have none: memory as files, the disk, the processors."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.attacks.launchers import Request
from tests.attacks.outcome import Outcome, Verdict, by_effect, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.attacks.launchers import Launcher
    from tests.attacks.scene import Scene

_MIB = 1 << 20
_TAKEN = 96 * _MIB
_MEMORY = 32 * _MIB
_DISK = 8 * _MIB
_PROCESSES = 20
# Little, so that a machine with much else to do gives more than that where nothing is limited.
_SHARE = 0.05
# What is printed is counted by the kernel in ticks of 10 ms.
_BUSY = """
echo started >&2
read begun rest </proc/uptime
for i in 1 2 3 4; do (while :; do :; done) & done
sleep 2
kill $(jobs -p)
wait
read ended rest </proc/uptime
times
echo "$begun $ended"
"""


class _Limited:
    """A launcher that is asked for limits as well, where it is rootgen."""

    def __init__(self, launcher: Launcher, options: Sequence[str]) -> None:
        self.name = launcher.name
        self._launcher, self._options = launcher, options

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        line = self._launcher.command_line(tree, command, request)
        if self.name == "rootgen":
            at = line.index("run") + 1
            line[at:at] = self._options
        return line


def memory_files(place: str) -> Callable[[Scene, Launcher], Outcome]:
    """Return the attack that fills memory with files in ``place``, as root."""

    def attack(scene: Scene, launcher: Launcher) -> Outcome:
        name = f"{place}/attack-{scene.token}"
        bind = f"/dev/shm:{place}" if launcher.name == "naive" else ""
        request = Request(memory=_MEMORY, bind=bind)
        limited = _Limited(launcher, ("--tmpfs", "/scratch"))
        script = (
            f"echo started >&2; head -c {_TAKEN} /dev/zero >{name}; size=$(wc -c <{name}); "
            f"[ $size -lt {_TAKEN} ] || echo SUCCEEDED $size bytes"
        )
        try:
            done = scene.run(limited, "-c", script, program="/bin/sh", request=request)
        finally:
            Path(f"/dev/shm/attack-{scene.token}").unlink(missing_ok=True)
        return judge(done)

    return attack


def disk(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the disk that the tree is on is filled; what is written is to be thrown away."""
    return _fill(scene, _Limited(launcher, ("--ephemeral-size", str(_DISK))))


def large_file(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a file of the tree grows, whose writer may write no large ones."""
    return _fill(scene, _Limited(launcher, ("--ulimit", f"fsize={_DISK}")))


def _fill(scene: Scene, launcher: Launcher) -> Outcome:
    script = f"echo started >&2; head -c {_TAKEN} /dev/zero >/var/filler; true"
    done = scene.run(launcher, "-c", script, program="/bin/sh")
    filler = scene.tree / "var/filler"
    size = filler.stat().st_size if filler.exists() else 0
    return by_effect(done, f"{size} bytes on the disk" if size > _DISK else "")


def processor(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: more processor time than was given: four busy processes, a twentieth of one."""
    limited = _Limited(launcher, ("--cpus", str(_SHARE)))
    done = scene.run(limited, "-c", _BUSY, program="/bin/bash")
    lines = done.output.splitlines()
    used = sum(60 * int(m) + float(s) for m, s in re.findall(r"(\d+)m([\d.]+)s", done.output))
    begun, ended = map(float, lines[-1].split())
    share = used / (ended - begun)
    verdict = Verdict.SUCCEEDED if share > 2 * _SHARE else Verdict.HELD
    return Outcome(verdict, f"{share:.2f} processors")


def processes(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: more processes than were given, to root by a cgroup, to a user by setrlimit(2)."""
    own = ("--ulimit", f"nproc={_PROCESSES}") if os.geteuid() else ("--pids", str(_PROCESSES))
    return judge(scene.run(_Limited(launcher, own), "forks", str(5 * _PROCESSES)))
