"""Trees that were made to hurt who launches them, and places where a tree may be."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rootgen.api.run import RunRequest
from rootgen.sandbox.options import Bind, Options
from tests.sandbox.api import output_of, run_request
from tests.sandbox.tree import command_line, launch, output

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACES = ("proc", "sys", "dev", "tmp", "etc", "var")


def _make(path: Path, kind: str, outside: Path) -> None:
    """Make something that is no directory."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            # The name of a socket is short; a directory's descriptor stands for the rest.
            descriptor = os.open(path.parent, os.O_PATH)
            one.bind(f"/proc/self/fd/{descriptor}/{path.name}")
            os.close(descriptor)
    elif kind == "file":
        path.touch()
    else:
        path.symlink_to(outside if kind == "link" else "/proc/self/root" + str(outside))


@pytest.mark.parametrize("kind", ["fifo", "socket", "file", "link", "procfs link"])
@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("ephemeral", [False, True])
def test_no_directory(tree: Path, tmp_path: Path, place: str, kind: str, ephemeral: bool) -> None:
    """What stands where a directory should be is refused at once, or does no harm."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("of the host")
    shutil.rmtree(tree / place)
    _make(tree / place, kind, outside)
    binds = (Bind(str(outside / "secret"), f"/{place}/deep/er"),) if place in {"etc", "var"} else ()
    request = RunRequest(str(tree), ("true",), Options(binds, ephemeral=ephemeral))
    done = run_request(request)
    assert done.returncode == 125
    assert f"/{place}".encode() in done.stderr
    assert [path.name for path in outside.iterdir()] == ["secret"]


@pytest.mark.root
@pytest.mark.parametrize("ephemeral", [False, True])
def test_device_nodes(tree: Path, ephemeral: bool) -> None:
    """Device nodes of the tree open for nobody, wherever in it they are."""
    for name in ("var/zero", "etc/null", "home/app/disk"):
        kind = 0o060000 if name.endswith("disk") else 0o020000
        numbers = {"var/zero": (1, 5), "etc/null": (1, 3), "home/app/disk": (7, 0)}
        os.mknod(tree / name, kind | 0o666, os.makedev(*numbers[name]))
        (tree / name).chmod(0o666)
    script = "for one in /var/zero /etc/null /home/app/disk; do head -c 1 $one; done"
    done = run_request(RunRequest(str(tree), ("sh", "-c", script), Options(ephemeral=ephemeral)))
    assert done.stdout == b""
    assert done.stderr.count(b"Permission denied") == 3


def test_deep(tree: Path, tmp_path: Path) -> None:
    """A mount point as deep as a path can name is one like others."""
    deep = "/d" * 1500
    (tmp_path / "data").write_text("deep down")
    request = RunRequest(
        str(tree), ("cat", f"{deep}/file"), Options((Bind(f"{tmp_path}/data", f"{deep}/file"),))
    )
    try:
        assert output_of(request) == "deep down"
        too_deep = request._replace(options=Options((Bind(f"{tmp_path}/data", "/d" * 2100),)))
        done = run_request(too_deep)
        assert done.returncode == 125
        assert b"File name too long" in done.stderr
    finally:
        subprocess.run(["rm", "-rf", str(tree / "d")], check=True)  # deeper than Python goes


@pytest.mark.parametrize("names", [10_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_many_entries(tree: Path, names: int) -> None:
    """As many names in /dev, and a few less in /proc and /tmp, cost a launch nothing."""
    for place, count in (("dev", names), ("proc", names // 10), ("tmp", names // 10)):
        descriptor = os.open(tree / place, os.O_RDONLY)
        for number in range(count):
            os.symlink("null", f"{number}", dir_fd=descriptor)
        os.close(descriptor)
    assert len(output(tree, "ls", "/dev").split()) < 20
    assert output(tree, "ls", "/tmp") == ""


@pytest.mark.parametrize(
    "name",
    ["a b", "tab\there", "new\nline", "back\\040slash", "\udcff\udcfe", "-x", "...", "%n$(x)"],
)
def test_odd_mount_points(tree: Path, tmp_path: Path, name: str) -> None:
    """Bytes that mountinfo escapes, or that are no text, are bytes of a name."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("seen")
    (tree / "srv").mkdir()
    bind = Bind(f"{tmp_path}/data", f"/srv/{name}", read_only=True)
    script = 'for one in /srv/* /srv/...; do cd "$one" && cat file; touch new; done'
    for before in ("", _OLD_KERNEL):
        done = run_request(RunRequest(str(tree), ("sh", "-c", script), Options((bind,))), before)
        assert done.stdout == b"seen"
        assert b"Read-only file system" in done.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["file"]


_OLD_KERNEL = """
import ctypes, errno
from rootgen.linux import detached, mount, path
def no_such_call(*_):
    ctypes.set_errno(errno.ENOSYS)
    return -1
mount.system_call = path.system_call = detached.system_call = no_such_call
"""
# What mounts are made of in a mount namespace of the test's own; an ordinary user is root there.
_UNSHARE = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]


