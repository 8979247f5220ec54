"""Every command that changes a store, side by side and killed at any moment: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.image.collect import collect, damages, reachable
from rootgen.image.store import Store
from tests.people.command import ROOTGEN, rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

_ROUNDS = 20
_SECONDS = 6.0
# Each goes on until it is killed; what it says is an image of its own, whole, each time it counts.
_COMMANDS = {
    "make": "make sed --base base:1 -t made:$n",
    "commit": "commit tree -t committed:$n --base base:1 --compress zstd",
    "build": "build -f steps.yaml -t built:$n",
    "rebase": "rebase sed:1 --onto base:2 -t moved:$n",
    "again": "rebase moving:1 --onto base:$((n % 2 + 1))",
    "run": "run --user 0 sed:1 -- sed --version",
    "rm": "rm made:$n committed:$n moved:$n",
    "gc": "gc",
    "gc-too": "gc",
}
# What another has just removed, or not made yet, is told and is no failure of the store.
_TOLERATED = {"rm": "no image "}
_LOOP = """
    n=0; while :; do n=$(((n + 1) % 5))
        {rootgen} {command} --store store >out.{name} 2>err.{name} || cat err.{name} >>failed.{name}
        echo >>rounds.{name}
    done
"""
_STEPS = """
rootgen: 1
name: steps
layers:
  - {name: shell, programs: [bash]}
  - {name: more, programs: [cat, ls]}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make what the commands begin with."""
    for line in (
        "make bash true -t base:1",
        "make bash true cat -t base:2",
        "make sed --base base:1 -t sed:1",
        "make sed --base base:1 -t moving:1",
    ):
        succeed(*line.split(), "--store", "store", directory=tmp_path)
    succeed("make", "bash", "true", "sed", "ls", "--out", "tree", directory=tmp_path)
    (tmp_path / "steps.yaml").write_text(_STEPS)
    return tmp_path


def _start(place: Path, name: str, command: str) -> subprocess.Popen[bytes]:
    words, _, rest = command.partition(" -- ")
    store = " --store store"
    line = f"{words}{store} -- {rest}" if rest else f"{words}{store}"
    script = _LOOP.replace("{rootgen} {command} --store store", f"{ROOTGEN} {line}")
    script = script.replace("{name}", name)
    return subprocess.Popen(["sh", "-c", script], cwd=place, start_new_session=True)


@pytest.mark.long
def test_killed_at_any_moment(place: Path, record_property: Any) -> None:
    """After each kill every name leads to whole blobs, and the store serves as before."""
    dice = random.Random(1)
    for _ in range(_ROUNDS):
        running = {name: _start(place, name, line) for name, line in _COMMANDS.items()}
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            # One after the other is killed, and begins anew while the rest goes on.
            time.sleep(dice.uniform(0, 0.4))
            name = dice.choice(list(_COMMANDS))
            os.killpg(running[name].pid, signal.SIGKILL)
            running[name].wait()
            running[name] = _start(place, name, _COMMANDS[name])
        for one in running.values():
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        _check(place)
    assert _failures(place) == {}
    counted = {name: _count(place / f"rounds.{name}") for name in _COMMANDS}
    assert min(counted.values()) >= _ROUNDS / 4, counted
    record_property("figure", f"store under {len(_COMMANDS)} commands, killed: rounds {counted}")
    # Nobody uses anything now: what is left is what the names lead to.
    with Store(str(place / "store")) as store:
        collect(store)
        assert {digest for digest, _ in store.blobs()} == reachable(store).keys()
        assert os.listdir(place / "store/ingest") == []


def _check(place: Path) -> None:
    """Demand that nothing is damaged, and that what began it all is as it was."""
    with Store(str(place / "store")) as store:
        assert list(damages(store)) == []
    listed = json.loads(succeed("images", "--json", "--store", "store", directory=place))
    names = {one["name"] for one in listed["images"]}
    assert {"base:1", "base:2", "sed:1", "moving:1"} <= names
    assert [one for one in listed["images"] if "error" in one] == []
    line = ("run", "--store", "store", "moving:1", "--", "sed", "--version")
    done = rootgen(*line, directory=place)
    assert (done.returncode, done.stdout[:3]) == (0, "sed"), done.stderr


def _failures(place: Path) -> dict[str, str]:
    """Return what a command that was not killed failed with."""
    found = {}
    for name in _COMMANDS:
        failed = place / f"failed.{name}"
        told = failed.read_text() if failed.exists() else ""
        lines = [line for line in told.splitlines() if line.startswith("rootgen: ")]
        lines = [one for one in lines if _TOLERATED.get(name, "\0") not in one]
        if lines:
            found[name] = "\n".join(lines)
    return found


def _count(file: Path) -> int:
    return len(file.read_text()) if file.exists() else 0
