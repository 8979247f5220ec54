"""Act one: what a launched program sees of the machine is its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.tree import launch, output, shell

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACES = ("mnt", "pid", "uts", "ipc", "net", "cgroup", "time")


@pytest.mark.parametrize("name", NAMESPACES)
def test_fresh(tree: Path, name: str) -> None:
    """Each namespace is another than the caller's."""
    outside = os.readlink(f"/proc/self/ns/{name}")
    inside = output(tree, "readlink", f"/proc/self/ns/{name}")
    assert inside.startswith(f"{name}:[")
    assert inside != outside


def test_user_namespace(tree: Path) -> None:
    """An ordinary user gets a user namespace, and is 0 in it; root keeps its own."""
    inside = output(tree, "readlink", "/proc/self/ns/user")
    assert (inside == os.readlink("/proc/self/ns/user")) == (os.geteuid() == 0)
    assert output(tree, "id", "-u") == "0"


def test_processes(tree: Path) -> None:
    """Nobody else is there: process 1, and the program."""
    listed = shell(tree, "for p in /proc/[0-9]*; do echo ${p#/proc/}; done").split()
    assert listed[0] == "1"
    assert len(listed) == 2


def test_command_line_of_process_one(tree: Path) -> None:
    """Process 1 tells nothing of the host: not where the tree lies there."""
    assert str(tree) not in output(tree, "cat", "/proc/1/cmdline")


def test_uptime(tree: Path) -> None:
    """The machine seems to have been started just now, to whatever asks; unless asked for."""
    inside = float(output(tree, "cat", "/proc/uptime").split()[0])
    assert inside < 5
    assert shell(tree, "sleep 0.1 & cat /proc/$!/stat").split()[21] in map(str, range(500))
    with open("/proc/uptime", encoding="ascii") as file:
        outside = float(file.read().split()[0])
    assert outside > 5, "the machine is too young for this test"
    same = float(output(tree, "cat", "/proc/uptime", options=["--uptime", "host"]).split()[0])
    assert same >= outside


def test_hostname(tree: Path) -> None:
    """The host's name is not ours, and ours is what was asked for."""
    assert output(tree, "hostname", options=["--hostname", "inside"]) == "inside"
    assert output(tree, "hostname") != ""
    assert os.uname().nodename != "inside"


def test_network(tree: Path) -> None:
    """There is loopback, up, and nothing else."""
    assert output(tree, "ls", "/sys/class/net") == "lo"
    # With -e the server writes whatever it has read; else the client's end of input could end it.
    script = "nc -l -p 9 -e /bin/hello & i=0; while [ $i -lt 50 ]; do "
    script += "nc 127.0.0.1 9 </dev/null 2>/dev/null && exit; i=$((i + 1)); sleep 0.1; done"
    (tree / "bin/hello").write_text("#!/bin/sh\necho hello\n")
    (tree / "bin/hello").chmod(0o755)
    assert shell(tree, script) == "hello"


def test_host_network(tree: Path) -> None:
    """With ``--net host`` the network is the caller's, and /sys still read-only."""
    options = ["--net", "host"]
    inside = output(tree, "readlink", "/proc/self/ns/net", options=options)
    assert inside == os.readlink("/proc/self/ns/net")
    done = launch(tree, "touch", "/sys/new", options=options)
    assert b"Read-only file system" in done.stderr


def test_nothing_of_the_old_root(tree: Path) -> None:
    """Every mount is one of ours, at one of our places; up from / is /."""
    points = [line.split()[4] for line in output(tree, "cat", "/proc/self/mountinfo").splitlines()]
    assert points[0] == "/"
    allowed = ("/", "/proc", "/sys", "/dev", "/tmp", "/var/lib/rootgen/manifest.json")
    for point in points:
        assert point in allowed or point.startswith(("/proc/", "/sys/", "/dev/")), point
    inside = output(tree, "ls", "/../..")
    assert inside.split() == sorted(os.listdir(tree))


@pytest.mark.parametrize("way", ["auto", "pivot_root", "chroot"])
def test_change_of_root(tree: Path, way: str) -> None:
    """Whichever way the root was changed, the tree is all there is."""
    done = launch(tree, "ls", "/", options=["--pivot", way])
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split() == sorted(os.listdir(tree))


def test_chroot_is_told_and_weaker(tree: Path) -> None:
    """A change of root by chroot is told on stderr; the right to chroot again is gone."""
    script = "grep CapBnd /proc/self/status; chroot / true"
    done = launch(tree, "sh", "-c", script, options=["--pivot", "chroot"])
    assert b"chroot" in done.stderr.splitlines()[0]
    assert not int(done.stdout.split()[1], 16) >> 18 & 1
    assert done.returncode != 0
