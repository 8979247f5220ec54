"""``run --commit``: what is written over an image is one more layer, as inside so outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from rootgen.api.images import image_in
from rootgen.image.stack import image_plan
from rootgen.image.store import Store
from tests.image.stacks import add_stack, busybox_layer, file, link, member
from tests.people.command import ROOTGEN, rootgen, succeed

_OWN = ("/dev", "/proc", "/sys", "/tmp")
# What busybox's stat says of all that is there; a directory's size is its file system's affair.
_LISTING = (
    "find / -xdev ! -type d -exec stat -c '%n %F %a %u %g %s %h %Y' {} +; "
    "find / -xdev -type d -exec stat -c '%n %F %a %u %g %Y' {} +"
)
_BASE = [
    busybox_layer(),
    [
        member("srv", uid=33, gid=44, mode=0o750),
        file("srv/kept", b"kept"),
        file("srv/first", b"one file, two names"),
        link("srv/second", "srv/first", b"1"),
        member("srv/full"),
        file("srv/full/x", b"x"),
        member("opt"),
        file("opt/x"),
        link("opt/link", "x"),
    ],
]
_ODD = (
    "echo new >/etc/new; echo more >>/etc/old",
    "rm /etc/old; rm -r /srv/full; mkdir /srv/full; echo y >/srv/full/y",
    "rm -r /opt; echo file >/opt",
    "rm /etc/old; mkdir /etc/old; touch /etc/old/in",
    "chmod 4711 /srv/kept; chmod 1777 /srv; chown 7:8 /opt/x; ln -s nowhere /opt/gone",
    "echo changed >/srv/second; ln /etc/old /srv/linked; mkfifo /etc/fifo",
    "touch -d '2001-02-03 04:05:06' /opt/x; mv /opt/x /etc/moved; mv /usr/bin/mv /usr/bin/m",
    "mkdir -p /a/b/c/d; rmdir /a/b/c/d; umask 077; mkdir /a/own; echo secret >/a/own/s",
)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Make a store with an image to begin with."""
    path = str(tmp_path / "store")
    add_stack(path, "base:1", _BASE)
    return path


def _busybox(script: str) -> str:
    return script.replace("mkfifo", "busybox mkfifo").replace("chmod", "busybox chmod")


def _commit(store: str, script: str, name: str = "made:1", base: str = "base:1") -> str:
    """Run a script over an image, commit it; return what was told."""
    line = ["run", "--store", store, "--commit", name, base, "--", "sh", "-c", _busybox(script)]
    done = rootgen(*line)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _listing(text: str) -> set[str]:
    return {one for one in text.splitlines() if one.split()[0] not in (*_OWN, "/")}


@pytest.mark.parametrize("script", _ODD)
def test_as_it_was(store: str, script: str) -> None:
    """Inside the image all is as it was inside the launch that it was made of, to the second."""
    line = ["run", "--store", store, "--commit", "made:1", "base:1", "--", "sh", "-c"]
    before = rootgen(*line, f"{_busybox(script)}; {_LISTING.replace('find', 'busybox find')}")
    assert "made:1: " in before.stderr
    after = succeed("run", "--store", store, "made:1", "--", "busybox", "sh", "-c", _LISTING)
    assert _listing(after) == _listing(before.stdout)
    assert not list(Path(store).glob("unpacked/*/upper-*"))


def test_umoci_reads_it(store: str, tmp_path: Path) -> None:
    """What umoci unpacks of it is what our own reading says."""
    for number, script in enumerate(_ODD[:3]):
        base = f"made:{number - 1}" if number else "base:1"
        if number != 1:
            _commit(store, script, f"made:{number}", base)
        else:
            _commit(store, "rm -r /srv/full; mkdir /srv/full; touch /srv/full/y", "made:1", base)
    rootless = ["--rootless"] if os.geteuid() else []
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    for line in (
        ["skopeo", "copy", "--quiet", f"oci:{store}:made:2", f"oci:{layout}:a"],
        ["umoci", "unpack", *rootless, "--image", f"{layout}:a", str(bundle)],
    ):
        subprocess.run(line, check=True, capture_output=True)
    with Store(store) as opened:
        image = image_in(opened, "made:2")
        plan = image_plan(opened, image.manifest, image.config)
    root = bundle / "rootfs"
    found = {f"/{one.relative_to(root)}" for one in root.rglob("*")}
    assert found == {entry.path for entry in plan.entries() if entry.path != "/"}
    assert "/opt" in found
    assert "/srv/full/x" not in found
    for entry in plan.entries():
        status = (root / entry.path.lstrip("/")).lstat()
        assert not entry.size or status.st_size == entry.size
        if os.geteuid() == 0:
            assert (status.st_uid, status.st_gid) == (entry.uid, entry.gid)


