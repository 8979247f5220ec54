"""Act three: what is mounted in the tree, and that a hostile tree is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.sandbox.tree import launch, output, shell

DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}


def test_dev(tree: Path) -> None:
    """/dev has these names and no other; without a terminal there is no console."""
    assert set(output(tree, "ls", "/dev").split()) == {*DEVICES, *LINKS, "pts", "shm"}


@pytest.mark.parametrize("name", DEVICES)
def test_device(tree: Path, name: str) -> None:
    """Each is the character device of its number, open to everyone."""
    major, minor = DEVICES[name]
    shown = output(tree, "stat", "-c", "%F %t:%T %a", f"/dev/{name}")
    assert shown == f"character special file {major:x}:{minor:x} 666"


@pytest.mark.parametrize("name", LINKS)
def test_device_link(tree: Path, name: str) -> None:
    """The links of /dev lead where Linux has them."""
    assert output(tree, "readlink", f"/dev/{name}") == LINKS[name]


def test_devices_work(tree: Path) -> None:
    """They do what they are for, also for an ordinary user."""
    script = (
        "echo gone >/dev/null; head -c 4 /dev/zero | od -An -tx1; head -c 9 /dev/urandom | wc -c"
    )
    assert shell(tree, script).split() == ["00", "00", "00", "00", "9"]
    assert b"No space left" in launch(tree, "sh", "-c", "echo x >/dev/full").stderr


@pytest.mark.parametrize(("place", "mode"), [("/tmp", "1777"), ("/dev/shm", "1777")])
def test_temporary(tree: Path, place: str, mode: str) -> None:
    """/tmp and /dev/shm are file systems of their own, for everyone, gone afterwards."""
    assert shell(tree, f"touch {place}/mine; stat -c %a {place}") == mode
    assert output(tree, "ls", place) == ""
    assert list((tree / place.lstrip("/")).iterdir() if (tree / place[1:]).exists() else ()) == []


@pytest.mark.parametrize("place", ["/sys", "/proc/sys/kernel"])
def test_read_only(tree: Path, place: str) -> None:
    """The kernel's own knobs cannot be turned."""
    target = (
        "/proc/sys/kernel/hostname" if place.startswith("/proc") else "/sys/kernel/uevent_helper"
    )
    script = f"echo x >{target}"
    assert launch(tree, "sh", "-c", script).returncode != 0
    if place == "/sys":
        assert b"Read-only file system" in launch(tree, "mkdir", "/sys/new").stderr


def test_writes_go_to_the_tree(tree: Path) -> None:
    """As with chroot, what the program writes is in the tree afterwards."""
    shell(tree, "echo kept >/var/file")
    assert (tree / "var/file").read_text() == "kept\n"


def test_read_only_root(tree: Path) -> None:
    """With --read-only nothing of the tree can be written; /tmp can."""
    options = ["--read-only"]
    done = launch(tree, "touch", "/var/file", options=options)
    assert b"Read-only file system" in done.stderr
    assert shell(tree, "echo fine >/tmp/x; cat /tmp/x", options) == "fine"
    assert not (tree / "var/file").exists()


def test_nothing_is_left(tree: Path) -> None:
    """A launch leaves no mount on the host and no file in the tree."""
    before = sorted(str(path) for path in tree.rglob("*"))
    mounts = Path("/proc/self/mountinfo").read_text()
    output(tree, "true")
    assert sorted(str(path) for path in tree.rglob("*")) == before
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_bind(tree: Path, tmp_path: Path) -> None:
    """A directory of the host appears inside, for writing, its place made where missing."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("from the host")
    options = ["--bind", f"{tmp_path}/data:/srv/data"]
    assert (
        shell(tree, "cat /srv/data/file; echo back >/srv/data/answer", options) == "from the host"
    )
    assert (tmp_path / "data/answer").read_text() == "back\n"


def test_bind_file_read_only(tree: Path, tmp_path: Path) -> None:
    """A single file can be bound as well, and read-only holds."""
    (tmp_path / "hosts").write_text("127.0.0.1 me\n")
    options = ["--bind", f"{tmp_path}/hosts:/etc/hosts:ro"]
    assert output(tree, "cat", "/etc/hosts", options=options) == "127.0.0.1 me"
    done = launch(tree, "sh", "-c", "echo x >/etc/hosts", options=options)
    assert b"Read-only file system" in done.stderr
    assert (tmp_path / "hosts").read_text() == "127.0.0.1 me\n"


def test_bind_of_nothing(tree: Path, tmp_path: Path) -> None:
    """A source that is not there is an error that names it."""
    done = launch(tree, "true", options=["--bind", f"{tmp_path}/none:/mnt"])
    assert done.returncode == 125
    assert f"{tmp_path}/none".encode() in done.stderr


def test_tmpfs(tree: Path) -> None:
    """--tmpfs mounts a fresh file system."""
    options = ["--tmpfs", "/var"]
    assert shell(tree, "touch /var/x; grep -c ' /var tmpfs ' /proc/mounts", options) == "1"
    assert not (tree / "var/x").exists()


def test_manifest_is_read_only(tree: Path) -> None:
    """The manifest is a claim about the tree that the tree's programs may not rewrite."""
    (tree / "var/lib/rootgen").mkdir(parents=True)
    (tree / "var/lib/rootgen/manifest.json").write_text("{}")
    done = launch(tree, "sh", "-c", "echo x >/var/lib/rootgen/manifest.json")
    assert b"Read-only file system" in done.stderr
    assert (tree / "var/lib/rootgen/manifest.json").read_text() == "{}"