def _where_mounted(
    mount: str, tree: Path, *command: str, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Launch a tree in a mount namespace in which a shell command was done before."""
    words = command_line(tree, *command, options=options)
    script = f'set -e; tree=$1; shift; {mount}; exec "$@"'
    return subprocess.run(
        [*_UNSHARE, "sh", "-c", script, "sh", str(tree), *words],
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("flags", ["", ",nosuid,nodev"])
def test_read_only_beneath(tree: Path, flags: str) -> None:
    """--read-only holds for what the host has mounted in the tree, and in that."""
    mount = (
        f"mount -t tmpfs -o mode=777{flags} x $tree/var; mkdir $tree/var/in; "
        "mount -t tmpfs x $tree/var/in"
    )
    script = "touch /file /var/file /var/in/file; touch /tmp/fine && echo fine"
    done = _where_mounted(mount, tree, "sh", "-c", script, options=["--read-only"])
    assert done.stderr.count(b"Read-only file system") == 3, done.stderr
    assert done.stdout == b"fine\n"
    done = _where_mounted(mount, tree, "sh", "-c", "touch /file /var/file /var/in/file && echo y")
    assert done.stdout == b"y\n"


def test_read_only_file_system(tree: Path) -> None:
    """A tree on a read-only file system is launched as it is, if it has the mount points."""
    mount = "mount --bind $tree $tree; mount -o remount,bind,ro $tree"
    done = _where_mounted(mount, tree, "sh", "-c", "echo x >/dev/null && touch /tmp/x && echo y")
    assert done.stdout == b"y\n", done.stderr
    (tree / "sys").rmdir()
    done = _where_mounted(mount, tree, "true")
    assert done.returncode == 125
    assert b"mount point /sys: Read-only file system" in done.stderr
    assert b"make them there" in done.stderr


def test_noexec(tree: Path) -> None:
    """What the host's mount forbids is forbidden inside, and said."""
    mount = "mount --bind $tree $tree; mount -o remount,bind,noexec $tree"
    done = _where_mounted(mount, tree, "true")
    assert done.returncode == 126
    assert b"mounted noexec" in done.stderr
    done = _where_mounted(mount, tree, "true", options=["--ephemeral"])
    assert done.returncode == 126


def test_ephemeral_over_mounts(tree: Path) -> None:
    """What the host has mounted in the tree is no part of a stack: said, and not seen."""
    mount = "mount -t tmpfs x $tree/var; touch $tree/var/of-the-host"
    done = _where_mounted(mount, tree, "ls", "/var", options=["--ephemeral"])
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert f"what is mounted on {tree}/var is not seen inside".encode() in done.stderr


@pytest.mark.parametrize("options", [(), ("--read-only",), ("--ephemeral",)])
@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_tree_on_another_file_system(tree: Path, kind: str, options: Sequence[str]) -> None:
    """A tree may be on a tmpfs, or on an overlay as in a container."""
    own = "" if os.geteuid() == 0 else ",userxattr"
    mount = "mount -t tmpfs x $tree/mnt; cp -a $tree/bin $tree/lib* $tree/etc $tree/mnt; "
    if kind == "overlay":
        mount = (
            "mount -t tmpfs x $tree/mnt; cd $tree/mnt; mkdir upper work on; cd /; "
            "mount -t overlay -o lowerdir=$tree,upperdir=$tree/mnt/upper,workdir=$tree/mnt/work"
            f"{own} x "
            "$tree/mnt/on; "
        )
    (tree / "mnt").mkdir()
    place = tree / "mnt" / ("on" if kind == "overlay" else "")
    words = command_line(
        place, "sh", "-c", "touch /etc/x; ls /etc /proc/self/fd/0", options=options
    )
    script = f'set -e; tree=$1; shift; {mount} mkdir -p $tree/mnt/proc $tree/mnt/sys; exec "$@"'
    done = subprocess.run(
        [*_UNSHARE, "sh", "-c", script, "sh", str(tree), *words],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"passwd" in done.stdout, done.stderr
    assert (b"x\n" in done.stdout) == (options != ("--read-only",))


@pytest.mark.parametrize("options", [(), ("--read-only",)])
def test_the_hosts_own_root(options: Sequence[str]) -> None:
    """/ is a tree as well: with its own /proc, /dev and /tmp, and what is mounted beneath."""
    root = Path("/")
    shown = output(root, "sh", "-c", "echo $$; ls /proc | grep -c '^[0-9]'", options=options)
    assert int(shown.split()[1]) < 6
    if options:
        done = launch(root, "touch", "/var/tmp/rootgen-was-here", options=options)
        assert b"Read-only file system" in done.stderr


def test_the_hosts_own_root_ephemeral() -> None:
    """A stack over / is root's: an ordinary user may not see what mounts cover."""
    script = "echo x >/etc/rootgen-x; cat /etc/rootgen-x"
    done = launch(Path("/"), "sh", "-c", script, options=["--ephemeral"])
    if os.geteuid() == 0:
        assert done.stdout == b"x\n"
        assert b"not seen inside" in done.stderr
    else:
        assert done.returncode == 125
        assert b"launch a directory without mounts in it" in done.stderr
    assert not Path("/etc/rootgen-x").exists()
