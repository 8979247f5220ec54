"""``rootgen pack`` as people type it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pty
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rootgen as api
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.rootfs.scan import scan_tree
from tests.people.command import ROOTGEN, rootgen, succeed

if TYPE_CHECKING:
    from collections.abc import Iterator

AS_USER = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree of a program and a shell."""
    top = tmp_path_factory.mktemp("pack")
    succeed("make", "bash", "true", "--out", str(top / "rootfs"))
    return top / "rootfs"


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Return a directory that another user can write in."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        yield Path(place)


def test_tar(tree: Path, tmp_path: Path) -> None:
    """What is unpacked is the tree, its manifest too; the output is told, and its digest right."""
    told = succeed("pack", str(tree), "--to", "tar", "out.tar", directory=tmp_path)
    data = (tmp_path / "out.tar").read_bytes()
    entries = len(scan_tree(str(tree))) + 1
    assert told.splitlines()[0].startswith(f"out.tar: tar, {entries} entries, ")
    assert told.splitlines()[1] == f"digest  sha256:{hashlib.sha256(data).hexdigest()}"
    (tmp_path / "again").mkdir()
    subprocess.run(["tar", "-xpf", "out.tar", "-C", "again"], cwd=tmp_path, check=True)
    assert succeed("diff", str(tree), str(tmp_path / "again")) == ""
    assert succeed("check", str(tmp_path / "again"))
    assert rootgen("run", str(tmp_path / "again"), "--", "true").returncode == 0


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_compressed(tree: Path, tmp_path: Path, how: str) -> None:
    """Compression changes nothing but the bytes: the diff ID is the same, tar(1) reads it."""
    packed = json.loads(
        succeed("pack", str(tree), "--to", "tar", "--compress", how, "--json", str(tmp_path / "o"))
    )
    plain = subprocess.run(
        [ROOTGEN, "pack", str(tree), "--to", "tar", "-"], capture_output=True, check=True
    )
    assert packed["diff_id"] == f"sha256:{hashlib.sha256(plain.stdout).hexdigest()}"
    assert packed["size"] == os.stat(tmp_path / "o").st_size
    listed = subprocess.run(["tar", "-tf", tmp_path / "o"], capture_output=True, check=True)
    assert len(listed.stdout.splitlines()) == packed["entries"]


def test_standard_output(tree: Path) -> None:
    """The archive goes to standard output, what is told to standard error; to no terminal."""
    done = subprocess.run([ROOTGEN, "pack", str(tree), "--to", "tar", "-"], capture_output=True)
    assert done.stderr.startswith(b"standard output: tar, ")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as opened:
        assert f".{MANIFEST_PATH}" in [f"./{name}" for name in opened.getnames()]
    ours, theirs = pty.openpty()
    command = [ROOTGEN, "pack", str(tree), "--to", "tar", "-"]
    refused = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE)
    os.close(ours)
    os.close(theirs)
    assert (refused.returncode, b"not for a terminal" in refused.stderr) == (2, True)


def test_into_the_tree_itself(tmp_path: Path) -> None:
    """The output is no part of what is packed, though it is there while the tree is read."""
    (tmp_path / "tree" / "d").mkdir(parents=True)
    (tmp_path / "tree" / "d" / "file").write_bytes(b"x" * 3_000_000)
    (tmp_path / "tree" / "z").write_bytes(b"z")
    with open(tmp_path / "tree" / "d" / "out.tar", "wb") as output:
        subprocess.run(
            [ROOTGEN, "pack", tmp_path / "tree", "--to", "tar", "-"], stdout=output, check=True
        )
    with tarfile.open(tmp_path / "tree" / "d" / "out.tar") as archive:
        assert archive.getnames() == [".", "d", "d/file", "z"]


def test_reader_goes_away(tree: Path) -> None:
    """A reader that has seen enough ends it, without a word."""
    line = f"{ROOTGEN} pack {tree} --to tar - | head -c 1000 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


_PROFILE = """\
rootgen: 1
name: p
programs: ['true']
users: [{name: app, uid: 70000, home: /home/app}]
files: [{path: /srv/x, text: hello, owner: app, mode: '4750'}]
"""


@pytest.mark.root
def test_same_from_every_user(open_place: Path) -> None:
    """An ordinary user's tree gives the bytes that root's gives, the owners included."""
    profile = open_place / "p.yaml"
    profile.write_text(_PROFILE)
    archives: list[bytes] = []
    for become in ((), AS_USER):
        out = str(open_place / f"rootfs{len(archives)}")
        for command in (
            ("make", "-f", str(profile), "--out", out),
            ("pack", out, "--to", "tar", f"{out}.tar"),
        ):
            subprocess.run([*become, ROOTGEN, *command], check=True, capture_output=True)
        with tarfile.open(f"{out}.tar") as opened:
            one = opened.getmember("srv/x")
            assert (one.uid, one.mode) == (70000, 0o4750)
        archives.append((open_place / f"{out}.tar").read_bytes())
    assert archives[0] == archives[1]


ERRORS: dict[str, tuple[list[str], int, str]] = {
    "no format": (["TREE", "o"], 2, "pack as what? --to oci, docker, tar"),
    "an unknown format": (["TREE", "--to", "rar", "o"], 2, "'rar'"),
    "no tree": (["./nowhere", "--to", "tar", "o"], 1, "cannot read the tree ./nowhere: No such"),
    "there already": (["TREE", "--to", "tar", "there"], 2, "there is there already"),
    "a directory": (["TREE", "--to", "tar", "."], 2, ". is a directory"),
    "no directory": (["TREE", "--to", "tar", "no/o"], 1, "cannot write no/o: No such file"),
    "full": (["TREE", "--to", "tar", "/dev/full"], 1, "cannot write /dev/full: No space left"),
    "JSON and archive": (["TREE", "--to", "tar", "--json", "-"], 2, "cannot both go to standard"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(tree: Path, tmp_path: Path, name: str) -> None:
    """What fails is said in one line, and leaves nothing behind."""
    arguments, status, message = ERRORS[name]
    (tmp_path / "there").write_bytes(b"theirs")
    words = [str(tree) if word == "TREE" else word for word in arguments]
    done = rootgen("pack", *words, directory=tmp_path)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert os.listdir(tmp_path) == ["there"]
    assert (tmp_path / "there").read_bytes() == b"theirs"


def test_force(tree: Path, tmp_path: Path) -> None:
    """With --force what is there is replaced."""
    (tmp_path / "there").write_bytes(b"theirs")
    succeed("pack", str(tree), "--to", "tar", "--force", str(tmp_path / "there"))
    assert os.listdir(tmp_path) == ["there"]
    assert tarfile.is_tarfile(tmp_path / "there")


def test_unreadable(open_place: Path) -> None:
    """A file that may not be read is named, and there is no archive."""
    become = AS_USER if os.geteuid() == 0 else ()
    out = str(open_place / "rootfs")
    subprocess.run([*become, ROOTGEN, "make", "true", "--out", out], check=True)
    os.chmod(f"{out}/usr/bin/true", 0)
    done = subprocess.run(
        [*become, ROOTGEN, "pack", out, "--to", "tar", f"{out}.tar"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "cannot read /usr/bin/true of the tree: Permission denied" in done.stderr
    assert os.listdir(open_place) == ["rootfs"]


def test_from_python(tree: Path, tmp_path: Path) -> None:
    """The same as a function."""
    result = api.pack(api.PackRequest(str(tree), "tar", str(tmp_path / "o")))
    assert result.digest == result.diff_id
    assert result.size == os.stat(tmp_path / "o").st_size
