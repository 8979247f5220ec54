"""The store: whole or not at all, shared by processes, nothing in use lost."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.api.images import verify_store
from rootgen.errors import ImageError
from rootgen.image.addition import Stored
from rootgen.image.blob import digest_bytes
from rootgen.image.collect import Collected, collect, damages, reachable
from rootgen.image.config import Config, config_bytes
from rootgen.image.descriptor import CONFIG, LAYER, MANIFEST, Descriptor
from rootgen.image.manifest import ImageManifest, check_image, manifest_bytes, parse_manifest
from rootgen.image.reuse import recall, remember
from rootgen.image.store import Store
from tests.image.storing import add_image, layer_tar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = f"sha256:{'2' * 64}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Make an empty store."""
    with Store.open_or_make(str(tmp_path / "store")) as made:
        yield made


def test_image(store: Store) -> None:
    """An image is found by its name, and read back."""
    assert store.find("a:1") is None
    descriptor = add_image(store, "a:1", {"x": b"1"})
    found = store.find("a:1")
    assert found is not None
    assert found[:3] == descriptor[:3]
    manifest = check_image(parse_manifest(store.read(found), "a"), "a")
    with store.open_blob(manifest.layers[0]) as blob:
        data = blob.read()
        blob.verify()
    assert data == layer_tar({"x": b"1"})


def test_names(store: Store) -> None:
    """A name is one image's; an image may have several."""
    add_image(store, "a:1", {"x": b"1"})
    other = add_image(store, "a:1", {"x": b"2"})
    add_image(store, "b:1", {"x": b"2"})
    assert [one.name() for one in store.index().manifests] == ["a:1", "b:1"]
    assert {one.digest for one in store.index().manifests} == {other.digest}
    store.untag(["a:1", "never"])
    assert [one.name() for one in store.index().manifests] == ["b:1"]


def test_collection(store: Store) -> None:
    """What no name leads to goes; what one leads to stays."""
    add_image(store, "a:1", {"x": b"1"})
    add_image(store, "b:1", {"x": b"2"})
    before = dict(store.blobs())
    assert collect(store) == Collected(0, 0, 0)
    store.untag(["a:1"])
    collected = collect(store)
    assert collected.blobs == 3
    left = dict(store.blobs())
    assert collected.size == sum(before.values()) - sum(left.values())
    assert left.keys() == reachable(store).keys()


def test_nothing_is_written_by_who_gives_up(store: Store) -> None:
    """A blob that is not committed leaves nothing."""

    def give_up() -> None:
        with store.write_blob() as blob:
            blob.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert list(store.blobs()) == []
    assert os.listdir(f"{store.path}/ingest") == []


def test_what_came_is_not_what_was_promised(store: Store) -> None:
    """A blob whose digest is another's is not kept."""
    expected = Descriptor(LAYER, f"sha256:{'0' * 64}", 4)

    def keep() -> None:
        with store.write_blob() as blob:
            blob.write(b"lies")
            blob.commit(LAYER, expected)

    with pytest.raises(ImageError, match=r"what came for sha256:0.* \(4 bytes\) has 4 bytes and"):
        keep()
    assert list(store.blobs()) == []
    assert os.listdir(f"{store.path}/ingest") == []


def _damage(store: Store, digest: str, data: bytes) -> None:
    with open(f"{store.path}/blobs/sha256/{digest.removeprefix('sha256:')}", "wb") as file:
        file.write(data)


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (lambda data: data[:-1], "bytes, not "),
        (lambda data: data + b"x", "it is longer than "),
        (lambda data: b"X" + data[1:], "its bytes have the digest sha256:"),
    ],
    ids=["short", "long", "changed"],
)
def test_damage(store: Store, damaged: object, message: str) -> None:
    """A blob that is not what its name says is found out when it is read, and by ``damages``."""
    add_image(store, "a:1", {"x": b"1"})
    assert list(damages(store)) == []
    assert callable(damaged)
    layer = next(one for one in reachable(store).values() if one.media_type == LAYER)
    _damage(store, layer.digest, damaged(layer_tar({"x": b"1"})))
    with store.open_blob(layer) as blob, pytest.raises(ImageError, match=message):
        blob.verify()
    (found,) = damages(store)
    assert (found.digest, found.image) == (layer.digest, "a:1")
    assert message in found.why


