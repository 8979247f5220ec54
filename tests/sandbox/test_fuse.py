"""Stacks that the kernel's overlayfs refuses: by fuse-overlayfs, or with a word on what to install.

The kernel refuses an overlay of an overlay of an overlay (fs/overlayfs/super.c,
"maximum fs stacking depth exceeded"), as a container in a container soon wants one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.linux.process import start_time
from tests.sandbox.terminal import Terminal
from tests.sandbox.test_stack import EVERYTHING
from tests.sandbox.tree import ROOTGEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Deep = Callable[..., list[str]]

_DEEP = """
set -e
mount -t tmpfs none /mnt
mkdir /mnt/u1 /mnt/w1 /mnt/m1 /mnt/u2 /mnt/w2 /mnt/m2
mount -t overlay none -o "$2lowerdir=$1,upperdir=/mnt/u1,workdir=/mnt/w1" /mnt/m1
mount -t overlay none -o "$2lowerdir=/mnt/m1,upperdir=/mnt/u2,workdir=/mnt/w2" /mnt/m2
cd /
eval "$3"
shift 3
exec "$@"
"""
_HIDE = "mount --bind /dev/null "


@pytest.fixture(params=["caller", "user namespace", "user namespace without SYS_ADMIN"])
def deep(tree: Path, request: pytest.FixtureRequest) -> Deep:
    """Return what runs a command where the tree is /mnt/m2, an overlay of an overlay.

    By who makes namespaces as it is, and by who needs one of users for it.
    """

    def line(*command: str, before: str = "") -> list[str]:
        outer = ["unshare", "--mount"]
        options = ""
        if request.param != "caller" or os.geteuid() != 0:
            outer.append("--map-root-user")
            options = "userxattr,"
        inner = ["setpriv", "--bounding-set=-sys_admin"] if "without" in request.param else []
        return [*outer, "bash", "-c", _DEEP, "bash", str(tree), options, before, *inner, *command]

    return line


def _run(deep: Deep, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    line = deep(ROOTGEN, *words, before=before)
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def _answering(launcher: int) -> list[int]:
    """Return the process ids of what answers for a launcher."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(launcher)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [one.split(maxsplit=1) for one in listed.stdout.splitlines()]
    return [int(number) for number, words in lines if "fuse-overlayfs -f" in words]


def test_ephemeral(deep: Deep, tree: Path) -> None:
    """Whatever is done to files, it is seen, and of the tree nothing changes; nobody is left."""
    before = sorted(str(one) for one in tree.rglob("*"))
    done = _run(deep, "run", "--ephemeral", "/mnt/m2", "--", "sh", "-c", f"{EVERYTHING}\nexit 5")
    assert (done.returncode, done.stdout) == (5, "x\nnew\ndone\n"), done.stderr
    assert done.stderr == ""
    assert sorted(str(one) for one in tree.rglob("*")) == before


def test_contained(deep: Deep) -> None:
    """The program that answers cannot be seen from inside, and keeps to the size that is given."""
    script = "cat /proc/[0-9]*/comm; grep ' / ' /proc/mounts"
    done = _run(deep, "run", "--ephemeral", "/mnt/m2", "--", "sh", "-c", script)
    *names, root = done.stdout.splitlines()
    assert "fuse-overlayfs" not in names
    assert root.startswith("fuse-overlayfs / fuse rw,nodev"), done.stderr
    filled = "dd if=/dev/zero of=/big bs=65536 count=100 2>&1; test -x /bin/bash && echo whole"
    done = _run(deep, "run", "--ephemeral-size", "1M", "/mnt/m2", "--", "sh", "-c", filled)
    assert "No space left on device" in done.stdout
    assert done.stdout.endswith("whole\n")


