"""What is about an image goes with it, and is found by it, in old registries and new ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import ImageError
from rootgen.image.artifact import attach
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import INDEX, MANIFEST
from rootgen.image.manifest import parse_index, parse_manifest
from rootgen.image.store import Store
from tests.image.registry.hostile import Host, host
from tests.image.registry.places import pushed
from tests.image.storing import add_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.image.registry.hostile import Handler

_KIND, _OTHER = "application/spdx+json", "application/vnd.cyclonedx+json"


@pytest.fixture
def there() -> Iterator[Host]:
    """Run a registry."""
    with host() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a store with an image, a document about it, and one about that."""
    with Store.open_or_make(str(tmp_path / "store")) as store:
        image = add_image(store, "a:1", {"x": b"1"})
        add_image(store, "other:1", {"x": b"2"})
        with store.adding():
            first = attach(store, image, _KIND, b"{1}", "2026-01-01T00:00:00Z")
            attach(store, first, _OTHER, b"{2}", "2026-01-01T00:00:00Z")
    return tmp_path / "store"


def _listed(there: Host, subject: str) -> list[str]:
    """Return the types of what a registry has listed under the tag of a digest."""
    kind, data = there.manifests[subject.replace(":", "-")]
    assert kind == INDEX
    index = parse_index(data, "")
    for one in index.manifests:
        manifest = parse_manifest(there.manifests[one.digest][1], "")
        assert manifest.subject is not None
        assert (manifest.subject.digest, manifest.artifact_type) == (subject, one.artifact_type)
        assert {blob.digest for blob in (manifest.config, *manifest.layers)} <= set(there.blobs)
    return [one.artifact_type for one in index.manifests]


def test_old_registry(there: Host, path: Path) -> None:
    """One that lists nothing has an index under the digest's tag; what is there is not sent."""
    result = pushed(there, path)
    assert (result.attached, result.pushed) == (2, 5)
    assert _listed(there, result.digest) == [_KIND]
    about = parse_index(there.manifests[result.digest.replace(":", "-")][1], "").manifests[0]
    assert _listed(there, about.digest) == [_OTHER]
    before = len(there.asked("PUT", "")), len(there.asked("POST", ""))
    again = pushed(there, path)
    assert (again.attached, again.pushed, again.size) == (2, 0, 0)
    assert (len(there.asked("PUT", "")), len(there.asked("POST", ""))) == before


def test_attached_later(there: Host, path: Path) -> None:
    """What is attached after the image was pushed goes alone, and what others listed stays."""
    digest = pushed(there, path).digest
    tag = digest.replace(":", "-")
    data = json.loads(there.manifests[tag][1])
    foreign = {"mediaType": MANIFEST, "digest": f"sha256:{'5' * 64}", "size": 5}
    data["manifests"].insert(0, foreign)
    there.manifests[tag] = (INDEX, json.dumps(data).encode())
    with Store(str(path)) as store, store.adding():
        image = store.find("a:1")
        assert image is not None
        attach(store, image, _OTHER, b"{3}", "2026-01-01T00:00:00Z")
    result = pushed(there, path)
    assert (result.attached, result.pushed) == (3, 1)
    index = parse_index(there.manifests[tag][1], "")
    assert index.manifests[0].digest == foreign["digest"]
    assert [one.artifact_type for one in index.manifests[1:]] == [_KIND, _OTHER]


def test_new_registry(there: Host, path: Path) -> None:
    """One that lists by itself gets no tags."""
    empty = b'{"schemaVersion":2,"manifests":[]}'
    there.always("GET", "referrers", lambda one: one.reply(200, empty, Content_Type=INDEX))
    result = pushed(there, path)
    assert result.attached == 2
    assert {one for one in there.manifests if not one.startswith("sha256:")} == {"1"}
    assert len(there.manifests) == 1 + 3


def test_page(there: Host, path: Path) -> None:
    """A page is no list of referrers."""
    there.always(
        "GET", "referrers", lambda one: one.reply(200, b"<html>", Content_Type="text/html")
    )
    assert _listed(there, pushed(there, path).digest) == [_KIND]


def test_refused(there: Host, path: Path) -> None:
    """A registry that takes the image and not what is about it: it is said, the image is there."""

    def act(handler: Handler) -> bool:
        if b'"subject"' not in (data := handler.body()):
            digest = digest_bytes(data)
            handler.host.manifests["1"] = (MANIFEST, data)
            handler.reply(201, Docker_Content_Digest=digest)
        else:
            handler.reply(400, b'{"errors":[{"code":"MANIFEST_INVALID"}]}')
        return False

    there.always("PUT", "/manifests/", act)
    with pytest.raises(ImageError, match="calls the request malformed"):
        pushed(there, path)
    assert set(there.manifests) == {"1"}


def test_no_index(there: Host, path: Path) -> None:
    """What stands under the tag and is no index is not overwritten."""
    digest = pushed(there, path).digest
    tag = digest.replace(":", "-")
    there.manifests[tag] = there.manifests["1"]
    with pytest.raises(ImageError, match="is no index"):
        pushed(there, path)
    assert there.manifests[tag] == there.manifests["1"]