def test_status_and_what_is_told(store: str) -> None:
    """The status is the command's own; where nothing was written there is no image."""
    line = ["run", "--store", store, "--commit", "made:1", "base:1", "--", "sh", "-c"]
    failed = rootgen(*line, "echo x >/srv/x; exit 7")
    assert failed.returncode == 7
    assert "made:1: 3 entries, a layer of " in failed.stderr
    nothing = rootgen(*line[:3], "--commit", "none:1", *line[5:], "echo only; cat /etc/old")
    assert (nothing.returncode, nothing.stdout) == (0, "only\nold\n")
    assert "nothing was written: no image none:1 was made" in nothing.stderr
    absent = rootgen(*line[:3], "--commit", "none:1", "base:1", "--", "absent")
    assert absent.returncode == 127
    listed = json.loads(succeed("images", "--store", store, "--json"))["images"]
    assert {one["name"] for one in listed} == {"base:1", "made:1"}


def test_shell(store: str) -> None:
    """A shell likewise, over the name that it began with too; and layer upon layer."""
    for number in range(3):
        script = f"echo {number} >/srv/{number}\n".encode()
        done = rootgen("shell", "--store", store, "--commit", "base:1", "base:1", stdin=script)
        assert done.returncode == 0, done.stderr
    shown = succeed("run", "--store", store, "base:1", "--", "sh", "-c", "cat /srv/[012]")
    assert shown == "0\n1\n2\n"


