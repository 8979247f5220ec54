"""``rootgen make --base``: increments over directories, tarballs and images."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.people.command import rootgen, succeed
from tests.people.versioned import library, program

if TYPE_CHECKING:
    from pathlib import Path

NOTED = "user.rootlesscontainers"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a base as a tree, a tarball and an image, and increments of sed over each."""
    top = tmp_path_factory.mktemp("base")
    succeed("make", "bash", "true", "--out", "base", directory=top)
    succeed("commit", "base", "-t", "base:1", "--store", "store", directory=top)
    succeed("pack", "base", "--to", "tar", "--compress", "zstd", "base.tar.zst", directory=top)
    succeed("make", "bash", "true", "sed", "--out", "whole", directory=top)
    # As a cloud image is: of root's, whoever made the tree.
    squash = ["mksquashfs", "base", "base.squashfs", "-all-root", "-no-progress", "-quiet"]
    subprocess.run(squash, cwd=top, check=True)
    return top


@pytest.mark.parametrize("base", ["base", "base.tar.zst", "base.squashfs", "base:1"])
def test_only_what_lacks(place: Path, tmp_path: Path, base: str) -> None:
    """The increment has sed and what it alone needs; over its base it is the whole."""
    line = ("make", "sed", "--base", base, "--store", "store", "--out", str(tmp_path / "inc"))
    said = json.loads(succeed(*line, "--json", directory=place))
    paths = {one["path"] for one in said["entries"] if one["kind"] != "directory"}
    assert "/usr/bin/sed" in paths
    assert not any("libc.so" in path or "ld-linux" in path for path in paths)
    assert "unchanged" in succeed("check", str(tmp_path / "inc"))
    commit = ("commit", str(tmp_path / "inc"), "-t", "sed:1", "--base", "base:1")
    succeed(*commit, "--store", "store", directory=place)
    unpacked = unpack(place / "store", "sed:1", tmp_path)
    assert succeed("diff", str(place / "whole"), str(unpacked)) == ""
    assert "complete" in succeed("check", str(unpacked))
    assert succeed("run", str(unpacked), "--", "sed", "--version").startswith("sed")


def unpack(store: Path, name: str, to: Path) -> Path:
    """Unpack an image by umoci, from a copy that skopeo made: umoci takes no colon in a name."""
    copy = f"{to}/copy:image"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{store}:{name}", f"oci:{copy}"], check=True)
    rootless = ["--rootless"] if os.geteuid() else []
    command = ["umoci", "unpack", *rootless, "--image", copy, str(to / "bundle")]
    subprocess.run(command, check=True)
    unpacked = to / "bundle/rootfs"
    if rootless:
        _forget_owners(unpacked)
    return unpacked


def _forget_owners(tree: Path) -> None:
    """Remove the attribute in which umoci notes owners that an ordinary user cannot give."""
    for directory, _, files in os.walk(tree):
        for path in (directory, *(os.path.join(directory, name) for name in files)):
            if NOTED in os.listxattr(path, follow_symlinks=False):
                os.removexattr(path, NOTED, follow_symlinks=False)


def test_image_at_once(place: Path, tmp_path: Path) -> None:
    """With -t the increment is an image; a base that is none yet is its first layer."""
    digests = set()
    for _ in range(2):
        store = ("--store", str(tmp_path / "store"))
        line = ("make", "sed", "--base", "base.tar.zst", "-t", "sed:1", *store, "--json")
        image = json.loads(succeed(*line, directory=place))["image"]
        digests.add(image["digest"])
    assert len(digests) == 1
    assert [one["reused"] for one in image["layers"]] == [True] * 3
    words = [one["created_by"] for one in image["layers"]]
    assert words == ["rootgen base", "rootgen make sed", "rootgen manifest"]
    unpacked = unpack(tmp_path / "store", "sed:1", tmp_path)
    assert succeed("diff", str(place / "whole"), str(unpacked)) == ""


def test_another_base(place: Path) -> None:
    """An increment is laid over its own base and no other."""
    inc = ("make", "sed", "--base", "base", "--out", "sed-alone", "--force")
    succeed(*inc, directory=place)
    alone = rootgen("commit", "sed-alone", "-t", "x", "--store", "store", directory=place)
    assert (alone.returncode, "needs the base" in alone.stderr) == (1, True)
    succeed("commit", "whole", "-t", "whole:1", "--store", "store", directory=place)
    line = ("commit", "sed-alone", "-t", "x", "--base", "whole:1", "--store", "store")
    other = rootgen(*line, directory=place)
    assert (other.returncode, "is not the base" in other.stderr) == (1, True)


class Case:
    """A root with ``app``, and a base with ``old``, of one library each in its own version."""

    def __init__(self, top: Path, *, mine: str, bases: str) -> None:
        self.top = top
        for name in ("root", "base"):
            succeed("make", "true", "--out", name, directory=top)
            (top / name / "var/lib/rootgen/manifest.json").unlink()
        library(top / "root" / LIBRARIES, mine)
        library(top / "base" / LIBRARIES, bases)

    def make(self) -> subprocess.CompletedProcess[str]:
        """Make the increment of ``app``."""
        line = ("make", "/usr/bin/app", "--sysroot", "root", "--base", "base", "--out", "inc")
        return rootgen(*line, "--force", "--json", directory=self.top)

    def brought(self) -> set[str]:
        """Return the names of the files that the increment brings."""
        done = self.make()
        assert done.returncode == 0, done.stderr
        entries = json.loads(done.stdout)["entries"]
        return {one["path"].rpartition("/")[2] for one in entries if one["kind"] == "file"}


