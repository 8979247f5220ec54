"""Limits on a machine that systemd manages: a group is asked for, and had, by user and root."""

from __future__ import annotations

import pytest

from tests.guest import boot

_MEMORY = "rootgen run --memory 32M --pids 20 /tree --"
_LEFT = "find /sys/fs/cgroup -name '*rootgen*'; ps -o args | grep '^sleep 1000' || true"
_KILLED = """
as_user rootgen run --pids 20 /tree -- sleep 1000 &
until ps -o args | grep -q '^sleep 1000'; do sleep 0.1; done
find /sys/fs/cgroup/user.slice -name container
kill -9 $!
wait $! || true
"""
SCRIPTS = {
    "user": f"as_user {_MEMORY} tail -n 1 /dev/zero",
    "child": f"as_user {_MEMORY} sh -c 'tail -n 1 /dev/zero; cat /proc/self/cgroup'",
    "root": f"{_MEMORY} tail -n 1 /dev/zero",
    "slice": "rootgen run --explain --memory 32M /tree -- true | grep systemd-run",
    "not-passed-on": "as_user rootgen run --io /dev/vda:wbps=1M /tree -- touch /tmp/x",
    "left": f"sleep 1; {_LEFT}",
    "killed": _KILLED,
    "killed-left": f"sleep 1; {_LEFT}",
    "failed": "as_user systemctl --user --failed --no-legend; systemctl --failed --no-legend",
    "no-bus": "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere XDG_RUNTIME_DIR=/nowhere "
    "setpriv --reuid 1000 --regid 1000 --clear-groups rootgen run --pids 9 /tree -- true",
}


@pytest.mark.root
@pytest.mark.long
def test_systemd() -> None:
    """A scope for each launch, below the caller's slice; nothing stays of it."""
    results = boot(SCRIPTS, profile="systemd", cgroups="none", disk=16 << 20)
    told = "rootgen: out of memory: the limit of --memory was reached"
    for name in ("user", "root"):
        assert (results[name].status, results[name].output.strip()) == (137, told), results[name]
    assert results["child"].status == 0
    assert "0::/\n" in results["child"].output
    assert f"{told}, and the kernel killed a process" in results["child"].output
    assert "systemd-run --scope --slice=system.slice" in results["slice"].output
    assert results["not-passed-on"].status == 125
    assert "systemd does not pass the io controller on" in results["not-passed-on"].output
    assert "Delegate=cpu io memory pids" in results["not-passed-on"].output
    assert results["left"] == (0, ""), results["left"]
    assert "user-1000.slice/user-manager.service/app.slice/rootgen-" in results["killed"].output
    assert results["killed-left"] == (0, ""), results["killed-left"]
    assert results["failed"] == (0, ""), results["failed"]
    assert results["no-bus"].status == 125
    assert "no systemd was found to ask for a group" in results["no-bus"].output
