"""``rootgen build``: a profile's layers as those of an image, which others' tools unpack."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.people.command import ROOTGEN, rootgen, succeed
from tests.people.test_base import unpack

AS_USER = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")
PROFILE = """
rootgen: 1
name: server
programs: [bash, "true"]
users: [{name: app, uid: 1000, home: /home/app, shell: /bin/bash}]
layers:
  - {name: tools, programs: [sed]}
  - name: app
    files: [{path: /srv/app/start, text: "#!/bin/bash\\necho started\\n", mode: "0755", owner: app}]
image: {entrypoint: [/srv/app/start], user: app, env: {LANG: C.UTF-8}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the profile in a store."""
    top = tmp_path_factory.mktemp("build")
    (top / "server.yaml").write_text(PROFILE)
    build(top, "-t", "server:1")
    return top


def build(directory: Path, *options: str, profile: str = "server.yaml") -> dict[str, object]:
    """Build in the store of ``directory``; return what is said of it, as ``layers`` by name."""
    line = ("build", "-f", profile, "--store", "store", *options, "--json")
    said = json.loads(succeed(*line, directory=directory))
    layers = {one["created_by"].removeprefix("rootgen "): one for one in said["layers"]}
    return {**said, "layers": layers}


def reused(said: dict[str, object]) -> dict[str, bool]:
    """Return of each layer whether it was there before."""
    layers = said["layers"]
    assert isinstance(layers, dict)
    return {name: one["reused"] for name, one in layers.items()}


def test_a_layer_each(place: Path, tmp_path: Path) -> None:
    """Each step is a layer with its history; together they are what ``make`` writes."""
    said = json.loads(succeed("history", "server:1", "--store", "store", "--json", directory=place))
    words = [one["created_by"].removeprefix("rootgen ") for one in said["history"]]
    assert words == ["manifest", "build: app", "build: tools", "build: server"]
    succeed("make", "-f", "server.yaml", "--out", "whole", directory=place)
    unpacked = unpack(place / "store", "server:1", tmp_path)
    assert succeed("diff", str(place / "whole"), str(unpacked)) == ""
    assert "complete" in succeed("check", str(unpacked))


def test_image_section(place: Path) -> None:
    """How it is started is the profile's: in the config, and when it runs."""
    said = json.loads(succeed("inspect", "server:1", "--store", "store", directory=place))
    assert (said["entrypoint"], said["user"]) == (["/srv/app/start"], "app")
    assert said["env"] == {"LANG": "C.UTF-8"}
    assert succeed("run", "--store", "store", "server:1", directory=place) == "started\n"


def test_unchanged(tmp_path: Path) -> None:
    """What did not change is not packed again: its blobs are the same files, and it is soon."""
    (tmp_path / "large").write_bytes(os.urandom(16 << 20).hex().encode())
    more = "files: [{path: /srv/large, from: large}]\n"
    (tmp_path / "server.yaml").write_text(PROFILE.replace("layers:", f"{more}layers:"))
    times, blobs, said = [], [], []
    # Another name, so that no image leads to them.
    for name in ("server:1", "other:1"):
        started = time.monotonic()
        said.append(build(tmp_path, "-t", name))
        times.append(time.monotonic() - started)
        files = (tmp_path / "store/blobs/sha256").iterdir()
        blobs.append({path.name: path.stat().st_ino for path in files})
    assert [set(reused(one).values()) for one in said] == [{False}, {True}]
    assert said[0]["digest"] == said[1]["digest"]
    assert blobs[0] == blobs[1]
    assert times[1] < times[0] / 2


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ("echo started", "echo begun", {"build: app", "manifest"}),
        ("programs: [bash,", "programs: [cat, bash,", {"build: server", "manifest"}),
        ("{name: tools,", "{name: tools, libraries: [],", set()),
        ("uid: 1000", "uid: 1001", {"build: server", "build: app", "manifest"}),
    ],
)
def test_what_changed(place: Path, tmp_path: Path, before: str, after: str, new: set[str]) -> None:
    """A layer whose own content did not change is reused, whatever became of those beneath."""
    changed = tmp_path / "changed.yaml"
    changed.write_text(PROFILE.replace(before, after))
    said = reused(build(place, "-t", "changed:1", profile=str(changed)))
    assert {name for name, was in said.items() if not was} == new


def test_not_by_hearsay(place: Path, tmp_path: Path) -> None:
    """Layers of an image that came from elsewhere are none that were packed here."""
    subprocess.run(
        ["skopeo", "copy", "--quiet", f"oci:{place}/store:server:1", f"oci:{tmp_path}/store:x:1"],
        check=True,
    )
    (tmp_path / "server.yaml").write_text(PROFILE)
    said = build(tmp_path, "-t", "server:1")
    assert set(reused(said).values()) == {False}
    there = json.loads(succeed("inspect", "server:1", "--store", "store", directory=place))
    assert said["digest"] == there["digest"]


