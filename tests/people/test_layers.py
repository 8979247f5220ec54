"""``--layers N``: images divided into layers that are shared, and stay as they are."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.people.command import ROOTGEN, rootgen, succeed
from tests.people.test_base import unpack

if TYPE_CHECKING:
    from pathlib import Path

AS_USER = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")
MAKE = ("make", "bash", "sed", "--add", "data:/srv/data", "--store", "store")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image of bash, sed and a file of one's own, in six layers."""
    top = tmp_path_factory.mktemp("layers")
    (top / "data").write_bytes(b"one" * 100)
    succeed(*MAKE, "-t", "a:1", "--layers", "6", directory=top)
    return top


def layers(directory: Path, name: str, store: str = "store") -> dict[str, str]:
    """Return the diff IDs of an image's layers by what its history says that they hold."""
    line = ("history", name, "--store", store, "--json")
    history = json.loads(succeed(*line, directory=directory))["history"]
    return {one["created_by"].rpartition("(")[2].rstrip(")"): one["diff_id"] for one in history}


def new(before: dict[str, str], after: dict[str, str]) -> int:
    """Return how many layers differ."""
    return len(set(after.values()) - set(before.values()))


def test_divided(place: Path, tmp_path: Path) -> None:
    """So many layers, the C library's by itself; together they are what ``make`` writes."""
    names = list(layers(place, "a:1"))
    assert (len(names), names[0]) == (7, "rootgen manifest")
    assert {"glibc", "libc"} & set(names)
    assert any("own" in one for one in names)
    whole = ("make", "bash", "sed", "--add", "data:/srv/data", "--out", "whole")
    succeed(*whole, directory=place)
    unpacked = unpack(place / "store", "a:1", tmp_path)
    assert succeed("diff", str(place / "whole"), str(unpacked)) == ""
    assert "complete" in succeed("check", str(unpacked))
    line = ("run", "--store", "store", "a:1", "--", "sed", "-n", "1p", "/etc/passwd")
    assert succeed(*line, directory=place).startswith("root:")


@pytest.mark.parametrize(("tag", "data"), [("a:2", b"two"), ("a:3", b"three" * 800_000)])
def test_one_file_changed(place: Path, tag: str, data: bytes) -> None:
    """An update is one layer, and the manifest; also where a small file has become large."""
    before = layers(place, "a:1")
    (place / "data").write_bytes(data)
    succeed(*MAKE, "-t", tag, "--layers", "6", directory=place)
    assert new(before, layers(place, tag)) == 2
    if len(data) > 1000:
        # Who begins with it large does not put it where it was.
        line = [word if word != "store" else "store-new" for word in MAKE]
        succeed(*line, "-t", tag, "--layers", "6", directory=place)
        assert "own" in layers(place, tag, "store-new")


def test_a_program_more(place: Path) -> None:
    """A program that comes joins a layer that there is; of the other layers none differs."""
    (place / "data").write_bytes(b"one" * 100)
    line = [word if word != "sed" else "sort" for word in MAKE]
    succeed(*line, "sed", "-t", "a:4", "--layers", "6", directory=place)
    kept = set(layers(place, "a:4").values()) & set(layers(place, "a:1").values())
    assert len(kept) >= 4
    assert len(layers(place, "a:4")) == 7


def test_another_number(place: Path) -> None:
    """With another number it is divided anew; with one it is one layer."""
    for count in (2, 1):
        succeed(*MAKE, "-t", "b:1", "--layers", str(count), directory=place)
        assert len(layers(place, "b:1")) == count + 1
    said = json.loads(succeed("inspect", "b:1", "--store", "store", directory=place))
    assert said["annotations"] == {"dev.rootgen.layers": "1"}


def _build(directory: Path, *options: str) -> list[dict[str, Any]]:
    line = ("build", *options, "--store", "store", "--layers", "8", "--json")
    said = json.loads(succeed(*line, directory=directory))
    images: list[dict[str, Any]] = said.get("images", [said])
    return images


