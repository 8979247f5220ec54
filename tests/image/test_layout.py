"""Images written as layouts and archives: valid by the specification's schemas, blobs verified."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from rootgen.api.pack import pack
from rootgen.api.packable import PackRequest
from rootgen.errors import ImageError, PlanError, RootgenError
from rootgen.image.store import Store
from tests.image.storing import add_image
from tests.image.validity import layout_mistakes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store with one image; return where it is."""
    with Store.open_or_make(str(tmp_path / "store")) as store:
        add_image(store, "base:1", {"x": b"1" * 5000})
    return tmp_path / "store"


def tree_at(place: Path) -> Path:
    """Make a directory that no manifest describes."""
    (place / "tree/etc").mkdir(parents=True)
    (place / "tree/etc/motd").write_text("hello\n")
    return place / "tree"


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
def test_valid_of_a_tree(tmp_path: Path, compress: str) -> None:
    """The layout of a tree has what its index names and nothing else, and fits the schemas."""
    out = str(tmp_path / "layout")
    result = pack(PackRequest(str(tree_at(tmp_path)), "oci", out, compress, tag="a/b:1", epoch=7))
    assert layout_mistakes(tmp_path / "layout") == []
    index = json.loads((tmp_path / "layout/index.json").read_bytes())
    (one,) = index["manifests"]
    assert one["digest"] == result.image
    assert one["annotations"]["org.opencontainers.image.ref.name"] == "a/b:1"


def test_valid_of_an_image(store: Path, tmp_path: Path) -> None:
    """The layout of an image of a store is as valid, and has its very digest."""
    result = pack(PackRequest("base:1", "oci", str(tmp_path / "layout"), store=str(store)))
    assert layout_mistakes(tmp_path / "layout") == []
    with Store(str(store)) as opened:
        found = opened.find("base:1")
    assert found is not None
    assert result.image == found.digest


def test_schemas_judge(store: Path, tmp_path: Path) -> None:
    """What is wrong is seen: the schemas are really asked, also those that others refer to."""
    pack(PackRequest("base:1", "oci", str(tmp_path / "layout"), store=str(store)))
    index = json.loads((tmp_path / "layout/index.json").read_bytes())
    index["manifests"][0]["digest"] = "sha256 without a colon"
    index["schemaVersion"] = 1
    (tmp_path / "layout/index.json").write_text(json.dumps(index))
    with pytest.raises(FileNotFoundError):
        layout_mistakes(tmp_path / "layout")
    index["manifests"] = []
    (tmp_path / "layout/index.json").write_text(json.dumps(index | {"mediaType": "no type"}))
    told = layout_mistakes(tmp_path / "layout")
    assert any("$.schemaVersion" in one for one in told)
    assert any("$.mediaType" in one for one in told)


def test_archive_is_the_layout(store: Path, tmp_path: Path) -> None:
    """The archive has the same files; docker's has one more, which names the blobs that it has."""
    where = str(store)
    pack(PackRequest("base:1", "oci", str(tmp_path / "layout"), store=where))
    for to, more in (("oci", set()), ("docker", {"manifest.json"})):
        pack(PackRequest("base:1", to, str(tmp_path / f"{to}.tar"), store=where))
        with tarfile.open(tmp_path / f"{to}.tar") as opened:
            names = {one.name for one in opened if one.isfile()}
        (tmp_path / to).mkdir()
        subprocess.run(["tar", "-xf", f"{to}.tar", "-C", to], cwd=tmp_path, check=True)
        assert {name for name in names if not (tmp_path / "layout" / name).exists()} == more
        for name in names - more:
            assert (tmp_path / to / name).read_bytes() == (tmp_path / "layout" / name).read_bytes()
    (named,) = json.loads((tmp_path / "docker/manifest.json").read_bytes())
    assert named["RepoTags"] == ["base:1"]
    for name in (named["Config"], *named["Layers"]):
        assert (tmp_path / "docker" / name).is_file()


@pytest.mark.parametrize("to", ["oci", "docker", "tar", "cpio"])
def test_damaged(store: Path, tmp_path: Path, to: str) -> None:
    """A blob that is not what its digest says is told, and nothing is left of the output."""
    largest = max((store / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[1000] ^= 1
    largest.write_bytes(data)
    before = os.listdir(tmp_path)
    with pytest.raises(ImageError, match=largest.name):
        pack(PackRequest("base:1", to, str(tmp_path / "out"), store=str(store)))
    assert os.listdir(tmp_path) == before


def test_no_whiteout(tmp_path: Path) -> None:
    """A name that would remove another where the image is unpacked is refused."""
    (tree_at(tmp_path) / "etc/.wh.motd").touch()
    with pytest.raises(PlanError, match=r"/etc/\.wh\.motd cannot be in a layer"):
        pack(PackRequest(str(tmp_path / "tree"), "oci", str(tmp_path / "layout")))
    assert not (tmp_path / "layout").exists()


@pytest.mark.parametrize("out", ["tree", "tree/etc/layout", "tree/.."])
def test_not_over_what_is_read(tmp_path: Path, out: str) -> None:
    """The layout never replaces the tree that it is made of, nor is it written into it."""
    tree = tree_at(tmp_path)
    with pytest.raises(RootgenError):
        pack(PackRequest(str(tree), "oci", str(tmp_path / out), force=True))
    assert (tree / "etc/motd").read_text() == "hello\n"
    assert os.listdir(tree / "etc") == ["motd"]


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """No link of a hostile tree is followed: not to a file outside, not for the manifest."""
    tree = tree_at(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (tree / "etc/shadow").symlink_to(tmp_path / "secret")
    (tree / "lib").symlink_to(tmp_path)
    (tree / "var/lib").mkdir(parents=True)
    (tree / "var/lib/rootgen").symlink_to(tmp_path)
    (tmp_path / "manifest.json").write_text("not JSON")
    pack(PackRequest(str(tree), "docker", str(tmp_path / "i.tar"), "none"))
    assert b"secret" not in (tmp_path / "i.tar").read_bytes().replace(b"/secret", b"")
