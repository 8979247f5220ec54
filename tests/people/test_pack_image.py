"""``rootgen pack --to oci`` and ``--to docker``, and packing images by name, as people type it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.people.command import ROOTGEN, rootgen, succeed
from tests.people.test_pack import AS_USER

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROFILE = """\
rootgen: 1
name: p
programs: ['true', bash]
users: [{name: app, uid: 70000, home: /home/app}]
files: [{path: /srv/x, text: hello, owner: app, mode: '4750'}]
image: {entrypoint: [bash], env: {X: '1'}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree and a store in which it is an image; return where ``rootfs``, ``store`` are."""
    top = tmp_path_factory.mktemp("pack-image")
    (top / "p.yaml").write_text(_PROFILE)
    succeed("make", "-f", str(top / "p.yaml"), "--out", str(top / "rootfs"))
    succeed("commit", str(top / "rootfs"), "-t", "p:1", "--store", str(top / "store"))
    return top


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Return a directory that another user can write in."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        yield Path(place)


def test_told(place: Path, tmp_path: Path) -> None:
    """What is told: the image's digest, and the archive's; a directory has none of its own."""
    tree = str(place / "rootfs")
    lines = succeed("pack", tree, "--to", "oci", "layout", directory=tmp_path).splitlines()
    assert lines[0].startswith("layout: oci, 1 layer, ")
    assert [line.split()[0] for line in lines[1:]] == ["image"]
    packed = json.loads(succeed("pack", tree, "--to", "oci", "--json", str(tmp_path / "i.tar")))
    assert packed["image"] == lines[1].split()[1]
    assert (packed["layers"], packed["entries"], packed["diff_id"]) == (1, None, None)
    assert packed["size"] == os.stat(tmp_path / "i.tar").st_size


@pytest.mark.parametrize("to", ["oci", "docker", "tar", "squashfs", "erofs", "cpio"])
def test_by_name(place: Path, tmp_path: Path, to: str) -> None:
    """A tree, and the image that was committed of it, give the same bytes in every format."""
    store = ("--store", str(place / "store"))
    tag = ("--tag", "p:1") if to in {"oci", "docker"} else ()
    succeed("pack", str(place / "rootfs"), "--to", to, *tag, str(tmp_path / "a.tar"))
    succeed("pack", "p:1", *store, "--to", to, str(tmp_path / "b.tar"))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


@pytest.mark.parametrize("to", ["oci", "docker", "squashfs", "erofs"])
def test_standard_output(place: Path, tmp_path: Path, to: str) -> None:
    """On standard output it is the same bytes, and what is told is on standard error."""
    succeed("pack", str(place / "rootfs"), "--to", to, str(tmp_path / "o.tar"))
    command = [ROOTGEN, "pack", str(place / "rootfs"), "--to", to, "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == (tmp_path / "o.tar").read_bytes()
    assert done.stderr.startswith(f"standard output: {to}, ".encode())


def test_time(place: Path, tmp_path: Path) -> None:
    """The image's time is SOURCE_DATE_EPOCH."""
    for epoch in ("0", "86400"):
        command = ("pack", str(place / "rootfs"), "--to", "oci", str(tmp_path / epoch))
        assert rootgen(*command, env={"SOURCE_DATE_EPOCH": epoch}).returncode == 0
    texts = [
        b"".join(one.read_bytes() for one in (tmp_path / epoch / "blobs/sha256").iterdir())
        for epoch in ("0", "86400")
    ]
    assert b'"created":"1970-01-01T00:00:00Z"' in texts[0]
    assert b'"created":"1970-01-02T00:00:00Z"' in texts[1]


@pytest.mark.root
@pytest.mark.parametrize("to", ["oci", "docker", "squashfs", "erofs"])
def test_same_from_every_user(open_place: Path, to: str) -> None:
    """An ordinary user's tree gives the bytes that root's gives."""
    (open_place / "p.yaml").write_text(_PROFILE)
    archives: list[bytes] = []
    for become in ((), AS_USER):
        out = str(open_place / f"rootfs{len(archives)}")
        for command in (
            ("make", "-f", str(open_place / "p.yaml"), "--out", out),
            ("pack", out, "--to", to, *(("--tag", "p:1") if to == "oci" else ()), f"{out}.tar"),
        ):
            subprocess.run([*become, ROOTGEN, *command], check=True, capture_output=True)
        archives.append(Path(f"{out}.tar").read_bytes())
    assert archives[0] == archives[1]


@pytest.mark.parametrize("to", ["docker", "squashfs"])
def test_same_on_any_core(place: Path, tmp_path: Path, to: str) -> None:
    """One processor or all of them: the same image."""
    one = min(os.sched_getaffinity(0))
    for name, before in (("a", ()), ("b", ("taskset", "--cpu-list", str(one)))):
        command = [*before, ROOTGEN, "pack", place / "rootfs", "--to", to, tmp_path / name]
        subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_replaced(place: Path, tmp_path: Path) -> None:
    """A layout that is there is replaced with --force only, whole."""
    tree, out = str(place / "rootfs"), str(tmp_path / "layout")
    os.mkdir(out)
    succeed("pack", tree, "--to", "oci", out)
    before = sorted(map(str, Path(out).rglob("*")))
    done = rootgen("pack", tree, "--to", "oci", "--compress", "none", out)
    assert (done.returncode, "layout is there already" in done.stderr) == (1, True)
    assert sorted(map(str, Path(out).rglob("*"))) == before
    succeed("pack", tree, "--to", "oci", "--compress", "none", "--force", out)
    assert sorted(map(str, Path(out).rglob("*"))) != before
    assert os.listdir(tmp_path) == ["layout"]


def test_increment(place: Path, tmp_path: Path) -> None:
    """An increment by itself is no image; over its base it is one of three layers."""
    store = ("--store", str(place / "store"))
    tree = str(tmp_path / "rootfs")
    succeed("make", "ls", "--base", "p:1", *store, "--out", tree)
    done = rootgen("pack", tree, "--to", "oci", str(tmp_path / "layout"))
    assert (done.returncode, "is an increment: by itself it is no image" in done.stderr) == (
        1,
        True,
    )
    succeed("commit", tree, "--base", "p:1", "-t", "q:1", *store)
    told = succeed("pack", "q:1", *store, "--to", "docker", str(tmp_path / "q.tar"))
    assert ": docker, 3 layers, " in told
    succeed("pack", "q:1", *store, "--to", "tar", str(tmp_path / "flat.tar"))
    listed = subprocess.run(
        ["tar", "-tf", tmp_path / "flat.tar"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {"usr/bin/ls", "usr/bin/bash", "srv/x"} <= set(listed)
    assert len(listed) == len(set(listed))


ERRORS: dict[str, tuple[list[str], int, str]] = {
    "no such image": (
        ["nosuch:1", "--to", "oci", "o"],
        1,
        "nosuch:1: neither a directory nor an image",
    ),
    "no name": (["No Name", "--to", "oci", "o"], 2, "'No Name' is no name of an image"),
    "a path": (["./nosuch", "--to", "oci", "o"], 1, "cannot read the tree ./nosuch"),
    "a wrong tag": (["TREE", "--to", "oci", "--tag", "A B", "o"], 2, "'A B' is no name"),
    "a tag of a tar": (["TREE", "--to", "tar", "--tag", "a:1", "o"], 2, "--tag means nothing"),
    "compressed again": (
        ["p:1", "--to", "oci", "--compress", "zstd", "o"],
        2,
        "as they are stored",
    ),
    "no directory": (["TREE", "--to", "oci", "no/o"], 1, "there is no directory no"),
    "what a tree has not": (["TREE", "--to", "oci", "--attached", "o"], 2, "--attached is of an"),
    "what a tar has not": (["p:1", "--to", "tar", "--attached", "o"], 2, "--attached is of an"),
    "JSON and archive": (["TREE", "--to", "oci", "--json", "-"], 2, "cannot both go to standard"),
    "a bundle's tag": (["TREE", "--to", "bundle", "--tag", "a:1", "o"], 2, "--tag means nothing"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(place: Path, tmp_path: Path, name: str) -> None:
    """What fails is said in one line, and leaves nothing behind."""
    arguments, status, message = ERRORS[name]
    words = [str(place / "rootfs") if word == "TREE" else word for word in arguments]
    if "bundle" not in words:
        words += ["--store", str(place / "store")]
    done = rootgen("pack", *words, directory=tmp_path)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("to", "out", "message"),
    [
        ("oci", "layout", "cannot keep a layer in .: File too large"),
        ("oci", "i.tar", "cannot keep a layer in .: File too large"),
        ("docker", "i.tar", "cannot keep a layer in .: File too large"),
        ("squashfs", "image", "cannot keep contents in .: File too large"),
        ("erofs", "image", "cannot write image: File too large"),
    ],
)
def test_no_room(place: Path, tmp_path: Path, to: str, out: str, message: str) -> None:
    """What has no room for all of it leaves nothing behind, and says what lacked."""
    line = f"ulimit -f 500; exec {ROOTGEN} pack {place}/rootfs --to {to} {out}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert os.listdir(tmp_path) == []


def test_no_store(place: Path, tmp_path: Path) -> None:
    """Where there is neither a directory nor a store, that is said."""
    done = rootgen("pack", "rootfs:1", "--to", "tar", "--store", str(tmp_path / "no"), "-",
                   directory=place)  # fmt: skip
    assert done.returncode == 1
    assert "rootfs:1: neither a directory nor an image: there is no store" in done.stderr
