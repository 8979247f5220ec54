"""Act two: limits, as values for both versions of cgroups, and as they hold."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import LaunchError
from rootgen.sandbox.limits import Hierarchy, Limit, LimitFacts, Manager, compose_limits
from rootgen.sandbox.options import IoLimit, Options
from tests.sandbox.tree import command_line, launch, shell

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = Hierarchy(1, frozenset(("memory",)), "/cg/memory/us", writable=True)
PIDS = Hierarchy(1, frozenset(("pids",)), "/cg/pids", writable=True)
BLKIO = Hierarchy(1, frozenset(("blkio",)), "/cg/blkio", writable=True)
ALL = frozenset(("cpu", "io", "memory", "pids"))
TOP = Hierarchy(2, ALL, "/cg", writable=True, top=True, alone=True, everywhere=ALL)
DELEGATED = Hierarchy(2, ALL, "/cg/us", writable=True, enabled=ALL, everywhere=ALL)
SESSION = DELEGATED._replace(writable=False, enabled=frozenset(), controllers=frozenset())
USERS = Manager("/run/user/1000/bus")
DISK = IoLimit("/dev/x", (("rbps", 5), ("wiops", 7)))
DEVICES = {"/dev/x": "8:0"}


def _facts(*hierarchies: Hierarchy, manager: Manager | None = None) -> LimitFacts:
    return LimitFacts(hierarchies, manager, DEVICES, "x")


def test_none() -> None:
    """Nothing asked for, nothing made."""
    assert compose_limits(Options(), _facts()) == ()


def test_version_1() -> None:
    """A child of the caller's own group in each hierarchy."""
    options = Options(memory=4096, pids=2, io=(DISK,))
    assert compose_limits(options, _facts(MEMORY, PIDS, BLKIO)) == (
        Limit(
            "/cg/memory/us/x",
            (("memory.limit_in_bytes", "4096"),),
            (("memory.memsw.limit_in_bytes", "4096"), ("memory.use_hierarchy", "1")),
            events="memory.oom_control",
        ),
        Limit("/cg/pids/x", (("pids.max", "3"),)),
        Limit(
            "/cg/blkio/x",
            (
                ("blkio.throttle.read_bps_device", "8:0 5"),
                ("blkio.throttle.write_iops_device", "8:0 7"),
            ),
            flat=True,
        ),
    )


def test_version_2_delegated() -> None:
    """One group with all the limits, where the caller's group gives its children controllers."""
    options = Options(memory=4096, cpus=0.5, pids=2, io=(DISK,))
    assert compose_limits(options, _facts(DELEGATED)) == (
        Limit(
            "/cg/us/x",
            (
                ("memory.max", "4096"),
                ("cpu.max", "50000 100000"),
                ("pids.max", "3"),
                ("io.max", "8:0 rbps=5 wiops=7"),
            ),
            (("memory.swap.max", "0"),),
            events="memory.events",
        ),
    )


def test_hybrid() -> None:
    """A controller of version 1 is used there, one of version 2 there."""
    rest = DELEGATED._replace(
        controllers=frozenset(("pids",)), everywhere=frozenset(("pids",)), group="/cg/unified/us"
    )
    limits = compose_limits(Options(memory=4096, pids=2), _facts(MEMORY, rest))
    assert [limit.directory for limit in limits] == ["/cg/memory/us/x", "/cg/unified/us/x"]


def test_version_2_to_enable() -> None:
    """At the top the controllers are enabled; in a group of our own we move to a leaf first."""
    (limit,) = compose_limits(Options(cpus=2, pids=2), _facts(TOP))
    assert (limit.directory, limit.parent, limit.leaf) == ("/cg/x", "/cg", "")
    assert limit.controllers == ("cpu", "pids")
    own = TOP._replace(group="/cg/us", top=False)
    (limit,) = compose_limits(Options(cpus=2), _facts(own))
    assert (limit.parent, limit.leaf) == ("/cg/us", "/cg/us/x-launcher")


@pytest.mark.parametrize(
    "hierarchy", [SESSION, DELEGATED._replace(enabled=frozenset(), alone=False)]
)
def test_version_2_scope(hierarchy: Hierarchy) -> None:
    """Where the caller's group can have no limited child, systemd is asked for one that can."""
    (limit,) = compose_limits(Options(memory=4096), _facts(hierarchy, manager=USERS))
    assert (limit.manager, limit.unit) == (USERS, "x.scope")
    assert limit.directory.startswith(f"{limit.parent}/")
    assert limit.controllers == ("memory",)


