"""The change of root where pivot_root is refused: by the kernel in an initramfs, or a filter."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.tree import command_line

if TYPE_CHECKING:
    from pathlib import Path

# What pivot_root(2) says where the current root is a rootfs; the rest is as it is.
_REFUSING = """
import errno, os, sys
from rootgen.linux import mount
def refuse():
    raise OSError(errno.{name}, os.strerror(errno.{name}))
mount.record_pivot = lambda recorder, failed: recorder.call(refuse, failed=failed)
from rootgen.cli import main
main()
"""


def _launch(tree: Path, way: str, script: str, name: str) -> subprocess.CompletedProcess[bytes]:
    arguments = command_line(tree, "sh", "-c", script, options=["--pivot", way])[1:]
    return subprocess.run(
        [sys.executable, "-c", _REFUSING.format(name=name), *arguments],
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["EINVAL", "EPERM"])
def test_falls_back(tree: Path, name: str) -> None:
    """The tree is moved onto / and chroot does the rest: told, and with CAP_SYS_CHROOT gone."""
    script = (
        "ls / /..; grep -E 'Cap(Bnd|Prm|Eff)' /proc/self/status; cut -d' ' -f5 /proc/self/mountinfo"
    )
    done = _launch(tree, "auto", script, name)
    assert done.returncode == 0, done.stderr.decode()
    assert b"pivot_root is refused" in done.stderr
    lines = done.stdout.decode().splitlines()
    sets = [int(line.split()[1], 16) for line in lines if line.startswith("Cap")]
    assert len(sets) == 3
    assert not any(bits >> 18 & 1 for bits in sets)
    points = [line for line in lines if line.startswith("/") and not line.endswith(":")]
    assert points[0] == "/"
    assert all(point.startswith(("/proc", "/sys", "/dev", "/tmp")) for point in points[1:])


@pytest.mark.parametrize(("way", "name"), [("pivot_root", "EINVAL"), ("auto", "EBUSY")])
def test_does_not_fall_back(tree: Path, way: str, name: str) -> None:
    """Not where pivot_root alone was asked for, and not for another reason."""
    done = _launch(tree, way, "touch /var/ran", name)
    assert done.returncode == 125
    assert b"pivot_root" in done.stderr
    assert not (tree / "var/ran").exists()
