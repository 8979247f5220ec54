"""``rootgen commit``: trees as images, increments over them, run by others' tools."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.people.command import ROOTGEN, rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path

# Added, changed, removed, of another mode, of another kind; and all that at a time of its own.
CHANGES = """
    cd {tree} && echo a >etc/new && echo group >etc/group && rm etc/hosts && chmod 700 opt
    rm etc/nsswitch.conf && mkdir etc/nsswitch.conf && rmdir mnt && ln -s group etc/link
    touch -h -d @1 etc/new etc/group etc/nsswitch.conf etc/link etc opt .
"""
AS_USER = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a base, and a tree with one program more, each an image of one store."""
    top = tmp_path_factory.mktemp("commit")
    succeed("make", "bash", "true", "--out", "base", directory=top)
    succeed("make", "bash", "true", "sed", "--out", "more", directory=top)
    succeed("commit", "base", "-t", "base:1", "--store", "store", directory=top)
    options = ("--base", "base:1", "--store", "store")
    succeed("commit", "more", "-t", "tools/sed:1", *options, directory=top)
    return top


def _unpack(place: Path, name: str, to: Path) -> Path:
    """Unpack an image by umoci, from a copy that skopeo made: umoci takes no colon in a name."""
    source, copy = f"oci:{place}/store:{name}", f"oci:{to}/copy:image"
    subprocess.run(["skopeo", "copy", "--quiet", source, copy], check=True)
    rootless = ["--rootless"] if os.geteuid() else []
    image = ["--image", f"{to}/copy:image"]
    subprocess.run(["umoci", "unpack", *rootless, *image, str(to / "bundle")], check=True)
    return to / "bundle/rootfs"


@pytest.mark.parametrize(("name", "tree"), [("base:1", "base"), ("tools/sed:1", "more")])
def test_unpacked_by_another(place: Path, tmp_path: Path, name: str, tree: str) -> None:
    """What umoci makes of the layers is the tree that was committed, and runs."""
    unpacked = str(_unpack(place, name, tmp_path))
    assert "unchanged" in succeed("check", unpacked)
    assert succeed("diff", str(place / tree), unpacked, "--times") == ""
    succeed("run", unpacked, "--", "true")


def test_increment(place: Path) -> None:
    """The second image has the first one's layer, and in its own one only what is new."""
    store = ("--store", str(place / "store"))
    base = json.loads(succeed("inspect", "base:1", *store))
    more = json.loads(succeed("inspect", "tools/sed:1", *store))
    assert more["layers"][0] == base["layers"][0]
    assert len(more["layers"]) == 2
    assert more["layers"][1]["size"] < base["layers"][0]["size"] / 2
    history = json.loads(succeed("history", "tools/sed:1", *store, "--json"))["history"]
    assert [one["created_by"] for one in history] == ["rootgen commit"] * 2
    assert {one["created"] for one in history} == {"1970-01-01T00:00:00Z"}


def test_removed(place: Path, tmp_path: Path) -> None:
    """What a tree lacks is taken away; base and tree need not have been made together."""
    store = ("--store", str(place / "store"))
    line = ["commit", str(place / "base"), "-t", "less", "--base", "tools/sed:1", *store]
    assert " removed, a layer of " in succeed(*line)
    unpacked = _unpack(place, "less:latest", tmp_path)
    assert not (unpacked / "usr/bin/sed").exists()
    assert succeed("diff", str(place / "base"), str(unpacked)) == ""


def test_nothing_to_commit(place: Path) -> None:
    """A layer of nothing is not made, and the name stays free."""
    line = ["commit", "base", "-t", "same", "--base", "base:1", "--store", "store"]
    done = rootgen(*line, directory=place)
    assert (done.returncode, done.stderr.count("nothing to commit")) == (1, 1)
    assert "same" not in succeed("images", "--store", "store", directory=place)


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_compressions(place: Path, tmp_path: Path, how: str) -> None:
    """However it is compressed, the diff ID is the same; skopeo takes each."""
    store = str(tmp_path / "store")
    line = ["commit", str(place / "base"), "-t", "a", "--compress", how, "--store", store]
    first = json.loads(succeed(*line, "--json"))
    assert json.loads(succeed(*line, "--json"))["digest"] == first["digest"]
    base = json.loads(succeed("inspect", "base:1", "--store", str(place / "store")))
    assert first["diff_id"] == base["layers"][0]["diff_id"]
    copy = f"oci:{tmp_path}/copy:a"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{store}:a:latest", copy], check=True)


