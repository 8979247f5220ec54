"""``rootgen build`` of several roots: one image, of which each machine takes its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.people.command import rootgen, succeed
from tests.truth.architecture import ARCHITECTURES
from tests.truth.foreign import emulator, run_all, usual_root

if TYPE_CHECKING:
    from pathlib import Path

ARM64 = ARCHITECTURES["arm64"]
PROFILE = """
rootgen: 1
name: server
programs: [bash]
layers: [{name: tools, programs: [sed]}]
image: {entrypoint: [bash]}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build an image of the host's programs, and of arm64's."""
    top = tmp_path_factory.mktemp("platforms")
    (top / "server.yaml").write_text(PROFILE)
    build(top, "-t", "server:1")
    return top


def build(directory: Path, *options: str) -> list[dict[str, Any]]:
    """Build both in the store of ``directory``; return what is said of each."""
    roots = ("--sysroot", "/", "--sysroot", usual_root(ARM64))
    line = ("build", "-f", "server.yaml", *roots, "--store", "store", "--json", *options)
    images: list[dict[str, Any]] = json.loads(succeed(*line, directory=directory))["images"]
    return images


def test_index(place: Path) -> None:
    """What has the name is an index; each manifest says what it is for."""
    command = ["skopeo", "inspect", "--raw", f"oci:{place}/store:server:1"]
    done = subprocess.run(command, capture_output=True, check=True)
    index = json.loads(done.stdout)
    assert [one["platform"] for one in index["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
    ]
    again = build(place, "-t", "other:1")
    assert [one["digest"] for one in again] == [one["digest"] for one in index["manifests"]]
    assert {layer["reused"] for one in again for layer in one["layers"]} == {True}
    assert {one["platform"] for one in again} == {"linux/amd64", "linux/arm64/v8"}
    assert len({one["index"] for one in again}) == 1
    assert "nothing is damaged" in succeed("store", "verify", "--store", "store", directory=place)


def test_this_machine_takes_its_own(place: Path) -> None:
    """``run`` and ``inspect`` of the name are of this machine's."""
    line = ("run", "--store", "store", "server:1", "--", "sed", "--version")
    assert succeed(*line, directory=place).startswith("sed")
    said = json.loads(succeed("inspect", "server:1", "--store", "store", directory=place))
    assert said["architecture"] == "amd64"


def test_the_other_takes_its_own(place: Path, tmp_path: Path) -> None:
    """What skopeo takes for arm64 is that one's, and runs there."""
    copy = f"oci:{tmp_path}/copy:image"
    command = ["skopeo", "--override-arch", "arm64", "copy", "--quiet"]
    subprocess.run([*command, f"oci:{place}/store:server:1", copy], check=True)
    rootless = ["--rootless"] if os.geteuid() else []
    image = ["--image", f"{tmp_path}/copy:image"]
    subprocess.run(["umoci", "unpack", *rootless, *image, str(tmp_path / "bundle")], check=True)
    unpacked = tmp_path / "bundle/rootfs"
    shutil.copy(emulator(ARM64), unpacked / "qemu")
    [done] = run_all(str(unpacked), [["/bin/bash", "-c", "echo $HOSTTYPE"]])
    assert (done.output, done.errors) == ("aarch64\n", "")


def test_divided(place: Path) -> None:
    """Both are divided, each as it was before."""
    first = build(place, "-t", "divided:1", "--layers", "5")
    assert all(len(one["layers"]) <= 6 for one in first)
    again = build(place, "-t", "divided:2", "--layers", "5")
    assert [one["digest"] for one in again] == [one["digest"] for one in first]


def test_refused(place: Path) -> None:
    """One platform twice, or a base that is of one, is no image; nothing is named."""
    arm64 = usual_root(ARM64)
    for options, message in (
        (("--sysroot", arm64, "--sysroot", arm64), "would be for linux/arm64/v8 twice"),
        (("--sysroot", "/", "--sysroot", arm64, "--base", "server:1"), "a base is for one"),
    ):
        line = ("build", "-f", "server.yaml", "-t", "no:1", "--store", "store", *options)
        done = rootgen(*line, directory=place)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert "no:1" not in succeed("images", "--store", "store", directory=place)