def test_the_base_satisfies(tmp_path: Path) -> None:
    """A newer library of the base has the versions that are wanted: none is brought."""
    case = Case(tmp_path, mine="V_1", bases="V_1 V_2")
    program(tmp_path / "root/usr/bin/app", tmp_path / "root" / LIBRARIES, "V_1")
    assert case.brought() == {"app"}


def test_too_old(tmp_path: Path) -> None:
    """An older one is replaced, which is told, and the base's programs are proven with it."""
    case = Case(tmp_path, mine="V_1 V_2", bases="V_1")
    program(tmp_path / "root/usr/bin/app", tmp_path / "root" / LIBRARIES, "V_2")
    program(tmp_path / "base/usr/bin/old", tmp_path / "base" / LIBRARIES, "V_1")
    done = case.make()
    said = json.loads(done.stdout)["replaced"]
    assert [one["path"] for one in said] == [f"/{LIBRARIES}/libversioned.so.1"]
    assert "/usr/bin/app wants V_2 of libversioned.so.1" in said[0]["why"]
    assert case.brought() == {"app", "libversioned.so.1"}
    united = tmp_path / "united"
    for layer in ("base", "inc"):
        shutil.copytree(tmp_path / layer, united, symlinks=True, dirs_exist_ok=True)
    for name in ("app", "old"):
        assert rootgen("run", str(united), "--", name).returncode == 0


def test_replacing_would_break(tmp_path: Path) -> None:
    """What the base's own programs need is not taken from them: refused, with all chains."""
    case = Case(tmp_path, mine="V_2", bases="V_1")
    program(tmp_path / "root/usr/bin/app", tmp_path / "root" / LIBRARIES, "V_2")
    program(tmp_path / "base/usr/bin/old", tmp_path / "base" / LIBRARIES, "V_1")
    done = case.make()
    assert done.returncode == 1
    assert "would break the base" in done.stderr
    assert "/usr/bin/old wants V_1 of libversioned.so.1" in done.stderr
    assert "/usr/bin/app wants V_2 of libversioned.so.1" in done.stderr
    assert not (tmp_path / "inc").exists()


def test_symbols_without_versions(tmp_path: Path) -> None:
    """A library without versions is judged by the symbols that it has."""
    case = Case(tmp_path, mine="", bases="")
    library(tmp_path / "root" / LIBRARIES, "", functions="first second")
    program(tmp_path / "root/usr/bin/app", tmp_path / "root" / LIBRARIES, "", function="second")
    assert case.brought() == {"app", "libversioned.so.1"}


def test_whole_of_one_build(tmp_path: Path) -> None:
    """The C library of another build comes with its loader, and never without."""
    case = Case(tmp_path, mine="V_1", bases="V_1")
    program(tmp_path / "root/usr/bin/app", tmp_path / "root" / LIBRARIES, "V_1")
    # As another build of the same version is: what it defines is the same, and no byte else.
    libc = next((tmp_path / "base/usr/lib").rglob("libc.so.6"))
    data = libc.read_bytes().replace(b"GLIBC_2.34\0", b"GLIBC_9.99\0")
    libc.write_bytes(data)
    assert case.brought() == {"app", "libc.so.6"}
    # The loader of that build is another as well.
    loader = next((tmp_path / "base/usr/lib").rglob("ld-linux-x86-64.so.2"))
    loader.write_bytes(loader.read_bytes() + b"another build")
    assert case.brought() == {"app", "libc.so.6", "ld-linux-x86-64.so.2"}


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("nothing:1", "no image nothing:1"),
        ("./nothing", "no base ./nothing"),
        ("base/usr/bin/true", "base/usr/bin/true: "),
    ],
)
def test_no_base(place: Path, base: str, message: str) -> None:
    """What is no base is told in one message, and nothing is written."""
    line = ("make", "sed", "--base", base, "--store", "store", "--out", "none")
    done = rootgen(*line, directory=place)
    assert (done.returncode, done.stderr.count("rootgen:")) == (1, 1)
    assert message in done.stderr
    assert not (place / "none").exists()


def test_all_of_a_squashfs(place: Path, tmp_path: Path) -> None:
    """As an image's first layer it is what the tarball of the same tree is, top and all."""
    digests = set()
    for base in ("base.tar.zst", "base.squashfs"):
        store = ("--store", str(tmp_path / "store"))
        line = ("make", "sed", "--base", base, "-t", "sed:1", *store, "--json")
        digests.add(json.loads(succeed(*line, directory=place))["image"]["digest"])
    assert len(digests) == 1


@pytest.mark.parametrize("kept", [0, 3, 96, 4096, -4096])
def test_cut_squashfs(place: Path, tmp_path: Path, kept: int) -> None:
    """A squashfs that is cut short is told by what reads it; nothing is written."""
    cut = tmp_path / "cut.squashfs"
    data = (place / "base.squashfs").read_bytes()
    cut.write_bytes(b"hsqs" + data[4:kept])
    done = rootgen("make", "sed", "--base", str(cut), "--out", str(tmp_path / "none"))
    assert (done.returncode, done.stderr.count("rootgen:")) == (1, 1)
    assert f"sqfs2tar cannot read the squashfs {cut}" in done.stderr
    assert not (tmp_path / "none").exists()


def test_no_reader_of_squashfs(place: Path, tmp_path: Path) -> None:
    """Where the tool that reads it lacks, it is said which package has it."""
    line = ("make", "sed", "--base", "base.squashfs", "--out", str(tmp_path / "none"))
    done = rootgen(*line, directory=place, env={"PATH": "/nowhere"})
    assert (done.returncode, done.stderr.count("rootgen:")) == (1, 1)
    assert "install squashfs-tools-ng" in done.stderr