def test_epoch(place: Path, tmp_path: Path) -> None:
    """SOURCE_DATE_EPOCH is the time of the image."""
    line = ["commit", str(place / "base"), "-t", "a", "--store", str(tmp_path / "store")]
    assert rootgen(*line, env={"SOURCE_DATE_EPOCH": "86400"}).returncode == 0
    inspected = json.loads(succeed("inspect", "a", "--store", str(tmp_path / "store")))
    assert inspected["created"] == "1970-01-02T00:00:00Z"
    done = rootgen(*line, env={"SOURCE_DATE_EPOCH": "now"})
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["base"], 2, "what is the image called? -t NAME:TAG"),
        (["base", "-t", "A"], 2, "'A' is no name of an image"),
        (["nothing", "-t", "a"], 1, "cannot read the tree nothing"),
        (["base", "-t", "a", "--base", "bsae:1"], 1, "did you mean base:1?"),
        (["base", "-t", "a", "--store", "base"], 1, "base is not empty, and no image store"),
    ],
)
def test_refused(place: Path, arguments: list[str], status: int, message: str) -> None:
    """One message, and no image."""
    store = [] if "--store" in arguments else ["--store", "store"]
    done = rootgen("commit", *arguments, *store, directory=place)
    assert done.returncode == status
    assert message in done.stderr
    assert "a:latest" not in succeed("images", "--store", "store", directory=place)


def test_changed(tmp_path: Path) -> None:
    """What was changed in a tree since it was an image is a layer, whatever the change."""
    store = ("--store", str(tmp_path / "store"))
    tree = str(tmp_path / "tree")
    succeed("make", "bash", "true", "--out", tree)
    succeed("commit", tree, "-t", "a", *store)
    subprocess.run(["sh", "-c", CHANGES.format(tree=tree)], check=True)
    made = json.loads(succeed("commit", tree, "-t", "b", "--base", "a", *store, "--json"))
    assert (made["layers"], made["removed"]) == (2, 2)
    unpacked = _unpack(tmp_path, "b:latest", tmp_path)
    assert succeed("diff", tree, str(unpacked), "--times") == ""
    told = succeed("diff", tree, str(unpacked), "--json")
    assert json.loads(told)["same"] is True
    assert (unpacked / "etc/nsswitch.conf").is_dir()
    assert not (unpacked / "etc/hosts").exists()
    # It says what it lies over: onto another base it needs no --base.
    succeed("make", "bash", "true", "sed", "-t", "more", *store)
    succeed("rebase", "b", "--onto", "more", *store)
    shown = succeed(
        "run", *store, "b", "--", "bash", "-c", "sed s/a/b/ /etc/new; sed p -n /etc/link"
    )
    assert shown == "b\ngroup\n"


@pytest.mark.root
def test_everyone_makes_the_same() -> None:
    """Root's tree and an ordinary user's are one image, byte for byte, changed or not."""
    digests = []
    for who in ((), AS_USER):
        with tempfile.TemporaryDirectory() as top:
            os.chmod(top, 0o777)
            environment = {**os.environ, "HOME": top}
            for line in (
                [ROOTGEN, "make", "bash", "true", "--out", "tree"],
                [ROOTGEN, "commit", "tree", "-t", "a", "--store", "store", "--json"],
                ["sh", "-c", CHANGES.format(tree="tree")],
                [ROOTGEN, "commit", "tree", "-t", "b", "--base", "a", "--store", "store", "--json"],
            ):
                command = [*who, *line]
                done = subprocess.run(
                    command, cwd=top, env=environment, capture_output=True, check=True
                )
                if "--json" in line:
                    digests.append(json.loads(done.stdout)["digest"])
    assert digests[:2] == digests[2:]