def _add(store: Store, layers: list[bytes], diff_ids: list[bytes], name: str) -> None:
    """Add an image of ``layers``, whose config says of them ``diff_ids``, whatever that is."""
    with store.adding():
        written = tuple(store.write(f"{LAYER}+gzip", gzip.compress(one)) for one in layers)
        config = Config("amd64", diff_ids=tuple(map(digest_bytes, diff_ids)))
        manifest = ImageManifest(store.write(CONFIG, config_bytes(config)), written)
        store.tag(store.write(MANIFEST, manifest_bytes(manifest)), name)


def test_layers_are_what_the_config_says(store: Store) -> None:
    """Blobs that are whole, in an image that no engine unpacks, are damage as well."""
    one, other, malformed = layer_tar({"x": b"1"}), layer_tar({"x": b"2"}), b"no archive" * 100
    _add(store, [one, other], [one, other], "sound:1")
    assert list(verify_store(store.path)) == []
    _add(store, [one, other], [other, one], "swapped:1")
    found = list(verify_store(store.path))
    assert [damage.image for damage in found] == ["swapped:1"] * 2
    assert f"its diff ID is {digest_bytes(one)}" in found[0].why
    store.untag(["swapped:1"])
    _add(store, [one, other], [one], "fewer:1")
    _add(store, [malformed], [malformed], "malformed:1")
    found = list(verify_store(store.path))
    assert [damage.image for damage in found] == ["fewer:1", "malformed:1"]
    assert found[0].why == "2 layers, and diff IDs of 1"


def test_verifying_keeps_collections_away(store: Store) -> None:
    """What is removed while the store is verified goes when that is done, and is not told."""
    add_image(store, "a:1", {"x": b"1"})
    code = (
        "import sys; from rootgen.api.garbage import *; print(collect_garbage(sys.argv[1]).blobs)"
    )
    collecting: list[subprocess.Popen[str]] = []

    def removing(*_: object) -> Iterator[object]:
        store.untag(["a:1"])
        command = [sys.executable, "-c", code, store.path]
        collecting.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        with pytest.raises(subprocess.TimeoutExpired):
            collecting[0].wait(1)
        yield from damages(store)

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr("rootgen.image.collect.damages", removing)
        assert verify_store(store.path) == ()
    assert collecting[0].communicate(timeout=60)[0] == "3\n"


def test_damaged_manifest_stops_a_collection(store: Store) -> None:
    """Where it is not known what a name leads to, nothing is called garbage."""
    manifest = add_image(store, "a:1", {"x": b"1"})
    with store.adding():
        store.write(LAYER, b"garbage")
    _damage(store, manifest.digest, b"{}")
    before = list(store.blobs())
    with pytest.raises(ImageError, match="blob sha256:"):
        collect(store)
    assert list(store.blobs()) == before
    assert [one.digest for one in damages(store)] == [manifest.digest]


def test_a_link_is_no_blob(store: Store, tmp_path: Path) -> None:
    """A link among the blobs leads nowhere."""
    (tmp_path / "secret").write_bytes(b"secret")
    os.symlink(tmp_path / "secret", f"{store.path}/blobs/sha256/{'0' * 64}")
    descriptor = Descriptor(LAYER, f"sha256:{'0' * 64}", 6)
    assert not store.has(descriptor)
    with pytest.raises(ImageError, match="no blob sha256:0"):
        store.open_blob(descriptor)


def test_other_directories(tmp_path: Path) -> None:
    """What is no store is neither read as one nor made one."""
    (tmp_path / "file").write_text("x")
    for make in (Store, Store.open_or_make):
        with pytest.raises(ImageError, match="no image store"):
            make(str(tmp_path))
    with pytest.raises(ImageError, match="cannot open the store"):
        Store(str(tmp_path / "nothing"))
    assert os.listdir(tmp_path) == ["file"]


