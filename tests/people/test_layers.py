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


def layers(directory: Path, name: str) -> dict[str, str]:
    """Return the diff IDs of an image's layers by what its history says that they hold."""
    line = ("history", name, "--store", "store", "--json")
    history = json.loads(succeed(*line, directory=directory))["history"]
    return {one["created_by"].rpartition("(")[2].rstrip(")"): one["diff_id"] for one in history}


def new(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return what layers differ; there are the same."""
    assert list(before) == list(after)
    return {name for name, diff_id in after.items() if diff_id != before[name]}


def test_divided(place: Path, tmp_path: Path) -> None:
    """So many layers, in their order; together they are what ``make`` writes, and run."""
    names = list(layers(place, "a:1"))
    assert (len(names), names[0], names[1], names[-1]) == (
        7, "rootgen manifest", "own files", "C library",
    )  # fmt: skip
    assert {"programs", "/usr/bin/bash", "libraries"} <= set(names)
    whole = ("make", "bash", "sed", "--add", "data:/srv/data", "--out", "whole")
    succeed(*whole, directory=place)
    unpacked = unpack(place / "store", "a:1", tmp_path)
    assert succeed("diff", str(place / "whole"), str(unpacked)) == ""
    assert "complete" in succeed("check", str(unpacked))
    line = ("run", "--store", "store", "a:1", "--", "sed", "-n", "1p", "/etc/passwd")
    assert succeed(*line, directory=place).startswith("root:")


@pytest.mark.parametrize(("tag", "data"), [("a:2", b"two"), ("a:3", b"large" * 1_000_000)])
def test_one_file_changed(place: Path, tag: str, data: bytes) -> None:
    """An update sends one layer again, and the manifest; also where a file has become large."""
    before = layers(place, "a:1")
    (place / "data").write_bytes(data)
    succeed(*MAKE, "-t", tag, "--layers", "6", directory=place)
    assert new(before, layers(place, tag)) == {"own files", "rootgen manifest"}
    if len(data) > 1000:
        # Who has not seen the image before has no reason to leave it where it was.
        line = [word if word != "store" else "store-new" for word in MAKE]
        said = succeed(*line, "-t", tag, "--layers", "6", directory=place)
        assert said
        other = ("history", tag, "--store", "store-new", "--json")
        assert "(/srv/data)" in succeed(*other, directory=place)


def test_another_number(place: Path) -> None:
    """With another number it is divided anew; with one it is one layer."""
    succeed(*MAKE, "-t", "b:1", "--layers", "2", directory=place)
    assert [one for one in layers(place, "b:1") if one != "rootgen manifest"] == [
        "libraries, programs, own files", "C library",
    ]  # fmt: skip
    succeed(*MAKE, "-t", "b:1", "--layers", "1", directory=place)
    assert len(layers(place, "b:1")) == 2
    plain = json.loads(succeed("inspect", "b:1", "--store", "store", directory=place))
    assert plain["annotations"] == {"dev.rootgen.layers": "1"}


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
    words = {one["created_by"].rpartition("(")[2] for one in a["layers"] if one["digest"] in shared}
    assert {"C library of a,b)", "libraries of a,b)"} <= words
    assert len(a["layers"]) <= 9
    assert {one["reused"] for one in b["layers"] if one["digest"] in shared} == {True}
    for name, program in (("a:1", "sed"), ("b:1", "sort")):
        line = ("run", "--store", "store", name, "--", program, "--version")
        assert succeed(*line, directory=tmp_path).startswith(program)
    again = _build(tmp_path, *both)
    assert [one["digest"] for one in again] == [a["digest"], b["digest"]]
    # Alone it is divided otherwise, and says so.
    (alone,) = _build(tmp_path, "-f", "a.yaml", "-t", "a:2")
    assert "(C library)" in alone["layers"][0]["created_by"]


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


def test_damaged_predecessor(place: Path) -> None:
    """An image whose manifest cannot be read any more is no predecessor; nothing else follows."""
    (place / "data").write_bytes(b"damaged")
    succeed(*MAKE, "-t", "c:1", "--layers", "6", directory=place)
    said = json.loads(succeed("inspect", "c:1", "--store", "store", directory=place))
    blob = place / "store/blobs/sha256" / said["layers"][-1]["digest"].removeprefix("sha256:")
    blob.write_bytes(bytes(blob.stat().st_size))
    (place / "data").write_bytes(b"whole again")
    succeed(*MAKE, "-t", "c:2", "--layers", "6", directory=place)
    line = ("run", "--store", "store", "c:2", "--", "bash", "-c", "true")
    succeed(*line, directory=place)


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
