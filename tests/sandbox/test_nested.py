"""Launches where the caller is itself contained: they work, or it is told what lacks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.tree import ROOTGEN, build_tree, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_ID = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
ROOT = ["unshare", "--map-root-user"]
_BWRAP = ["bwrap", "--dev-bind", "/", "/", "--unshare-user"]
_NO_ADMIN = ["setpriv", "--bounding-set=-sys_admin"]
_READ_ONLY = 'mount -o remount,bind,ro /proc; exec "$@"'
_NO_PROC = 'mount -t tmpfs none /proc; exec "$@"'


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a tree outside /tmp, which is another one inside a launch."""
    import shutil
    import tempfile

    top = tempfile.mkdtemp(dir="/var/tmp")
    os.chmod(top, 0o755)
    yield build_tree(Path(top) / "tree")
    shutil.rmtree(top)


def _within(outer: list[str], tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    line = [*outer, *command_line(tree, *command)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "outer",
    [
        ONE_ID,
        ROOT,
        [*ROOT, *_NO_ADMIN],
        [*ROOT, *ONE_ID],
        [*ROOT, "--mount", "sh", "-c", 'mount -t tmpfs none /mnt; exec "$@"', "sh"],
        ["setpriv", "--no-new-privs"],
        _BWRAP,
        [*_BWRAP, "--unshare-pid", "--proc", "/proc"],
        [*_BWRAP, "--uid", "1000", "--gid", "1000", "--unshare-net"],
        ["unshare", "--map-root-user", "--mount", "sh", "-c", _READ_ONLY, "sh"],
    ],
    ids=[
        "one id", "root of a user namespace", "root without SYS_ADMIN", "twice", "with mounts",
        "no new privileges", "bwrap", "bwrap with processes", "bwrap with an id",
        "read-only procfs",
    ],
)  # fmt: skip
def test_works(place: Path, outer: list[str]) -> None:
    """User 0 in namespaces of its own, within those of another."""
    done = _within(outer, place, "sh", "-c", "id -u; ls /sys/class/net; hostname; exit 5")
    assert done.returncode == 5, done.stderr
    assert done.stdout.split() == ["0", "lo", "rootgen"]


def test_one_id_has_no_setgroups(place: Path) -> None:
    """Where one id is mapped without help, nobody drops a group that is refused something."""
    script = "cat /proc/self/setgroups /proc/self/uid_map"
    done = _within(ONE_ID, place, "sh", "-c", script)
    assert done.stdout.split() == ["deny", "0", "1000", "1"], done.stderr
    refused = _within(ONE_ID, place, "true")
    assert refused.returncode == 0
    other = subprocess.run(
        [*ONE_ID, *command_line(place, "true", options=["--user", "5"])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert other.returncode == 125
    assert "user 5 is not one of the ids" in other.stderr


@pytest.mark.root
@pytest.mark.parametrize("options", [[], ["--ephemeral"], ["--net", "host"], ["--user", "1000"]])
def test_within_a_launch(place: Path, options: list[str]) -> None:
    """With the capabilities that the messages name; Docker's filter lets no pivot_root through."""
    outer = [ROOTGEN, "run", "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "/", "--"]
    line = [*outer, *command_line(place, "sh", "-c", "id -u; exit 5", options=options)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (5, "1000" if "--user" in options else "0")
    assert "pivot_root is refused here; the root was changed by chroot" in done.stderr


@pytest.mark.parametrize(
    ("outer", "told"),
    [
        ([ROOTGEN, "run", "/", "--"], "user namespaces are forbidden here"),
        ([ROOTGEN, "run", "--seccomp", "none", "/", "--"], "inside another container it is partly"),
        ([ROOTGEN, "run", "--cap-add", "SYS_ADMIN", "/", "--"], "inside another container it is"),
        (["unshare", "--user"], "has no ids yet"),
        ([*ROOT, "--mount", "sh", "-c", _NO_PROC, "sh"], "there is no procfs on /proc"),
        ([*ONE_ID, "--pid", "--fork"], "that of this PID namespace"),
        (
            [*ROOT, "--mount", "sh", "-c", _READ_ONLY, "sh", *_NO_ADMIN],
            "/proc must be writable",
        ),
    ],
    ids=["launch", "launch without filter", "launch with SYS_ADMIN", "no ids", "no procfs",
         "another PID namespace", "read-only procfs"],
)  # fmt: skip
def test_told(place: Path, outer: list[str], told: str) -> None:
    """What the outer container does not let us do is named, with what would help."""
    done = _within(outer, place, "true")
    assert done.returncode == 125, done.stdout
    assert told in done.stderr
    assert "the tree must be writable" not in done.stderr
    assert "Traceback" not in done.stderr