@pytest.mark.parametrize(
    ("hierarchies", "message"),
    [
        ((), "no cgroup hierarchy with the memory controller"),
        ((PIDS,), "no cgroup hierarchy with the memory controller"),
        ((MEMORY._replace(writable=False),), "cannot make a cgroup in /cg/memory/us"),
        ((SESSION,), "cannot make a cgroup in /cg/us"),
        ((TOP._replace(top=False, alone=False),), "cannot be given to a child"),
        (
            (TOP._replace(controllers=frozenset(("cpu",)), top=False),),
            "does not have the memory controller",
        ),
    ],
)
def test_refused(hierarchies: tuple[Hierarchy, ...], message: str) -> None:
    """A limit that cannot be had is an error with a way out, never silence."""
    with pytest.raises(LaunchError, match=message) as caught:
        compose_limits(Options(memory=4096), _facts(*hierarchies))
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
    """Who takes more is killed, and why is told: of the program, and of what it started."""
    limited = ["--memory", "32M"]
    done = launch(tree, "tail", "-n", "1", "/dev/zero", options=limited)
    assert done.returncode == 137
    assert done.stderr == b"rootgen: out of memory: the limit of --memory was reached\n"
    done = launch(tree, "sh", "-c", "kill -9 $$", options=limited)
    assert (done.returncode, done.stderr) == (137, b"")
    done = launch(tree, "sh", "-c", "tail -n 1 /dev/zero; echo goes on", options=limited)
    assert (done.returncode, done.stdout) == (0, b"goes on\n")
    assert b"out of memory" in done.stderr
    assert b"the kernel killed a process in there" in done.stderr


@pytest.mark.root
def test_memory_that_cannot_do(tree: Path) -> None:
    """What is too little for process 1 itself is told like any other."""
    done = launch(tree, "true", options=["--memory", "64K"])
    assert done.returncode in {125, 137}
    assert b"--memory" in done.stderr or b"out of memory" in done.stderr


@pytest.mark.root
@pytest.mark.parametrize("place", ["/dev/shm", "/tmp", "/scratch"])
def test_memory_of_files(tree: Path, place: str) -> None:
    """Files in memory are memory: what is written there counts, and cannot be swapped away."""
    script = f"head -c 60000000 /dev/zero >{place}/x; wc -c <{place}/x"
    options = ["--tmpfs", "/scratch", "--memory", "32M"]
    done = launch(tree, "sh", "-c", script, options=options)
    assert b"out of memory" in done.stderr
    assert int(done.stdout or 0) < 33 << 20


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


@pytest.mark.root
@pytest.mark.parametrize("rate", ["wbps=768K", "wiops=8"])
def test_disk(tree: Path, rate: str) -> None:
    """Three MiB, 48 writes: no faster than at a rate, whose four or six seconds are told from none.

    A kernel rounds a share of writes up, slice by slice: here twelve a second pass, not eight.
    """
    script = "dd if=/dev/zero of=/var/x bs=64k count=48 oflag=direct"
    begun = time.monotonic()
    assert shell(tree, script, ["--io", f"{tree}:{rate}"]) == ""
    assert time.monotonic() - begun > 2.5


@pytest.mark.parametrize("path", ["/proc", "/dev/null", "/nowhere"])
def test_no_disk(tree: Path, path: str) -> None:
    """What is on no disk cannot be limited as one, and is named."""
    done = launch(tree, "true", options=["--io", f"{path}:wbps=1M"])
    assert done.returncode == 125
    assert f"--io {path}: ".encode() in done.stderr


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


def _started(tree: Path) -> subprocess.Popen[bytes]:
    """Start a launch with limits that goes on until it is killed."""
    process = subprocess.Popen(
        command_line(tree, "sh", "-c", "echo ready; sleep 1000", options=LIMITS),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert len(_groups(process.pid)) == 3
    return process


def _watcher(launcher: int) -> int:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    (watcher,) = (
        int(child)
        for child in children
        if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"rootgen: watcher")
    )
    return watcher


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.root
def test_groups_of_a_killed_launcher(tree: Path) -> None:
    """Its watcher removes them, and goes: nothing of a killed launcher stays."""
    process = _started(tree)
    watcher = _watcher(process.pid)
    process.kill()
    process.communicate(timeout=20)
    _wait_until(lambda: not _groups(process.pid) and not os.path.exists(f"/proc/{watcher}"))


@pytest.mark.root
def test_groups_of_a_killed_watcher(tree: Path) -> None:
    """Where both were killed, the next launch that has limits removes what they left."""
    process = _started(tree)
    os.kill(_watcher(process.pid), signal.SIGKILL)
    process.kill()
    process.communicate(timeout=20)
    assert len(_groups(process.pid)) == 3
    assert launch(tree, "true", options=LIMITS).returncode == 0
    assert _groups(process.pid) == []


@pytest.mark.root
def test_groups_of_others(tree: Path) -> None:
    """A launch removes nothing of one that goes on, nor of one of another PID namespace."""
    process = _started(tree)
    names = {Path(path).name for path in _groups(process.pid)}
    (name,) = names
    far = Path("/sys/fs/cgroup/pids") / name.replace(os.readlink("/proc/self/ns/pid")[5:-1], "1")
    far.mkdir()
    try:
        assert launch(tree, "true", options=LIMITS).returncode == 0
        assert len(_groups(process.pid)) == 3 + 1
    finally:
        far.rmdir()
        process.terminate()
        process.communicate(timeout=20)
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