def test_rebased(tmp_path: Path) -> None:
    """What was written moves to a newer base, as an increment of any other making does."""
    store = ("--store", str(tmp_path / "store"))
    succeed("make", "bash", "mkdir", "-t", "base:1", *store)
    succeed("make", "bash", "mkdir", "cat", "-t", "base:2", *store)
    script = "mkdir /data; echo hi >/data/x"
    done = rootgen("run", *store, "--commit", "made:1", "base:1", "--", "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    succeed("rebase", "made:1", "--onto", "base:2", *store)
    assert succeed("run", *store, "made:1", "--", "cat", "/data/x") == "hi\n"


def test_same_bytes(store: str) -> None:
    """Nothing is newer than SOURCE_DATE_EPOCH: the same command gives the same image."""
    digests = set()
    for name in ("a:1", "b:1"):
        line = ["run", "--store", store, "--commit", name, "base:1", "--", "sh", "-c"]
        done = rootgen(*line, "mkdir /a; echo x >/a/x", env={"SOURCE_DATE_EPOCH": "1000000000"})
        assert done.returncode == 0, done.stderr
        digests.add(done.stderr.split()[-1])
        time.sleep(1.1)
    assert len(digests) == 1


@pytest.mark.root
def test_same_for_root_and_users() -> None:
    """A user with no more ids than one makes the image that root makes, byte for byte."""
    script = "mkdir -p /a/b; echo x >/a/x; rm -r /srv/full /opt; mkdir /srv/full /opt; ln /a/x /a/y"
    digests = set()
    for become in ([], ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
            store = f"{place}/store"
            add_stack(store, "base:1", _BASE)
            if become:
                subprocess.run(["chown", "-R", "54321:54321", place], check=True)
            line = [*become, ROOTGEN, "run", "--store", store, "--commit", "made:1", "base:1"]
            done = subprocess.run(
                [*line, "--", "sh", "-c", f"{script}; busybox chmod 4711 /srv/kept"],
                env={"PATH": os.environ["PATH"], "HOME": place, "SOURCE_DATE_EPOCH": "1000000000"},
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            digests.add(done.stderr.split()[-1])
    assert len(digests) == 1


def test_mount_points_are_no_part(store: str, tmp_path: Path) -> None:
    """What was made to mount on is not written by the command; what is mounted is not in it."""
    (tmp_path / "bound").mkdir()
    options = ["--bind", f"{tmp_path}/bound:/mnt/here", "--tmpfs", "/scratch", "--net", "host"]
    line = ["run", "--store", store, "--commit", "made:1", *options, "base:1", "--", "sh", "-c"]
    script = "echo 1 >/srv/x; echo 2 >/mnt/here/y; echo 3 >/scratch/z; echo 4 >/tmp/t"
    assert rootgen(*line, script).returncode == 0
    with Store(store) as opened:
        base, made = image_in(opened, "base:1"), image_in(opened, "made:1")
        before = image_plan(opened, base.manifest, base.config)
        plan = image_plan(opened, made.manifest, made.config)
    added = {one.path for one in plan.entries()} - {one.path for one in before.entries()}
    assert added == {"/srv/x", "/mnt"}
    assert (tmp_path / "bound/y").read_text() == "2\n"


def test_owners_that_a_user_lacks(store: str) -> None:
    """What belongs to an id that is not in the user's map still does when it is changed."""
    outer = ["setpriv", "--no-new-privs"]  # so newuidmap gives no more ids than one
    line = [*outer, ROOTGEN, "run", "--store", store, "--commit", "made:1", "base:1", "--"]
    subprocess.run([*line, "sh", "-c", "echo 1 >/srv/new"], check=True, capture_output=True)
    with Store(store) as opened:
        made = image_in(opened, "made:1")
        plan = image_plan(opened, made.manifest, made.config)
    assert (plan["/srv"].uid, plan["/srv"].gid, plan["/srv"].mode) == (33, 44, 0o750)
    assert (plan["/srv/new"].uid, plan["/srv/kept"].uid) == (0, 0)


def test_refused(store: str, tmp_path: Path) -> None:
    """What can make no image is told before anything is started."""
    options = ["run", "--store", store, "--commit"]
    (tmp_path / "tree").mkdir()
    began = ["--", "sh", "-c", "echo began"]
    for line, told in (
        ([*options, "x:1", str(tmp_path / "tree"), *began], "rootgen commit DIR"),
        ([*options, "No Name", "base:1", *began], "No Name"),
        ([*options, "x:1", "--detach", "base:1", *began], "--commit waits for the end"),
        ([*options, "x:1", "--explain", "base:1", *began], "--explain does nothing"),
        ([*options, "x:1", "--read-only", "base:1", *began], "nothing is kept"),
    ):
        done = rootgen(*line)
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr


def test_what_cannot_be_in_a_layer(store: str) -> None:
    """A name that says that another is removed is refused; the status then says that we failed."""
    line = ["run", "--store", store, "--commit", "made:1", "base:1", "--", "sh", "-c"]
    done = rootgen(*line, "touch /etc/.wh.old")
    assert done.returncode == 125
    assert "ended with exit status 0, and was not committed" in done.stderr
    assert "/etc/.wh.old cannot be in a layer" in done.stderr
    assert not list(Path(store).glob("unpacked/*/upper-*"))


def test_killed(store: str) -> None:
    """What a killed launcher left is gone with the next that unpacks or collects."""
    line = [ROOTGEN, "run", "--store", store, "--commit", "made:1", "base:1", "--"]
    script = "mkdir /own; touch /own/x; busybox chmod 700 /own; echo up; sleep 1000"
    with subprocess.Popen([*line, "sh", "-c", script], stdout=subprocess.PIPE) as going:
        assert going.stdout is not None
        assert going.stdout.readline() == b"up\n"
        assert json.loads(succeed("gc", "--store", store, "--json"))["unpacked"] == 0
        assert len(list(Path(store).glob("unpacked/*/upper-*"))) == 1
        going.send_signal(signal.SIGKILL)
    succeed("gc", "--store", store)
    assert not list(Path(store).glob("unpacked/*/upper-*"))
