"""A launch from Python is by who the caller is now: what it may change of itself, one by one."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rootgen
from rootgen.api import connection, server
from rootgen.errors import LaunchError
from tests.api.servers import parent_of
from tests.sandbox.tree import build_tree

_TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one tree for all: what is run here does not change it."""
    return build_tree(tmp_path_factory.mktemp("alike") / "tree")


# What a process may change of itself; the last four are for root.
_CHANGES = {
    "oom": "open('/proc/self/oom_score_adj', 'w').write('500')",
    "filter": "process.set_no_new_privileges(); install_filter(ALLOW, 0)",
    "limit": "resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))",
    "nice": "os.nice(7)",
    "policy": "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    "capabilities": "check(call('prctl', PR_CAPBSET_DROP, NET_BIND_SERVICE, 0, 0, 0))",
    "network": "check(call('unshare', CLONE_NEWNET), 'unshare')",
    "mounts": "have_own_mounts(); mount('none', place, '-t', 'tmpfs')",
    "root": "os.chroot(other_root()); os.chdir('/')",
}
_CHANGES_OF = [
    *(pytest.param(name) for name in ("oom", "filter", "limit", "nice", "policy")),
    *(
        pytest.param(name, marks=pytest.mark.root)
        for name in ("capabilities", "network", "mounts", "root")
    ),
]
_LOOK_AFTER = """
import os, resource, subprocess, sys
from struct import pack
import rootgen
from rootgen.linux import process
from rootgen.linux.libc import call, check
from rootgen.linux.namespace import CLONE_NEWNET, CLONE_NEWNS
from rootgen.linux.seccomp import install_filter
from rootgen.sandbox.options import Bind, Options

PR_CAPBSET_DROP, NET_BIND_SERVICE = 24, 10
ALLOW = pack("HBBI", 6, 0, 0, 0x7FFF0000)  # return SECCOMP_RET_ALLOW
# Imported now: a new root may have none of it.
run, launch = rootgen.run, rootgen.launch
tree, place, change, known = sys.argv[1:]
seen = (
    "ulimit -n; cut -d' ' -f19,41 /proc/self/stat; ls /host; readlink /proc/self/ns/net; "
    "cat /proc/self/uid_map; grep -E '^(Cpus_allowed|CapBnd|Seccomp_filters):' /proc/self/status; "
    "cat /proc/self/oom_score_adj"
)
options = Options(network="host", binds=(Bind(place, "/host"),))

def mount(*words):
    subprocess.run(["mount", *words], check=True)

def have_own_mounts():
    check(call("unshare", CLONE_NEWNS), "unshare")
    mount("--make-rprivate", "/")

def other_root():
    have_own_mounts()
    mount("none", "/mnt", "-t", "tmpfs")
    root, upper, work = "/mnt/root", "/mnt/upper", "/mnt/work"
    for one in (root, upper, work):
        os.mkdir(one)
    layers = f"lowerdir=/,upperdir={upper},workdir={work}"
    mount("none", root, "-t", "overlay", "-o", layers)
    for one in ("/dev", "/proc"):
        mount("--rbind", one, root + one)
    os.mkdir(f"{root}{place}/inside")
    return root

def look():
    return run(tree, ["sh", "-c", seen], options=options).check().stdout.decode()

if known:
    with launch(tree, ["sleep", "1000"]) as before:
        as_it_was = look()
        exec(change)
        as_it_is = look()
        # What was launched before goes on.
        assert before.poll() is None
        before.terminate()
        assert before.wait(20).status == 143
    assert as_it_is != as_it_was, as_it_was
else:
    exec(change)
    as_it_is = look()
print(as_it_is)
"""


@pytest.mark.parametrize("change", _CHANGES_OF)
def test_what_the_process_has_become(tree: Path, tmp_path: Path, change: str) -> None:
    """A launch is no other because of one before, whatever the process changed in between."""
    (tmp_path / "marker").touch()

    def look(known: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", _LOOK_AFTER, tree, tmp_path, _CHANGES[change], known],
            cwd=_TOP,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    net = re.compile(r"net:\[\d+\]")
    first, later = look(""), look("known")
    if change == "network":  # each look has its own
        host = os.readlink("/proc/self/ns/net")
        assert host not in first + later
        first, later = net.sub("net", first), net.sub("net", later)
    assert later == first


_BOUNDED = """
import sys, rootgen
from rootgen.linux.libc import call, check
check(call("prctl", 24, 21, 0, 0, 0))  # PR_CAPBSET_DROP, CAP_SYS_ADMIN
print(rootgen.run(sys.argv[1], ["cat", "/proc/self/uid_map"]).check().stdout.split())
"""


@pytest.mark.root
def test_what_a_program_of_its_own_may(tree: Path) -> None:
    """What bounds capabilities counts (execve(2)), not those that the caller still has itself."""
    done = subprocess.run(
        [sys.executable, "-c", _BOUNDED, tree], stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == b"[b'0', b'0', b'4294967295']\n"


def test_changed_while_a_server_begins(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that began while another thread had changed a limit is not taken for one of now."""
    spawn = connection._spawn
    spawned: list[int] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def disturbed(theirs: int) -> int:
        if not spawned:
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        try:
            spawned.append(spawn(theirs))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return spawned[-1]

    monkeypatch.setattr(connection, "_spawn", disturbed)
    server._connection.forget()
    assert rootgen.run(tree, ["sh", "-c", "ulimit -Sn"]).stdout == b"%d\n" % soft
    assert len(spawned) == 2


def test_forked_while_a_server_begins(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork has no copy of what tells by its end that the server has gone, or its client."""
    spawn, begun = connection._spawn, threading.Event()

    def slowly(theirs: int) -> int:
        begun.set()
        time.sleep(0.3)
        return spawn(theirs)

    monkeypatch.setattr(connection, "_spawn", slowly)
    server._connection.forget()
    with ThreadPoolExecutor(1) as pool:
        launching = pool.submit(rootgen.launch, tree, ["sleep", "1000"])
        begun.wait(20)
        child = os.fork()
        if child == 0:
            time.sleep(1000)
        try:
            launched = launching.result(20)
            os.kill(parent_of(launched.process), signal.SIGKILL)
            with pytest.raises(LaunchError, match="the launch server ended"):
                launched.wait(20)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