@pytest.mark.root
def test_two_users(place: Path) -> None:
    """The image is the same, whoever builds it, and when."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        here = Path(name)
        here.chmod(0o777)
        (here / "server.yaml").write_text(PROFILE)
        os.utime(here / "server.yaml", (1, 1))
        line = ["build", "-f", "server.yaml", "-t", "server:1", "--store", "store"]
        subprocess.run([*AS_USER, ROOTGEN, *line], cwd=here, check=True, capture_output=True)
        mine, theirs = (
            json.loads(succeed("inspect", "server:1", "--store", f"{top}/store"))
            for top in (place, here)
        )
        assert mine["digest"] == theirs["digest"]


@pytest.mark.parametrize("base", ["base:1", "base", "base.tar.zst"])
def test_base(place: Path, tmp_path: Path, base: str) -> None:
    """The layers go on where the base ends, and bring what it lacks."""
    if not (place / "base").exists():
        succeed("make", "bash", "true", "--out", "base", directory=place)
        succeed("commit", "base", "-t", "base:1", "--store", "store", directory=place)
        line = ("pack", "base", "--to", "tar", "--compress", "zstd", "base.tar.zst")
        succeed(*line, directory=place)
    said = build(place, "--base", base, "-t", "over:1")
    assert said["base_layers"] == 1
    layers = said["layers"]
    assert isinstance(layers, dict)
    # Of the first, the accounts and the home directory are new.
    assert layers["build: server"]["size"] < 4096
    unpacked = unpack(place / "store", "over:1", tmp_path)
    assert "complete" in succeed("check", str(unpacked))
    assert "app:x:1000:1000::/home/app:/bin/bash" in (unpacked / "etc/passwd").read_text()
    assert succeed("run", "--store", "store", "over:1", directory=place) == "started\n"


def test_several_profiles(place: Path) -> None:
    """With -f again, the layers of both, in order; one of the same name in its place."""
    second = """
rootgen: 1
name: second
layers:
  - {name: more, programs: [cat]}
  - {name: tools, programs: [sort]}
"""
    (place / "second.yaml").write_text(second)
    said = build(place, "-f", "second.yaml", "-t", "two:1")
    names = ["build: second", "build: tools", "build: app", "build: more", "manifest"]
    assert list(reused(said)) == names
    line = ("run", "--store", "store", "two:1", "--")
    assert succeed(*line, "cat", "/srv/app/start", directory=place).startswith("#!/bin/bash")
    assert succeed(*line, "sort", "/dev/null", directory=place) == ""
    assert rootgen(*line, "sed", "--version", directory=place).returncode == 127


def test_layer_with_users_of_its_own(tmp_path: Path) -> None:
    """An account that a layer has is in its passwd, and in those after it."""
    text = """
rootgen: 1
name: users
layers:
  - {name: base, programs: [cat]}
  - {name: one, users: [{name: one, uid: 1001}]}
  - {name: two, users: [{name: two, uid: 1002}], files: [{path: /a, text: x, owner: one}]}
"""
    (tmp_path / "users.yaml").write_text(text)
    build(tmp_path, "-t", "users:1", profile="users.yaml")
    line = ("run", "--store", "store", "users:1", "--", "cat", "/etc/passwd")
    names = [one.partition(":")[0] for one in succeed(*line, directory=tmp_path).splitlines()]
    assert names == ["root", "nobody", "one", "two"]


def test_garbage(tmp_path: Path) -> None:
    """A collection forgets what was packed; the next build packs it again, as the same."""
    (tmp_path / "server.yaml").write_text(PROFILE)
    first = build(tmp_path, "-t", "server:1")
    succeed("rm", "server:1", "--store", "store", directory=tmp_path)
    assert "damages" not in succeed("gc", "--store", "store", directory=tmp_path)
    assert os.listdir(tmp_path / "store/packed") == []
    again = build(tmp_path, "-t", "server:1")
    assert set(reused(again).values()) == {False}
    assert again["digest"] == first["digest"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers: [{name: a, program: [sed]}]", "3:20: unknown key 'program'; did you mean"),
        ("layers: [{name: a, programs: [sde]}]", "no such program: sde"),
        (
            "layers: [{name: a, files: [{path: /a, text: a, owner: who}]}]",
            "3:28: owner 'who' of /a is no user",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong with a layer is told with its place; no image is made."""
    (tmp_path / "p.yaml").write_text(f"rootgen: 1\nname: p\n{text}\n")
    done = rootgen("build", "-f", "p.yaml", "-t", "p:1", "--store", "store", directory=tmp_path)
    assert (done.returncode, done.stderr.count("rootgen:")) == (1, 1)
    assert message in done.stderr
    assert succeed("images", "--store", "store", directory=tmp_path).count("\n") <= 1


def test_usage(tmp_path: Path) -> None:
    """No name and no profile are wrong usage; a mistake in a name is told."""
    (tmp_path / "server.yaml").write_text(PROFILE)
    assert rootgen("build", "-f", "server.yaml", directory=tmp_path).returncode == 2
    assert rootgen("build", "-t", "x", directory=tmp_path).returncode == 2
    wrong = rootgen("build", "-f", "server.yaml", "-t", "A B", directory=tmp_path)
    assert wrong.returncode == 2
    assert os.listdir(tmp_path) == ["server.yaml"]
