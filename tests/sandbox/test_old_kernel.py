"""The same launches where the kernel has none of the calls that came after Linux 5.4."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.tree import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

UNFILTERED = ("--seccomp", "none")
# openat2 (5.6), mount_setattr (5.12) and close_range (5.9) answer as an older kernel does.
_OLD = """
import ctypes, errno, sys
from rootgen.linux import detached, mount, path, process
def no_such_call(*_):
    ctypes.set_errno(errno.ENOSYS)
    return -1
mount.system_call = path.system_call = process.system_call = no_such_call
detached.system_call = no_such_call
from rootgen.cli import main
main()
"""


def _launch(
    tree: Path, script: str, options: Sequence[str] = (), pass_fds: Sequence[int] = ()
) -> subprocess.CompletedProcess[bytes]:
    arguments = command_line(tree, "sh", "-c", script, options=options)[1:]
    return subprocess.run(
        [sys.executable, "-c", _OLD, *arguments],
        capture_output=True,
        pass_fds=tuple(pass_fds),
        timeout=60,
        check=False,
    )


def test_works(tree: Path) -> None:
    """Mounts, devices and streams are what they are elsewhere."""
    done = _launch(tree, "ls /dev; id -u; echo x >/dev/null; pwd; exit 4")
    assert done.returncode == 4, done.stderr
    assert done.stdout.split()[-2:] == [b"0", b"/"]
    assert done.stderr == b""


def test_read_only(tree: Path, tmp_path: Path) -> None:
    """What is read-only is so: the tree, /proc/sys, and what is mounted beneath a bind."""
    options = ["--read-only", "--bind", f"{tmp_path}:/mnt:ro"]
    script = "touch /var/x; touch /mnt/x; echo x >/proc/sys/kernel/hostname; touch /tmp/x && echo y"
    done = _launch(tree, script, options)
    assert done.stdout == b"y\n"
    assert done.stderr.count(b"Read-only file system") == 3


def test_descriptors(tree: Path, tmp_path: Path) -> None:
    """A leaked descriptor does not reach the program."""
    leak = os.open(tmp_path, os.O_RDONLY)
    try:
        done = _launch(tree, "ls -l /proc/self/fd", pass_fds=[leak])
    finally:
        os.close(leak)
    assert str(tmp_path).encode() not in done.stdout


@pytest.mark.parametrize("place", ["dev", "proc"])
def test_link_in_the_way(tree: Path, tmp_path: Path, place: str) -> None:
    """A link is refused and named there as well."""
    (tree / place).rmdir()
    (tree / place).symlink_to(tmp_path)
    done = _launch(tree, "true")
    assert done.returncode == 125
    assert f"/{place} is a symbolic link".encode() in done.stderr


def test_procfs_links(tree: Path) -> None:
    """Nor does the host's Python run where links were followed by hand."""
    done = _launch(tree, "exec /proc/self/exe --help")
    assert b"Python" not in done.stdout
    arguments = command_line(tree, "/proc/self/exe", "-c", "print('host')")[1:]
    done = subprocess.run(
        [sys.executable, "-c", _OLD, *arguments], capture_output=True, check=False, timeout=60
    )
    assert done.returncode in {126, 127}
    assert b"host" not in done.stdout


def test_the_hosts_own_root() -> None:
    """Where the tree is /, what lies over it looks the same and is not: it is gone as well."""
    script = (
        "touch /../var/tmp/x; echo x >/../proc/sys/kernel/domainname; "
        "cut -d' ' -f5 /proc/self/mountinfo | grep -cx /"
    )
    done = _launch(Path("/"), script, ["--read-only", *UNFILTERED])
    assert done.stdout == b"1\n"
    assert done.stderr.count(b"Read-only file system") == 2


@pytest.mark.parametrize("options", [[], ["--ephemeral"]])
def test_nothing_of_the_old_root(tree: Path, options: Sequence[str]) -> None:
    """What mounts were made on lay over the old root, and is gone with it: "/.." leads nowhere."""
    done = _launch(tree, "ls /..; cut -d' ' -f5 /proc/self/mountinfo", [*options, *UNFILTERED])
    names, points = done.stdout.decode().split("/\n", 1)
    assert names.split() == sorted(os.listdir(tree))
    assert "/\n" not in points
