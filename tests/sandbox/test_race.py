"""Somebody outside who renames directories of the tree all the while (CVE-2021-30465)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rootgen.api.run import RunRequest
from rootgen.sandbox.options import Bind, Options
from tests.sandbox.api import run_python, run_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# renameat2(2) with RENAME_EXCHANGE, as fast as it goes, until it is killed.
_RACER = """
import sys
from rootgen.linux.rename import exchange
while True:
    exchange(-100, sys.argv[1], -100, sys.argv[2])  # AT_FDCWD
"""
_LAUNCHES = """
tree, script, target, source, times = sys.argv[1:]
options = Options(binds=(Bind(source, target, True),) if target else ())
failed = 0
for _ in range(int(times)):
    try:
        run(RunRequest(tree, ("sh", "-c", script), options))
    except LaunchError as error:
        # 126 where /proc is none by now, in which the program is looked at before it is executed.
        assert error.exit_status in {125, 126}, error
        failed += 1
print("failed", failed)
"""


@contextlib.contextmanager
def _racing(one: Path, other: Path) -> Iterator[None]:
    racer = subprocess.Popen([sys.executable, "-c", _RACER, str(one), str(other)])
    try:
        yield
        assert racer.poll() is None  # it raced to the end
    finally:
        racer.kill()
        racer.wait()


def _launches(
    tree: Path, script: str, target: str = "", source: str = "", times: int = 60
) -> list[str]:
    done = run_python(_LAUNCHES, str(tree), script, target, source, str(times))
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    # Some were launched and did what the script does, or the test would show nothing.
    assert int(lines[-1].split()[1]) < times, done.stderr.decode()
    return lines[:-1]


@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_target_of_a_bind(tree: Path, tmp_path: Path, kind: str) -> None:
    """A directory on the way to a mount point, swapped for a link to the host."""
    (tmp_path / "data").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "m").mkdir()
    (tree / "link").symlink_to(outside if kind == "absolute" else "../outside")
    with _racing(tree / "m", tree / "link"):
        lines = _launches(tree, "ls -d /m/x /link/x", "/m/x", str(tmp_path / "data"), times=200)
    assert set(lines) <= {"/m/x", "/link/x"}
    assert list(outside.iterdir()) == []


def test_read_only_bind(tree: Path, tmp_path: Path) -> None:
    """What is bound read-only is so wherever it gets to, and never writable for a moment."""
    (tmp_path / "data").mkdir()
    for name in ("m", "n"):
        (tree / name / "x").mkdir(parents=True)
    script = 'touch /m/x/"$$" /n/x/"$$"'
    with _racing(tree / "m", tree / "n"):
        _launches(tree, script, "/m/x", str(tmp_path / "data"))
    assert list((tmp_path / "data").iterdir()) == []


def test_proc(tree: Path) -> None:
    """The kernel's knobs are read-only in the procfs that there is, wherever it gets to."""
    (tree / "decoy").mkdir()
    (tree / "decoy/sys").mkdir()
    script = """
for place in /proc /decoy; do
    [ -d $place/self/fd ] && echo procfs
    (echo own >$place/sys/kernel/domainname) 2>/dev/null && echo wrote
    [ -s $place/timer_list ] && echo unmasked
done
true
"""
    with _racing(tree / "proc", tree / "decoy"):
        lines = _launches(tree, script)
    assert set(lines) == {"procfs"}
    left = [found for name in ("proc", "decoy") for found in (tree / name).glob("sys/*")]
    assert left == []


# The same, at the very moment: when a mount has just been attached, a helper out here, to whom no
# directory is a mount point, exchanges two directories before the launch goes on.
_AT_THE_MOMENT = """
import os
from rootgen.linux.rename import exchange
from rootgen.sandbox.build import Builder
os.mkfifo({work!r} + "/ask")
os.mkfifo({work!r} + "/answer")
if os.fork() == 0:
    open({work!r} + "/ask").read()
    exchange(-100, {one!r}, -100, {other!r})
    open({work!r} + "/answer", "w").close()
    os._exit(0)
def wait():
    open({work!r} + "/ask", "w").close()
    open({work!r} + "/answer").read()
add = Builder._add
def add_and_wait(self, path, mount):
    add(self, path, mount)
    if path == {target!r}:
        self._recorder.call(wait, failed=None)
Builder._add = add_and_wait
"""


def _at_the_moment(tree: Path, work: Path, names: tuple[str, str], target: str) -> str:
    one, other = (str(tree / name) for name in names)
    return _AT_THE_MOMENT.format(work=str(work), one=one, other=other, target=target)


def test_proc_at_the_moment(tree: Path, tmp_path: Path) -> None:
    """What is to be hidden and read-only is so in the procfs, which now is elsewhere."""
    (tree / "decoy").mkdir()
    script = "(echo own >/decoy/sys/kernel/domainname) && echo wrote; ls /decoy/self/ns | wc -l"
    request = RunRequest(str(tree), ("/bin/sh", "-c", script))
    before = _at_the_moment(tree, tmp_path, ("proc", "decoy"), "/proc")
    done = run_request(request, before)
    assert b"Read-only file system" in done.stderr
    assert int(done.stdout) > 5


def test_read_only_bind_at_the_moment(tree: Path, tmp_path: Path) -> None:
    """What is bound read-only is so where it is now."""
    (tmp_path / "data").mkdir()
    for name in ("m", "n"):
        (tree / name / "x").mkdir(parents=True)
    binds = (Bind(f"{tmp_path}/data", "/m/x", read_only=True),)
    request = RunRequest(str(tree), ("sh", "-c", "touch /n/x/f"), Options(binds))
    done = run_request(request, _at_the_moment(tree, tmp_path, ("m", "n"), "/m/x"))
    assert b"Read-only file system" in done.stderr
    assert list((tmp_path / "data").iterdir()) == []


def test_dev(tree: Path) -> None:
    """Nothing is made in a directory of the tree that took the place of /dev."""
    (tree / "decoy").mkdir()
    with _racing(tree / "dev", tree / "decoy"):
        _launches(tree, "true")
    assert os.listdir(tree / "dev") == os.listdir(tree / "decoy") == []
