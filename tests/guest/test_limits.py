"""Limits where version 2 is whole, where versions are mixed, and in a group of the user's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.guest import boot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.guest import Result

_MEMORY = "rootgen run --memory 32M"
_LEFT = "find /sys/fs/cgroup -name 'rootgen-*'"
# Without a limit these are done at once: the disk is a file in the host's memory.
_WRITE = "dd if=/dev/zero of=/mnt/x bs=64k count=32 oflag=direct 2>/dev/null"
_READ = "dd if=/mnt/x of=/dev/null bs=64k count=32 iflag=direct 2>/dev/null"
_BUSY = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; cat /proc/$$/stat"

SCRIPTS = {
    "memory": f"{_MEMORY} /tree -- tail -n 1 /dev/zero",
    "child": f"{_MEMORY} /tree -- sh -c 'tail -n 1 /dev/zero; echo goes on'",
    "files": f"{_MEMORY} /tree -- sh -c 'head -c 60000000 /dev/zero >/dev/shm/x'",
    "processes": "rootgen run --pids 4 /tree -- sh -c 'for i in 1 2 3 4 5; do sleep 9 & done'",
    "processor": f"time rootgen run --cpus 0.2 /tree -- sh -c '{_BUSY}'",
    "disk": "mke2fs /dev/vda >/dev/null; mkdir /disk; mount /dev/vda /disk",
    "write": f"time rootgen run --io /disk:wbps=512K --bind /disk:/mnt /tree -- sh -c '{_WRITE}'",
    "read": f"time rootgen run --io /dev/vda:riops=8 --bind /disk:/mnt /tree -- sh -c '{_READ}'",
    "left": _LEFT,
}
# What counts must not fork itself.
_FORK_BOMB = (
    "(while :; do sleep 99 & done) & "
    "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; set -- /proc/[0-9]*; echo there are $#"
)
# A group that belongs to the user, as systemd delegates them; whoever runs there is alone in it.
_DELEGATE = """
cd /sys/fs/cgroup
echo +memory +pids +cpu >cgroup.subtree_control
mkdir user
chown user user user/cgroup.procs user/cgroup.subtree_control
"""
# What a user launches by hand; nothing limits it, so a little more than the limits below is taken.
_NAIVE = (
    "mount --bind /dev /tree/dev; mount --bind /proc /tree/proc; "
    "{}as_user unshare --map-root-user --mount chroot /tree /bin/sh -c '{}'; "
    "umount /tree/dev /tree/proc"
)
NAIVE = {
    "naive-memory": _NAIVE.format("", "head -c 60000000 /dev/zero | tail -n 1 | wc -c"),
    "naive-bomb": _NAIVE.format("", "for i in $(seq 40); do sleep 3 & done; echo $i processes"),
    "naive-processor": _NAIVE.format("time ", _BUSY),
}
_ENTER = "sh -c 'echo $$ >/sys/fs/cgroup/user/cgroup.procs; exec as_user \"$@\"' sh"
DELEGATED = {
    "refused": "as_user rootgen run --memory 32M /tree -- touch /tmp/x",
    "delegate": _DELEGATE,
    "delegated": f"{_ENTER} {_MEMORY} --pids 20 /tree -- tail -n 1 /dev/zero",
    "bomb": f"{_ENTER} rootgen run --pids 20 /tree -- sh -c '{_FORK_BOMB}'",
    "killed": f"""
{_ENTER} rootgen run --pids 20 /tree -- sleep 1000 &
until ps -o args | grep -q '^sleep 1000'; do sleep 0.1; done
ls -d /sys/fs/cgroup/user/rootgen-* | wc -l
kill -9 $!
wait $! || true
""",
    "delegated-left": f"sleep 1; {_LEFT}; cat /sys/fs/cgroup/user/cgroup.procs; "
    "ps -o args | grep -c '^sleep'",
}


def _took(result: Result) -> float:
    """Return the seconds that time(1) told."""
    found = re.search(r"real\s+(\d+)m ([\d.]+)s", result.output)
    assert found is not None, result
    return 60 * int(found[1]) + float(found[2])


def _share(result: Result) -> float:
    """Return which part of the time it had a processor."""
    fields = result.output.rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100 / _took(result)  # ticks


def _check(results: Mapping[str, Result]) -> None:
    """Compare what the scripts said with what limits mean, whatever version they are of."""
    told = "rootgen: out of memory: the limit of --memory was reached"
    assert (results["memory"].status, results["memory"].output.strip()) == (137, told)
    assert results["child"].status == 0
    assert "goes on" in results["child"].output
    assert f"{told}, and the kernel killed a process in there" in results["child"].output
    assert told in results["files"].output
    assert "fork" in results["processes"].output
    assert _share(results["processor"]) < 0.4, results["processor"]
    # Two MiB at half a MiB, 32 reads at eight a second: four seconds.
    assert _took(results["write"]) > 3, results["write"]
    assert _took(results["read"]) > 3, results["read"]
    assert results["left"] == (0, ""), results["left"]


def _check_delegated(results: Mapping[str, Result]) -> None:
    assert results["refused"].status == 125
    assert "--memory: cannot make a cgroup in /sys/fs/cgroup" in results["refused"].output
    assert results["delegated"].status == 137, results["delegated"]
    assert "out of memory" in results["delegated"].output
    assert results["bomb"].status == 0, results["bomb"]
    # Process 1 is ours.
    assert 15 < int(results["bomb"].output.rpartition("there are ")[2].split()[0]) <= 21
    # The limited group, and the one that the launcher made room with.
    assert results["killed"].output.split()[0] == "2", results["killed"]
    assert results["delegated-left"].output.split() == ["0"], results["delegated-left"]


def test_version_2() -> None:
    """Memory, processes, processor and disk, for root and in a group that a user was given."""
    results = boot({**SCRIPTS, **NAIVE, **DELEGATED}, disk=16 << 20)
    _check(results)
    assert "60000000" in results["naive-memory"].output
    assert "40 processes" in results["naive-bomb"].output
    assert _share(results["naive-processor"]) > 0.6, results["naive-processor"]
    _check_delegated(results)


@pytest.mark.long
@pytest.mark.parametrize("cgroups", ["v1", "hybrid"])
def test_version_1(cgroups: str) -> None:
    """The same where the controllers are of version 1; there is no delegation there."""
    results = boot({**SCRIPTS, "refused": DELEGATED["refused"]}, cgroups=cgroups, disk=16 << 20)
    _check(results)
    assert results["refused"].status == 125
    assert "of version 1, of which systemd delegates no group" in results["refused"].output