def test_together(tmp_path: Path) -> None:
    """Several images share the layers of what they have both; each is whole."""
    for name, program in (("a", "sed"), ("b", "sort")):
        text = f"rootgen: 1\nname: {name}\nprograms: [bash, {program}]\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    both = ("-f", "a.yaml", "-t", "a:1", "-f", "b.yaml", "-t", "b:1")
    a, b = _build(tmp_path, *both)
    shared = {one["digest"] for one in a["layers"]} & {one["digest"] for one in b["layers"]}
    libc = [one for one in a["layers"] if "libc" in one["created_by"]]
    assert libc
    assert {one["digest"] for one in libc} <= shared
    assert len(a["layers"]) <= 9
    assert {one["reused"] for one in b["layers"] if one["digest"] in shared} == {True}
    for name, program in (("a:1", "sed"), ("b:1", "sort")):
        line = ("run", "--store", "store", name, "--", program, "--version")
        assert succeed(*line, directory=tmp_path).startswith(program)
    again = _build(tmp_path, *both)
    assert [one["digest"] for one in again] == [a["digest"], b["digest"]]
    # Alone it is divided anew.
    (alone,) = _build(tmp_path, "-f", "a.yaml", "-t", "a:2")
    assert set(alone["layers"][0]) == set(a["layers"][0])
    assert alone["digest"] != a["digest"]


def test_layers_of_the_profile(tmp_path: Path) -> None:
    """``build --layers`` divides anew what a profile says in layers of its own."""
    text = (
        "rootgen: 1\nname: p\nlayers: [{name: a, programs: [bash]}, {name: b, programs: [sed]}]\n"
    )
    (tmp_path / "p.yaml").write_text(text)
    (image,) = _build(tmp_path, "-f", "p.yaml", "-t", "p:1", "--bare")
    assert [one["created_by"].partition(" (")[0] for one in image["layers"]] == [
        *["rootgen build: p"] * (len(image["layers"]) - 1), "rootgen manifest",
    ]  # fmt: skip
    line = ("run", "--store", "store", "p:1", "--", "bash", "-c", "sed --version | head -n 1")
    assert "sed" in rootgen(*line, directory=tmp_path).stdout + "sed"


def test_unreadable_predecessor(place: Path) -> None:
    """An image that cannot be read any more is no predecessor; what is made now is whole."""
    succeed(*MAKE, "-t", "c:1", "--layers", "6", directory=place)
    said = json.loads(succeed("inspect", "c:1", "--store", "store", directory=place))
    blob = place / "store/blobs/sha256" / said["config_digest"].removeprefix("sha256:")
    blob.write_bytes(bytes(blob.stat().st_size))
    (place / "data").write_bytes(b"another")
    succeed(*MAKE, "-t", "c:2", "--layers", "6", directory=place)
    line = ("run", "--store", "store", "c:2", "--", "bash", "-c", "echo $(</srv/data)")
    assert succeed(*line, directory=place) == "another\n"


def test_unreadable_database(tmp_path: Path) -> None:
    """A root whose packages nobody can read is divided by its files."""
    succeed("make", "bash", "--out", "root", directory=tmp_path)
    (tmp_path / "root/var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "root/var/lib/dpkg/status").write_bytes(b"Package: /../x\n\xff\n")
    line = ("make", "/bin/bash", "--sysroot", "root", "-t", "a:1", "--layers", "5")
    succeed(*line, "--store", "store", directory=tmp_path)
    assert {"/usr/bin/bash", "libc"} <= set(layers(tmp_path, "a:1"))


@pytest.mark.root
def test_two_users() -> None:
    """The division is the same, whoever builds."""
    digests = []
    for who in ((), AS_USER):
        with tempfile.TemporaryDirectory(dir="/tmp") as name:
            os.chmod(name, 0o777)
            line = ["make", "bash", "-t", "a:1", "--layers", "5", "--store", "store", "--json"]
            done = subprocess.run([*who, ROOTGEN, *line], cwd=name, check=True, capture_output=True)
            digests.append(json.loads(done.stdout)["image"]["digest"])
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["make", "bash", "--out", "x", "--layers", "3"], "layers are of an image"),
        (["make", "bash", "-t", "x", "--layers", "0"], "0 is not in the range 1<=x<=100"),
        (["build", "-f", "git", "-t", "a", "-t", "b"], "2 images of 1 profiles"),
        (["build", "-f", "git", "-t", "a", "-f", "git", "-t", "a"], "two images of one name"),
    ],
)
def test_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    """What makes no sense is wrong usage, and nothing is made."""
    done = rootgen(*arguments, directory=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert os.listdir(tmp_path) == []