@pytest.mark.root
def test_limited(tree: Path) -> None:
    """What it keeps in memory counts as the launch's; nobody waits for ever where it is killed."""
    script = "dd if=/dev/zero of=/big bs=1M count=100; ls /big"
    line = [ROOTGEN, "run", "--memory", "30M", "--ephemeral", "/mnt/m2", "--", "sh", "-c", script]
    deep = ["unshare", "--mount", "bash", "-c", _DEEP, "bash", str(tree), "", ":"]
    done = subprocess.run([*deep, *line], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "out of memory: the limit of --memory was reached" in done.stderr


def test_detached(deep: Deep) -> None:
    """A launch that goes on has it go on too, is joined, and leaves nobody behind."""
    name = f"fuse-{os.getpid()}-{time.monotonic_ns():x}"
    script = (
        f"{ROOTGEN} run --detach --name {name} --ephemeral /mnt/m2 --"
        " sh -c 'echo x >/x; sleep 1000'"
        f" && {ROOTGEN} exec {name} -- sh -c 'until cat /x; do sleep 0.1; done'"
        f"; {ROOTGEN} stop --kill-after 100ms {name}"
    )
    line = deep("sh", "-c", script)
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split("\n")[:2] == [name, "x"], done.stderr
    assert f"{name}: exit status" in done.stdout


_PYTHON = """
import sys, rootgen
options = rootgen.Options(ephemeral=True)
for number in range(3):
    done = rootgen.run("/mnt/m2", ["sh", "-c", f"echo {number} >>/x; cat /x"], options=options)
    print(done.status, done.stdout.decode(), end="")
try:
    rootgen.run("/mnt/m2", ["absent"], options=options)
except rootgen.RootgenError as error:
    print(error.what)
with rootgen.launch("/mnt/m2", ["sleep", "1000"], options=options):
    print("up")
"""


def test_from_python(deep: Deep) -> None:
    """Launches from Python likewise, one after the other."""
    line = deep(sys.executable, "-c", _PYTHON)
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    told = ["0 0", "0 1", "0 2", "absent: not found in the tree", "up"]
    assert done.stdout.splitlines() == told, done.stderr


def test_errors(deep: Deep) -> None:
    """A command that is not there, and none of ours left over."""
    done = _run(deep, "run", "--ephemeral", "/mnt/m2", "--", "absent")
    assert (done.returncode, "absent: not found" in done.stderr) == (127, True)


def test_on_a_terminal(deep: Deep) -> None:
    """A terminal of its own as ever."""
    line = deep(ROOTGEN, "run", "--ephemeral", "/mnt/m2", "--", "bash", "--norc")
    with Terminal(["/usr/bin/env", *line]) as one:
        one.run("PS1='>''>'", ">>")
        one.run("tty", r"/dev/pts/\d+\r\n[^\n]*>>")
        one.send("exit 4\n")
        assert one.wait() == 4


def test_not_installed(deep: Deep) -> None:
    """What would help is named."""
    hidden = f"{_HIDE} $(command -v fuse-overlayfs)"
    done = _run(deep, "run", "--ephemeral", "/mnt/m2", "--", "true", before=hidden)
    assert done.returncode == 125
    assert "cannot stack 1 directories by overlayfs: Invalid argument" in done.stderr
    assert "install fuse-overlayfs" in done.stderr


def test_no_device(deep: Deep) -> None:
    """Where /dev/fuse cannot be used, that and the kernel's own refusal are told."""
    done = _run(deep, "run", "--ephemeral", "/mnt/m2", "--", "true", before=f"{_HIDE} /dev/fuse")
    assert done.returncode == 125
    assert "cannot stack 1 directories by overlayfs: Invalid argument" in done.stderr
    assert "nor can fuse-overlayfs, which is installed: /dev/fuse: Invalid argument" in done.stderr


def test_it_fails(deep: Deep) -> None:
    """What the program itself says went wrong is told."""
    wrong = (
        "printf '#!/bin/sh\\necho out of order >&2; exit 1\\n' >/mnt/wrong; chmod 755 /mnt/wrong; "
    )
    wrong += "mount --bind /mnt/wrong $(command -v fuse-overlayfs)"
    done = _run(deep, "run", "--ephemeral", "/mnt/m2", "--", "true", before=wrong)
    assert done.returncode == 125
    assert "cannot stack directories by /" in done.stderr
    assert "out of order" in done.stderr


def test_killed_launcher(deep: Deep) -> None:
    """Nothing is left of it where the launcher is killed."""
    line = deep(ROOTGEN, "run", "--ephemeral", "/mnt/m2", "--", "sh", "-c", "echo up; sleep 1000")
    with subprocess.Popen(line, stdout=subprocess.PIPE) as going:
        assert going.stdout is not None
        assert going.stdout.readline() == b"up\n"
        (answering,) = _answering(going.pid)
        going.send_signal(signal.SIGKILL)
        assert going.stdout.read() == b""
    until = time.monotonic() + 20
    while start_time(answering) is not None:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_explained(deep: Deep) -> None:
    """--explain names it."""
    done = _run(deep, "run", "--ephemeral", "--explain", "/mnt/m2", "--", "true")
    assert "or, where the kernel refuses that: $ /" in done.stdout, done.stderr
