"""Act three: what is mounted in the tree, and that a hostile tree is refused."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from rootgen.api.run import RunRequest
from tests.sandbox.api import output_of
from tests.sandbox.tree import command_line, launch, output, shell

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

# Whoever else mounts on this machine meanwhile does not do so in a namespace of our own.
_ALONE = () if os.geteuid() else ("unshare", "--mount", "--propagation", "private")
_BEFORE_AND_AFTER = 'cat /proc/self/mountinfo; "$@"; echo launched; cat /proc/self/mountinfo'
_USER = os.geteuid()


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


@pytest.mark.parametrize("directories", ["()", "tuple(MASKED)"])
def test_masks_of_either_kind(tree: Path, directories: str) -> None:
    """What is hidden is hidden whether it is a directory or not, and whatever was expected."""
    request = RunRequest(str(tree), ("cat", "/proc/self/mountinfo"))
    before = (
        "from rootgen.sandbox import build; from rootgen.sandbox.mounts import _MASKED as MASKED\n"
    )
    tables = [
        [line.split()[4:6] for line in output_of(request, lines).splitlines()]
        for lines in ("", before + f"build._DIRECTORIES = {directories}\n")
    ]
    assert tables[0] == tables[1]
    assert ["/proc/keys", "ro,relatime"] in tables[0]
    assert ["/sys/firmware", "ro,relatime"] in tables[0]


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
    line = [*_ALONE, "sh", "-c", _BEFORE_AND_AFTER, "sh", *command_line(tree, "true")]
    shown = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    assert sorted(str(path) for path in tree.rglob("*")) == before
    first, second = (_own(table) for table in shown.split("launched\n"))
    assert first == second


def _own(table: str) -> list[str]:
    """Return a mount table's lines; of an ordinary user, who may mount only by FUSE, his own."""
    lines = table.splitlines()
    return lines if os.geteuid() == 0 else [line for line in lines if f"user_id={_USER}" in line]


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


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ("", "1777 0 0 rw,nosuid,nodev"),
        ("mode=751,uid=7,gid=5", "751 7 5 rw,nosuid,nodev"),
        ("ro,noexec", "1777 0 0 ro,nosuid,nodev,noexec"),
        ("size=1M,nr_inodes=50,rw,exec,nosuid,nodev", "1777 0 0 rw,nosuid,nodev"),
    ],
)
def test_tmpfs_options(tree: Path, options: str, shown: str) -> None:
    """--tmpfs takes docker's options; never nosuid and nodev away."""
    script = "stat -c '%a %u %g' /scratch; grep ' /scratch ' /proc/mounts"
    found = shell(tree, script, ["--tmpfs", f"/scratch:{options}"]).split()
    assert " ".join(found[:3]) == " ".join(shown.split()[:3])
    flags = found[6].split(",")
    assert [one for one in flags if one in {"rw", "ro", "nosuid", "nodev", "noexec"}] == (
        shown.split()[3].split(",")
    )
    if "size" in options:
        assert {"size=1024k", "nr_inodes=50"} <= set(flags)


@pytest.mark.parametrize(
    "written", ["/x:suid", "/x:size=", "/x:size=-1", "/x:mode=9", "/x:mode=77777", "/x:dev", "x:ro"]
)
def test_tmpfs_that_is_none(tree: Path, written: str) -> None:
    """What it cannot have is wrong usage, which names it."""
    done = launch(tree, "true", options=["--tmpfs", written])
    assert done.returncode == 2
    assert b"--tmpfs" in done.stderr


def test_tmpfs_that_is_full(tree: Path) -> None:
    """Its size is a bound."""
    script = "dd if=/dev/zero of=/scratch/x bs=1M count=3; wc -c </scratch/x"
    done = launch(tree, "sh", "-c", script, options=["--tmpfs", "/scratch:size=1M"])
    assert b"No space left on device" in done.stderr
    assert done.stdout == b"1048576\n"


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("/dev/zero", "/dev/zero"),
        ("/dev/zero:/dev/other", "/dev/other"),
        ("/dev/zero:/srv/deep/zero:rwm", "/srv/deep/zero"),
        ("/dev/zero:rw", "/dev/zero"),
    ],
)
def test_device_of_the_host(tree: Path, written: str, place: str) -> None:
    """A device is there under its name or another, can be read and written, and cannot be changed.

    Beneath /dev nothing of it is left in the tree.
    """
    before = Path("/dev/zero").stat()
    script = f"head -c 3 {place} | od -An -tx1 && echo x >{place} && stat -c %t:%T {place}"
    options = ["--device", written]
    assert shell(tree, script, options).split() == ["00", "00", "00", "1:5"]
    if written != "/dev/zero":
        done = launch(tree, "sh", "-c", f"chmod 600 {place}; chown 5 {place}", options=options)
        assert done.stderr.count(b"Read-only file system") + done.stderr.count(b"not perm") == 2
    after = Path("/dev/zero").stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert list((tree / "dev").iterdir()) == []