@pytest.mark.parametrize("place", ["dev", "proc", "sys", "tmp"])
@pytest.mark.parametrize("absolute", [False, True])
def test_link_in_the_way(tree: Path, tmp_path: Path, place: str, absolute: bool) -> None:
    """A mount point that is a link is refused and named, and nothing is written through it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / place).rmdir()
    (tree / place).symlink_to(outside if absolute else "../outside")
    done = launch(tree, "true")
    assert done.returncode == 125
    assert f"/{place}".encode() in done.stderr
    assert b"symbolic link" in done.stderr
    assert list(outside.iterdir()) == []


def test_link_on_the_way_of_a_bind(tree: Path, tmp_path: Path) -> None:
    """So is a link in the middle of a bind's target."""
    (tmp_path / "data").mkdir()
    (tmp_path / "outside").mkdir()
    (tree / "srv").symlink_to(tmp_path / "outside")
    done = launch(tree, "true", options=["--bind", f"{tmp_path}/data:/srv/deep/data"])
    assert done.returncode == 125
    assert b"/srv" in done.stderr
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("kind", ["fifo", "file"])
def test_no_directory_where_one_should_be(tree: Path, kind: str) -> None:
    """A fifo or a file in place of /proc is an error at once, not a wait."""
    (tree / "proc").rmdir()
    if kind == "fifo":
        os.mkfifo(tree / "proc")
    else:
        (tree / "proc").touch()
    done = launch(tree, "true")
    assert done.returncode == 125
    assert b"/proc" in done.stderr


@pytest.mark.root
def test_device_node_of_the_tree(tree: Path) -> None:
    """A device node that stands in the tree itself opens for nobody."""
    os.mknod(tree / "var/memory", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    done = launch(tree, "head", "-c", "1", "/var/memory")
    assert b"Permission denied" in done.stderr


@pytest.mark.parametrize("missing", ["dev", "proc", "sys", "tmp"])
def test_missing_mount_point(tree: Path, missing: str) -> None:
    """A tree without the standard directories gets them."""
    (tree / missing).rmdir()
    assert missing in output(tree, "ls", "/").split()


def test_no_mount_point_is_left(tmp_path: Path) -> None:
    """A directory that is no tree is not made to look like one by a failing launch."""
    (tmp_path / "home/tmp").mkdir(parents=True)
    assert launch(tmp_path / "home", "ls").returncode == 127
    assert os.listdir(tmp_path / "home") == ["tmp"]


@pytest.mark.parametrize("what", ["none", "file"])
def test_no_tree(tmp_path: Path, what: str) -> None:
    """A root that is not there, or is no directory, is our failure: 125, named."""
    if what == "file":
        (tmp_path / what).touch()
    done = launch(tmp_path / what, "true")
    assert done.returncode == 125
    assert str(tmp_path / what).encode() in done.stderr


def test_bind_through_a_link(tree: Path) -> None:
    """On a merged /usr the message names the place that is to be named instead, which works."""
    (tree / "usr").mkdir()
    (tree / "usr/lib").mkdir()
    (tree / "opt").symlink_to("usr/lib")
    (tree / "usr/lib/file").touch()
    done = launch(tree, "true", options=["--bind", "/etc/hosts:/opt/file"])
    assert done.returncode == 125
    assert b"cannot mount on /opt/file: /opt is a symbolic link" in done.stderr
    assert b"name what it leads to, /usr/lib/file, or make /opt a directory" in done.stderr
    options = ["--bind", "/etc/hosts:/usr/lib/file"]
    assert output(tree, "cat", "/opt/file", options=options).split()[0] == "127.0.0.1"
