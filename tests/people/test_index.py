"""``rootgen index``: several images as one, as containerd and skopeo choose from it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.image.config import Config, config_bytes
from rootgen.image.descriptor import CONFIG, LAYER, MANIFEST
from rootgen.image.manifest import ImageManifest, manifest_bytes
from rootgen.image.platform import machine_platform, platform_words
from rootgen.image.store import Store
from tests.image.registry.real import registry
from tests.image.storing import layer_tar
from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path

_OWN = machine_platform(os.uname().machine)
_FOR = {"own": _OWN[1:], "arm": ("arm", "v7"), "riscv": ("riscv64", "")}


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Make a store with an image for each of three machines, and a second one for our own."""
    path = str(tmp_path / "store")
    with Store.open_or_make(path) as made, made.adding():
        for name, (architecture, variant) in (*_FOR.items(), ("again", _FOR["own"])):
            layer = made.write(LAYER, layer_tar({"for": name.encode()}))
            document = config_bytes(Config(architecture, variant, diff_ids=(layer.digest,)))
            manifest = ImageManifest(made.write(CONFIG, document), (layer,))
            made.tag(made.write(MANIFEST, manifest_bytes(manifest)), f"{name}:1")
    return path


def _digest(store: str, name: str) -> str:
    digest: str = json.loads(succeed("inspect", name, "--store", store))["digest"]
    return digest


def test_made(store: str) -> None:
    """Each platform leads to its image, in any order the same; this machine's is run and shown."""
    digests = set()
    for names in itertools.permutations([f"{one}:1" for one in _FOR]):
        told = json.loads(succeed("index", "all:1", *names, "--store", store, "--json"))
        digests.add(told["digest"])
    assert len(digests) == 1
    listed = {one["platform"]: one["digest"] for one in told["images"]}
    assert listed["linux/arm/v7"] == _digest(store, "arm:1")
    assert listed[platform_words(_OWN)] == _digest(store, "own:1") == _digest(store, "all:1")
    line = succeed("index", "all:2", "own:1", "arm:1", "--store", store)
    assert line.startswith("all:2: linux/")
    assert "linux/arm/v7" in line
    # An image for several brings all of its.
    again = json.loads(succeed("index", "all:3", "all:2", "riscv:1", "--store", store, "--json"))
    assert again["digest"] == told["digest"]
    succeed("rm", "own:1", "arm:1", "riscv:1", "again:1", "all:2", "all:3", "--store", store)
    succeed("gc", "--store", store)
    assert "nothing is damaged" in succeed("store", "verify", "--store", store)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("all:1", "own:1", "again:1"), 2, "again:1: another image for linux/"),
        (("all:1", "own:1", "none:1"), 1, "no image none:1"),
        (("all@sha256:" + "0" * 64, "own:1"), 2, "is given a tag, not a digest"),
        (("A:1", "own:1"), 2, "is no name of an image"),
        (("all:1",), 2, "IMAGE"),
    ],
)
def test_mistakes(store: str, words: tuple[str, ...], status: int, said: str) -> None:
    """What cannot be is one message, and nothing is named."""
    done = rootgen("index", *words, "--store", store)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert "all:1" not in succeed("images", "--store", store)


def test_pushed(store: str, tmp_path: Path) -> None:
    """Pushed whole, each machine is given its own: skopeo's choice is ours."""
    succeed("index", "all:1", *(f"{one}:1" for one in _FOR), "--store", store)
    with registry(tmp_path / "registry") as there:
        name = f"{there.host}/all:1"
        succeed("push", "all:1", name, "--plain-http", "--store", store)
        for one, (architecture, variant) in _FOR.items():
            choice = ["--override-os=linux", f"--override-arch={architecture}"]
            choice += [f"--override-variant={variant}"] if variant else []
            copy = f"oci:{tmp_path}/{one}:{one}"
            command = [
                "skopeo",
                *choice,
                "copy",
                "-q",
                "--preserve-digests",
                "--src-tls-verify=false",
            ]
            subprocess.run([*command, f"docker://{name}", copy], check=True)
            index = json.loads((tmp_path / one / "index.json").read_bytes())
            digest = _digest(store, f"{one}:1")
            assert index["manifests"][0]["digest"] == digest
            platform = f"linux/{architecture}" + (f"/{variant}" if variant else "")
            words = ("pull", name, "--platform", platform, "-t", f"back/{one}:1", "--plain-http")
            pulled = json.loads(succeed(*words, "--store", store, "--json"))
            assert pulled["digest"] == digest