def test_all_devices(tree: Path) -> None:
    """Of /dev itself all are shown but those that a launch has of its own, which stay."""
    theirs = {path.name for path in Path("/dev").iterdir() if path.is_char_device()}
    script = "cd /dev; readlink ptmx; stat -c %t,%T,%a null pts/ptmx; ls"
    before, after = (
        shell(tree, script, options).splitlines() for options in ([], ["--device", "/dev"])
    )
    assert after[:3] == before[:3]
    assert set(after) - set(before) >= theirs - set(before) - {"console"}
    assert "console" not in after
    done = launch(tree, "true", options=["--device", "/dev/pts"])
    assert done.returncode == 125
    assert b"/dev/pts inside is the launch's own" in done.stderr


def test_devices_of_a_directory(tree: Path, tmp_path: Path) -> None:
    """Of a directory all devices are shown, and what is none is not."""
    shown = shell(tree, "cd /dev/all && ls -R . | sort", ["--device", "/dev/pts:/dev/all"])
    assert "ptmx" in shown.split()
    (tmp_path / "file").touch()
    done = launch(tree, "true", options=["--device", str(tmp_path)])
    assert done.returncode == 125
    assert b"there is no device in this directory" in done.stderr


@pytest.mark.parametrize(
    ("written", "status", "told"),
    [
        ("/etc/passwd", 125, b"it is no device"),
        ("/dev/null:/dev/ptmx", 125, b"/dev/ptmx is the launch's own: choose another place"),
        ("/dev/none", 125, b"No such file"),
        ("/dev/zero:r", 2, b"only rw and rwm"),
        ("/dev/zero:/dev/x:w", 2, b"only rw and rwm"),
        ("/dev/zero:dev", 2, b"absolute path"),
        ("a:b:c:d", 2, b"HOST:DEST"),
    ],
)
def test_device_that_is_none(tree: Path, written: str, status: int, told: bytes) -> None:
    """What cannot be had is refused, and said."""
    done = launch(tree, "true", options=["--device", written])
    assert done.returncode == status
    assert told in done.stderr


def test_disk_is_the_hosts(tree: Path) -> None:
    """Without --device no disk is there; with it, its mode and owner decide, as outside."""
    disk = next((one for one in Path("/dev").iterdir() if one.is_block_device()), None)
    assert disk is not None
    script = 'for one in /dev/* /dev/*/*; do [ -b "$one" ] && echo "$one"; done; true'
    assert shell(tree, script) == ""
    done = launch(
        tree, "head", "-c", "1", str(disk), options=["--device", str(disk), "--cap-drop", "ALL"]
    )
    readable = os.geteuid() == 0 and disk.stat().st_uid == 0
    assert (done.returncode == 0) == readable


def test_machine_id(tree: Path) -> None:
    """A tree that keeps an empty file for it gets a number, each time another."""
    (tree / "etc/machine-id").touch()
    numbers = {output(tree, "cat", "/etc/machine-id") for _ in range(3)}
    assert len(numbers) == 3
    assert all(len(one) == 32 and int(one, 16) for one in numbers)
    host = Path("/etc/machine-id")
    assert not host.exists() or host.read_text().strip() not in numbers
    done = launch(tree, "sh", "-c", "echo x >/etc/machine-id")
    assert b"Read-only file system" in done.stderr
    assert (tree / "etc/machine-id").read_bytes() == b""
    (tree / "etc/machine-id").write_text("of the tree\n")
    assert output(tree, "cat", "/etc/machine-id") == "of the tree"


def test_no_machine_id(tree: Path, tmp_path: Path) -> None:
    """Where there is none nothing is made, and no link is followed out."""
    shell(tree, "! test -e /etc/machine-id")
    assert not (tree / "etc/machine-id").exists()
    (tmp_path / "outside").touch()
    (tree / "etc/machine-id").symlink_to(tmp_path / "outside")
    output(tree, "true")
    assert (tmp_path / "outside").read_bytes() == b""


def test_time_zone(tree: Path) -> None:
    """A tree that keeps an empty file for it has the host's time zone, read-only."""
    (tree / "etc/localtime").touch()
    host = Path("/etc/localtime")
    expected = host.read_bytes() if host.exists() else b""
    assert launch(tree, "cat", "/etc/localtime").stdout == expected
    (tree / "etc/localtime").write_bytes(b"own")
    assert launch(tree, "cat", "/etc/localtime").stdout == b"own"
