"""Images that we pack, as podman, containerd, umoci and skopeo take them: unpacked, run, unchanged.

The bundle as runc and crun run it is tests/api/test_bundle.py.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.api.pack import pack
from rootgen.api.packable import PackRequest
from rootgen.profile.model import ImageConfig
from rootgen.rootfs.scan import scan_tree
from tests.image.stacks import add_stack, busybox_layer, file, member
from tests.people.command import succeed
from tests.truth.engines import containerd, podman

if TYPE_CHECKING:
    from pathlib import Path

ROOT = os.geteuid() == 0
_NAME = "tools/probe:1"
_START = ImageConfig(
    entrypoint=("sh", "-c"), command=("cat /etc/motd; id -u; pwd; echo $X; ls /etc",),
    user="7", workdir="/etc", env=(("X", "y"), ("PATH", "/usr/bin")),
)  # fmt: skip
# What it prints: the upper layer's file, and nothing of what that removed.
_PRINTED = "hello\n7\n/etc\ny\n"


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Make a store with an image of two layers, of which the upper removes a file."""
    path = str(tmp_path / "store")
    upper = [member("etc"), file("etc/.wh.old"), file("etc/motd", b"hello\n", mode=0o644)]
    add_stack(path, _NAME, [busybox_layer(), upper], _START)
    return path


def _packed(store: str, to: str, out: Path) -> str:
    """Pack the image; return the digest of its manifest."""
    return pack(PackRequest(_NAME, to, str(out), store=store)).image


def _is_as_printed(text: str) -> None:
    assert text.startswith(_PRINTED), text
    assert "motd" in text
    assert "old" not in text


@pytest.mark.parametrize("to", ["oci", "docker"])
def test_podman(store: str, tmp_path: Path, to: str) -> None:
    """``podman load`` knows it by our name and our digest, and ``podman run`` starts it as it says.

    As root, and as an ordinary user.
    """
    digest = _packed(store, to, tmp_path / "image.tar")
    with podman() as engine:
        assert f"localhost/{_NAME}" in engine("load", "--input", str(tmp_path / "image.tar"))
        assert engine("inspect", "--format", "{{.Digest}}", _NAME).strip() == digest
        _is_as_printed(engine("run", "--rm", "--network", "none", _NAME))


@pytest.mark.root
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_containerd(store: str, tmp_path: Path, to: str) -> None:
    """``ctr image import`` and ``ctr run`` as well."""
    digest = _packed(store, to, tmp_path / "image.tar")
    with containerd() as ctr:
        ctr("image", "import", str(tmp_path / "image.tar"))
        assert f"{_NAME} " in ctr("image", "list")
        assert digest in ctr("image", "list")
        _is_as_printed(ctr("run", "--rm", _NAME, f"test-{os.getpid()}"))


@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_umoci(tmp_path: Path, compress: str) -> None:
    """``umoci unpack`` gives back the tree; its runtime's config starts what the image starts."""
    tree = tmp_path / "tree"
    (tmp_path / "p.yaml").write_text(
        "rootgen: 1\nname: p\nprograms: ['true']\nimage: {entrypoint: ['true'], workdir: /srv}\n"
    )
    succeed("make", "-f", str(tmp_path / "p.yaml"), "--out", str(tree))
    pack(PackRequest(str(tree), "oci", str(tmp_path / "layout"), compress, tag="probe:1"))
    rootless = () if ROOT else ("--rootless",)
    subprocess.run(
        ["umoci", "unpack", *rootless, "--image", f"{tmp_path}/layout:probe:1", tmp_path / "b"],
        check=True,
    )
    found = scan_tree(str(tmp_path / "b/rootfs"), trusting=False)
    expected = scan_tree(str(tree), trusting=False)
    assert list(found) == list(expected)
    for path, entry in found.items():
        assert entry[1:3] == expected[path][1:3]
        assert entry.sha256 == expected[path].sha256
    process = json.loads((tmp_path / "b/config.json").read_bytes())["process"]
    assert (process["args"], process["cwd"]) == (["true"], "/srv")


@pytest.mark.parametrize(
    ("to", "name", "transport"),
    [
        ("oci", "layout", "oci:{}:tools/probe:1"),
        ("oci", "i.tar", "oci-archive:{}"),
        ("docker", "d.tar", "docker-archive:{}"),
    ],
)
def test_skopeo(store: str, tmp_path: Path, to: str, name: str, transport: str) -> None:
    """``skopeo copy`` reads each form; from a layout it gives the same manifest on."""
    digest = _packed(store, to, tmp_path / name)
    source = transport.format(tmp_path / name)
    copy = f"dir:{tmp_path}/copy"
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", source, copy], check=True)
    manifest = tmp_path / "copy/manifest.json"
    layers = json.loads(manifest.read_bytes())["layers"]
    assert len(layers) == 2
    for one in layers:
        assert (tmp_path / "copy" / one["digest"].removeprefix("sha256:")).is_file()
    if to == "oci":
        done = subprocess.run(
            ["skopeo", "manifest-digest", manifest], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == digest
