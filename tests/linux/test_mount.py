"""Mounts in a namespace of their own, told by /proc/self/mountinfo and by what writes do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.linux.contained import run_python

if TYPE_CHECKING:
    from pathlib import Path

_OLD_KERNEL = """
import ctypes
def _no_such_call(*_):
    ctypes.set_errno(errno.ENOSYS)
    return -1
mount.system_call = _no_such_call
"""


@pytest.mark.parametrize("old_kernel", [False, True])
@pytest.mark.parametrize("recursive", [False, True])
def test_restrict(tmp_path: Path, old_kernel: bool, recursive: bool) -> None:
    """Read-only holds for the mount, and for those beneath exactly if recursive."""
    (tmp_path / "top").mkdir()
    lines = run_python(
        f"""
        {_OLD_KERNEL.replace(chr(10), chr(10) + " " * 8) if old_kernel else ""}
        top = sys.argv[1]
        start(namespace.CLONE_NEWNS)
        mount.make_private()
        mount.mount("tmpfs", top, "tmpfs", mount.MS_NOSUID | mount.MS_NOEXEC)
        os.mkdir(top + "/a b")
        os.mkdir(top + "-beside")
        mount.mount("tmpfs", top + "-beside", "tmpfs")
        mount.mount("tmpfs", top + "/a b", "tmpfs", mount.MS_NODEV)
        descriptor = os.open(top, os.O_PATH | os.O_DIRECTORY)
        mount.restrict(descriptor, mount.MS_RDONLY, recursive={recursive})
        for place in ("", "/a b", "-beside"):
            flags = os.statvfs(top + place).f_flag
            print(failure(os.mkdir, top + place + "/new"), flags & 14)
        """,
        str(tmp_path / "top"),
    )
    beneath = "EROFS" if recursive else "no error"
    assert lines == ["EROFS 10", f"{beneath} 4", "no error 0"]


def test_mount_on_descriptor(tmp_path: Path) -> None:
    """A mount on a descriptor lands on what was opened, whatever its name became."""
    for name in ("wanted", "other"):
        (tmp_path / name).mkdir()
    lines = run_python(
        """
        top = sys.argv[1]
        start(namespace.CLONE_NEWNS)
        mount.make_private()
        descriptor = os.open(top + "/wanted", os.O_PATH | os.O_DIRECTORY)
        os.rename(top + "/wanted", top + "/moved")
        os.symlink("other", top + "/wanted")
        mount.mount_on("tmpfs", descriptor, "tmpfs")
        print(*(p.removeprefix(top) for p in mount.mount_points() if p.startswith(top)))
        """,
        str(tmp_path),
    )
    assert lines == ["/moved"]


@pytest.mark.parametrize("name", ["plain", "a b", "tab\there", "line\nend", "back\\040slash", "#"])
def test_mount_points(tmp_path: Path, name: str) -> None:
    """Names that mountinfo escapes are read back as they are."""
    (tmp_path / name).mkdir()
    lines = run_python(
        """
        start(namespace.CLONE_NEWNS)
        mount.make_private()
        mount.mount("tmpfs", sys.argv[1], "tmpfs")
        print(sys.argv[1] in mount.mount_points())
        mount.detach(sys.argv[1])
        print(sys.argv[1] in mount.mount_points())
        """,
        str(tmp_path / name),
    )
    assert lines == ["True", "False"]


def test_private(tmp_path: Path) -> None:
    """What is mounted after make_private is not seen by the namespace it was copied from."""
    lines = run_python(
        """
        start(namespace.CLONE_NEWNS)
        mount.mount("", "/", "", mount.MS_REC | 1 << 20)
        namespace.unshare(namespace.CLONE_NEWNS)
        mount.make_private()
        with open("/proc/self/mountinfo") as file:
            print(any("shared:" in line or "master:" in line for line in file))
        """,
        str(tmp_path),
    )
    assert lines == ["False"]


def test_pivot_root(tmp_path: Path) -> None:
    """After pivot_root(".", ".") and a detach, one root is left: the new one."""
    (tmp_path / "inside").mkdir()
    lines = run_python(
        """
        top = sys.argv[1]
        start(namespace.CLONE_NEWNS | namespace.CLONE_NEWPID)
        mount.make_private()
        mount.mount(top, top, "", mount.MS_BIND | mount.MS_REC)
        os.mkdir(top + "/proc")
        os.chdir(top)
        mount.mount("proc", "proc", "proc")
        now(mount.record_pivot)
        mount.detach(".")
        os.chdir("/")
        print(*sorted(os.listdir("/")), *mount.mount_points())
        """,
        str(tmp_path),
    )
    assert lines == ["inside proc / /proc"]


def test_error_names_the_target() -> None:
    """A refused mount is an OSError that names where."""
    lines = run_python(
        """
        start(namespace.CLONE_NEWNS)
        try:
            mount.mount("tmpfs", "/no/such/place", "tmpfs")
        except FileNotFoundError as error:
            print(error.filename)
        """
    )
    assert lines == ["/no/such/place"]
