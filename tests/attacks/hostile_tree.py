"""Trees that are built to make the launcher do something, to the host or for ever."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from rootgen.linux.rename import exchange
from tests.attacks.launchers import Request
from tests.attacks.outcome import Outcome, Verdict, by_effect, judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.attacks.launchers import Launcher
    from tests.attacks.scene import Scene

_LAUNCHES = 40
HELD = Verdict.HELD


def dev_link(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: /dev is a link to a directory of the host."""
    outside = _outside(scene)
    outcome = Outcome(Verdict.HELD)
    for target in (str(outside), "../host/outside"):
        _replace(scene.tree / "dev", target)
        done = scene.run(launcher, "environment", "NONE")
        outcome = by_effect(done, _listed(outside))
        if outcome.verdict is Verdict.SUCCEEDED:
            break
    return outcome


def proc_link(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: /proc is a link; what is hidden in it may be hidden elsewhere."""
    (scene.tree / "var/elsewhere").mkdir()
    _replace(scene.tree / "proc", "var/elsewhere")
    return judge(scene.run(launcher, "unmasked", "/proc", "/var/elsewhere"))


def sys_link(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: /sys is a link; what is read-only may be so elsewhere."""
    (scene.tree / "var/elsewhere").mkdir()
    _replace(scene.tree / "sys", "var/elsewhere")
    return judge(scene.run(launcher, "write_same", "/var/elsewhere/kernel/rcu_expedited"))


def resolv_link(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: /etc/resolv.conf is a link to a file of the host."""
    target = scene.host / "resolv.conf"
    target.write_text("of the host")
    outcome = Outcome(Verdict.HELD)
    for link in (str(target), "../../host/resolv.conf"):
        _replace(scene.tree / "etc/resolv.conf", link)
        done = scene.run(launcher, "environment", "NONE")
        changed = target.read_text() != "of the host"
        outcome = by_effect(done, "a file of the host was overwritten" if changed else "")
        if changed:
            break
    return outcome


def bind_link(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a link lies on the way of a bind's target."""
    outside = _outside(scene)
    (scene.host / "data").mkdir()
    request = Request(bind=f"{scene.host}/data:/srv/deep")
    outcome = Outcome(Verdict.HELD)
    for target in (str(outside), "../host/outside"):
        _replace(scene.tree / "srv", target)
        outcome = by_effect(
            scene.run(launcher, "environment", "NONE", request=request), _listed(outside)
        )
        if outcome.verdict is Verdict.SUCCEEDED:
            break
    return outcome


def bind_swapped(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: what a bind goes through turns from a directory into a link while it is being done."""
    outside = _outside(scene)
    (scene.host / "data").mkdir()
    (scene.tree / "srv").mkdir()
    (scene.tree / "swap").symlink_to("../host/outside")
    request = Request(bind=f"{scene.host}/data:/srv/deep")
    outcome = Outcome(Verdict.HELD)
    for _ in _while_swapping(scene.tree, "srv", "swap"):
        done = scene.run(launcher, "environment", "NONE", request=request)
        outcome = by_effect(done, _listed(outside))
        if outcome.verdict is Verdict.SUCCEEDED:
            break
    return _held_if_refused(outcome)


def proc_moved(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the directory /proc is renamed once procfs is on it, before anything is hidden."""
    (scene.tree / "decoy").mkdir()
    outcome = Outcome(Verdict.HELD)
    for _ in _while_swapping(scene.tree, "proc", "decoy"):
        outcome = judge(scene.run(launcher, "unmasked", "/proc", "/decoy"))
        if outcome.verdict is Verdict.SUCCEEDED:
            break
    return _held_if_refused(outcome)


def null_link(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: what files are hidden with, the tree's /dev/null, is a link to a knob of the kernel."""
    (scene.tree / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
    return judge(scene.run(launcher, "unmasked", "/proc"))


def fifo(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: pipes that nobody writes to stand where files are opened."""
    for name in ("dev/null", "etc/passwd", "etc/group", "etc/resolv.conf"):
        (scene.tree / name).unlink(missing_ok=True)
        os.mkfifo(scene.tree / name)
    done = scene.run(launcher, "environment", "NONE", patience=5)
    return by_effect(done, "the launcher waits for ever" if done.status is None else "")


def _outside(scene: Scene) -> Path:
    outside = scene.host / "outside"
    outside.mkdir()
    return outside


def _held_if_refused(outcome: Outcome) -> Outcome:
    """Take the last of many launches, refused or not as chance had it, for held."""
    return outcome._replace(verdict=HELD) if outcome.verdict is Verdict.REFUSED else outcome


def _replace(path: Path, target: str) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        path.rmdir()
    path.symlink_to(target)


def _listed(outside: Path) -> str:
    found = sorted(os.listdir(outside))
    return f"made {', '.join(found)} in a directory of the host" if found else ""


def _while_swapping(tree: Path, one: str, other: str) -> Iterator[None]:
    """Yield some forty times, while two names of the tree change places as fast as they can."""
    over = threading.Event()

    def swap() -> None:
        directory = os.open(tree, os.O_PATH | os.O_DIRECTORY)
        try:
            while not over.is_set():
                exchange(directory, one, directory, other)
        finally:
            os.close(directory)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(_LAUNCHES):
            yield
    finally:
        over.set()
        swapping.join()
