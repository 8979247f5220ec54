"""The commands of the image store, as people type them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from rootgen.image.collect import reachable
from rootgen.image.store import Store
from tests.image.storing import add_image
from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make two images in the user's own store; return where that is."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Store.open_or_make(str(tmp_path / "data/rootgen")) as store:
        add_image(store, "tools/git:1.0", {"x": b"1"})
        add_image(store, "base:latest", {"x": b"2"})
    return tmp_path / "data/rootgen"


def test_listed(data: Path) -> None:
    """One line an image; JSON has the same and more."""
    lines = succeed("images").splitlines()
    assert lines[0].split() == ["NAME", "DIGEST", "PLATFORM", "LAYERS", "SIZE"]
    assert [line.split()[0] for line in lines[1:]] == ["base:latest", "tools/git:1.0"]
    assert succeed("images", "--store", str(data)) == succeed("images")
    document = json.loads(succeed("images", "--json"))
    assert [one["platform"] for one in document["images"]] == ["linux/amd64"] * 2


def test_no_store(tmp_path: Path) -> None:
    """Before there is a store there is nothing in it, and looking makes none."""
    store = str(tmp_path / "store")
    assert succeed("images", "--store", store) == ""
    done = rootgen("rm", "x", "--store", store)
    assert (done.returncode, done.stderr.count(f"no image x: there is no store {store}")) == (1, 1)
    assert os.listdir(tmp_path) == []


def test_one_image(data: Path) -> None:
    """History and inspect tell the same layer; a name without a tag is the latest."""
    history = json.loads(succeed("history", "base", "--json"))["history"]
    inspected = json.loads(succeed("inspect", "base:latest"))
    assert history[0]["diff_id"] == inspected["layers"][0]["diff_id"]
    assert succeed("history", "base").splitlines()[0].split() == [
        "DIFF",
        "ID",
        "SIZE",
        "CREATED",
        "BY",
    ]
    with Store(str(data)) as store:
        found = store.find("base:latest")
    assert found is not None
    assert inspected["digest"] == found.digest


def test_forgotten_and_collected(data: Path) -> None:
    """What is forgotten is freed by gc, and not before; what is not known is told, all of it."""
    done = rootgen("rm", "base", "tools/gti:1.0")
    assert done.returncode == 1
    assert "hint: did you mean tools/git:1.0?" in done.stderr
    assert len(succeed("images").splitlines()) == 3
    assert succeed("rm", "base") == "base:latest: forgotten\n"
    assert succeed("gc").startswith("3 blobs removed, ")
    assert json.loads(succeed("gc", "--json"))["blobs"] == 0
    assert len(succeed("images").splitlines()) == 2
    assert succeed("store", "verify").endswith(": nothing is damaged\n")
    assert len(os.listdir(data / "blobs/sha256")) == 3


def test_damaged(data: Path) -> None:
    """What is damaged is told by who reads it; the other images are shown all the same."""
    with Store(str(data)) as store:
        found = store.find("base:latest")
        assert found is not None
        layers = [one for one in reachable(store) if one != found.digest]
    assert layers
    (data / "blobs/sha256" / found.digest.removeprefix("sha256:")).write_bytes(b"{}")
    done = rootgen("images")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 2)
    assert done.stderr.startswith("rootgen: base:latest: blob sha256:")
    assert rootgen("gc").returncode == 1
    done = rootgen("store", "verify")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert json.loads(rootgen("store", "verify", "--json").stdout)["damages"][0]["image"] == (
        "base:latest"
    )


@pytest.mark.parametrize("name", ["Base", "a b", "../x", "a:"])
def test_no_names(data: Path, name: str) -> None:
    """What can be no image's name is wrong usage."""
    assert data.exists()
    done = rootgen("inspect", name)
    assert done.returncode == 2
    assert f"'{name}' is no name of an image" in done.stderr
