"""Act two: limits, as values for both versions of cgroups, and as they hold."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from rootgen.errors import LaunchError
from rootgen.sandbox.limits import Hierarchy, Limit, compose_limits
from rootgen.sandbox.options import Options
from tests.sandbox.tree import command_line, launch, shell

MEMORY = Hierarchy(1, frozenset(("memory",)), "/cg/memory/us", writable=True)
PIDS = Hierarchy(1, frozenset(("pids",)), "/cg/pids", writable=True)
ALL = frozenset(("cpu", "memory", "pids"))
TOP = Hierarchy(2, ALL, "/cg", writable=True, top=True, alone=True)
DELEGATED = Hierarchy(2, ALL, "/cg/us", writable=True, enabled=ALL)


def test_none() -> None:
    """Nothing asked for, nothing made."""
    assert compose_limits(Options(), (), "x") == ()


def test_version_1() -> None:
    """A child of the caller's own group in each hierarchy."""
    assert compose_limits(Options(memory=4096, pids=2), (MEMORY, PIDS), "x") == (
        Limit(
            "/cg/memory/us/x",
            (("memory.limit_in_bytes", "4096"),),
            (("memory.memsw.limit_in_bytes", "4096"),),
            events="memory.oom_control",
        ),
        Limit("/cg/pids/x", (("pids.max", "3"),)),
    )


def test_version_2_delegated() -> None:
    """One group with all the limits, where the caller's group gives its children controllers."""
    limits = compose_limits(Options(memory=4096, cpus=0.5, pids=2), (DELEGATED,), "x")
    assert limits == (
        Limit(
            "/cg/us/x",
            (("memory.max", "4096"), ("cpu.max", "50000 100000"), ("pids.max", "3")),
            (("memory.swap.max", "0"),),
            events="memory.events",
        ),
    )


def test_version_2_to_enable() -> None:
    """At the top the controllers are enabled; in a group of our own we move to a leaf first."""
    (limit,) = compose_limits(Options(cpus=2, pids=2), (TOP,), "x")
    assert (limit.directory, limit.parent, limit.leaf) == ("/cg/x", "/cg", "")
    assert limit.controllers == ("cpu", "pids")
    own = TOP._replace(group="/cg/us", top=False)
    (limit,) = compose_limits(Options(cpus=2), (own,), "x")
    assert (limit.parent, limit.leaf) == ("/cg/us", "/cg/us/x-launcher")


@pytest.mark.parametrize(
    ("hierarchies", "message"),
    [
        ((), "no cgroup hierarchy with the memory controller"),
        ((PIDS,), "no cgroup hierarchy with the memory controller"),
        ((MEMORY._replace(writable=False),), "cannot make a cgroup in /cg/memory/us"),
        ((TOP._replace(top=False, alone=False),), "cannot be given to a child"),
    ],
)
def test_refused(hierarchies: tuple[Hierarchy, ...], message: str) -> None:
    """A limit that cannot be had is an error with a way out, never silence."""
    with pytest.raises(LaunchError, match=message) as caught:
        compose_limits(Options(memory=4096), hierarchies, "x")
    assert caught.value.hint


def _groups(launcher: int) -> list[str]:
    """Return the groups that a launcher made and that are still there."""
    return [
        os.path.join(path, name)
        for path, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(f"rootgen-{launcher}-")
    ]


@pytest.mark.root
def test_processes(tree: Path) -> None:
    """The program gets as many as were asked for, and not one more."""
    script = "sleep 1 & sleep 1 & wait; echo fine"
    assert shell(tree, script, ["--pids", "3"]) == "fine"
    done = launch(tree, "sh", "-c", script, options=["--pids", "2"])
    assert b"fork" in done.stderr


@pytest.mark.root
def test_memory(tree: Path) -> None:
    """Who takes more is killed, and why is told."""
    done = launch(tree, "tail", "-n", "1", "/dev/zero", options=["--memory", "32M"])
    assert done.returncode == 137
    assert b"out of memory" in done.stderr
    done = launch(tree, "sh", "-c", "kill -9 $$", options=["--memory", "32M"])
    assert done.returncode == 137
    assert b"out of memory" not in done.stderr


@pytest.mark.root
def test_processor(tree: Path) -> None:
    """A tenth of a processor is a tenth of the time, roughly."""
    script = (
        "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; cat /proc/self/stat /proc/$$/stat"
    )
    begun = time.monotonic()
    fields = shell(tree, script, ["--cpus", "0.1"]).splitlines()[1].split()
    elapsed = time.monotonic() - begun
    used = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    assert used < 0.3 * elapsed + 0.1


LIMITS = ["--memory", "64M", "--pids", "9", "--cpus", "1"]


@pytest.mark.root
@pytest.mark.parametrize(
    ("command", "status"), [(["true"], 0), (["none"], 127), (["sh", "-c", "kill -9 $$"], 137)]
)
def test_groups_are_removed(tree: Path, command: list[str], status: int) -> None:
    """No group stays, however it ended."""
    process = subprocess.Popen(
        command_line(tree, *command, options=LIMITS), stderr=subprocess.DEVNULL
    )
    assert process.wait(timeout=20) == status
    assert _groups(process.pid) == []


@pytest.mark.root
def test_groups_of_a_killed_launcher(tree: Path) -> None:
    """What a launcher left that was killed goes with the next one that has limits."""
    process = subprocess.Popen(
        command_line(tree, "sh", "-c", "echo ready; sleep 1000", options=LIMITS),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert len(_groups(process.pid)) == 3
    process.kill()
    process.communicate(timeout=20)
    assert launch(tree, "true", options=LIMITS).returncode == 0
    assert _groups(process.pid) == []


def test_the_cgroup_namespace_begins_there(tree: Path) -> None:
    """The program's own group is the top of what it sees."""
    limits = ["--pids", "20"] if os.geteuid() == 0 else []
    lines = shell(tree, "cat /proc/self/cgroup", limits).splitlines()
    assert all(line.endswith(":/") for line in lines)


def test_refusal_on_the_command_line(tree: Path) -> None:
    """Who may not make groups is told so, and nothing runs: 125."""
    if os.access(_own_group(), os.W_OK):
        return  # this caller may, and the tests above say what then holds
    done = launch(tree, "touch", "/var/ran", options=["--pids", "5"])
    assert done.returncode == 125
    assert b"--pids" in done.stderr
    assert not (tree / "var/ran").exists()


def _own_group() -> str:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "pids":
            return f"/sys/fs/cgroup/pids{path}"
    return "/sys/fs/cgroup"