def test_index_of_another(store: Store) -> None:
    """A malformed index is told, and left as it is."""
    for text in ("", "[]", '{"schemaVersion":2,"manifests":[{}]}'):
        with open(f"{store.path}/index.json", "w") as file:
            file.write(text)
        with pytest.raises(ImageError, match=r"index\.json"):
            add_image(store, "a:1", {"x": b"1"})
        with open(f"{store.path}/index.json") as file:
            assert file.read() == text


_WORKER = """
import sys
from rootgen.image.collect import collect
from rootgen.image.store import Store
from tests.image.storing import add_image
with Store.open_or_make(sys.argv[1]) as store:
    number = 0
    while True:
        number += 1
        if sys.argv[2] == "collect":
            collect(store)
        else:
            name = f"{sys.argv[2]}:{number % 5}"
            add_image(store, name, {"x": f"{sys.argv[2]} {number}".encode() * 1000})
            if number % 3 == 0:
                store.untag([name])
        print(number, flush=True)
"""


def _start(path: str, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _WORKER, path, name], stdout=subprocess.PIPE)


def test_many_at_once(tmp_path: Path) -> None:
    """Four who add and two who collect, killed at any moment: every name leads to whole blobs."""
    path = str(tmp_path / "store")
    rounds = 0
    for _ in range(6):
        names = ["a", "b", "c", "d", "collect", "collect"]
        workers = [_start(path, name) for name in names]
        try:
            for one in workers:
                assert one.stdout is not None
                assert one.stdout.readline()
            time.sleep(0.5)
            assert [one.poll() for one in workers] == [None] * 6
        finally:
            for one in workers:
                one.send_signal(signal.SIGKILL)
                output, _ = one.communicate()
                rounds += output.count(b"\n")
        with Store(path) as store:
            assert list(damages(store)) == []
            assert len(reachable(store)) >= 3
            assert len({one.name() for one in store.index().manifests}) == len(
                store.index().manifests
            )
    assert rounds > 50
    with Store(path) as store:
        collect(store)
        assert {digest for digest, _ in store.blobs()} == reachable(store).keys()
        assert os.listdir(f"{path}/ingest") == []


def test_umoci_and_skopeo_read_it(store: Store, tmp_path: Path) -> None:
    """Other tools find an image in the layout by its name, and unpack it."""
    add_image(store, "a:1", {"etc/x": b"1"})
    copied = f"oci:{tmp_path}/copy:a"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{store.path}:a:1", copied], check=True)
    with open(tmp_path / "copy/index.json") as file:
        assert len(json.load(file)["manifests"]) == 1
    rootless = ["--rootless"] if os.geteuid() else []
    command = ["umoci", "raw", "unpack", *rootless, "--image", f"{tmp_path}/copy:a"]
    subprocess.run([*command, str(tmp_path / "tree")], check=True)
    assert (tmp_path / "tree/etc/x").read_bytes() == b"1"


def test_notes_of_what_was_packed(store: Store, tmp_path: Path) -> None:
    """A note leads to its layer as long as that is there; a broken one, or a link, to none."""
    with store.adding():
        layer = Stored(store.write(LAYER, b"layer"), f"sha256:{'1' * 64}")
        remember(store, KEY, layer)
    assert recall(store, KEY) == layer
    assert recall(store, f"sha256:{'3' * 64}") is None
    note = tmp_path / "store/packed" / KEY.removeprefix("sha256:")
    whole = note.read_bytes()
    for broken in (b"", whole[:20], b"{}", b"[]", whole.replace(b"sha256:", b"md5:")):
        note.write_bytes(broken)
        assert recall(store, KEY) is None
    (tmp_path / "elsewhere").write_bytes(whole)
    note.unlink()
    note.symlink_to(tmp_path / "elsewhere")
    assert recall(store, KEY) is None
    with store.adding():
        remember(store, KEY, layer)
    assert (recall(store, KEY), note.is_symlink()) == (layer, False)
    collect(store)
    assert (recall(store, KEY), note.exists()) == (None, False)
