"""What is about an image goes with it, and is found by it, in old registries and new ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import ImageError
from rootgen.image.artifact import artifacts_about, attach, referrers_tag
from rootgen.image.blob import digest_bytes
from rootgen.image.collect import collect
from rootgen.image.descriptor import INDEX, MANIFEST
from rootgen.image.manifest import parse_index, parse_manifest
from rootgen.image.store import Store
from tests.image.registry.hostile import Host, host
from tests.image.registry.places import give, intact, pulled, pushed
from tests.image.storing import add_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

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


def test_a_list_without_a_digest(there: Host, path: Path) -> None:
    """A registry that says no digests (they are no must) keeps what others have listed."""
    tag = pushed(there, path).digest.replace(":", "-")
    data = json.loads(there.manifests[tag][1])
    foreign = {"mediaType": MANIFEST, "digest": f"sha256:{'5' * 64}", "size": 5}
    data["manifests"] = [foreign]
    there.manifests[tag] = (INDEX, json.dumps(data).encode())

    def act(handler: Handler) -> None:
        kind, body = there.manifests[tag]
        handler.reply(200, body, Content_Type=kind)

    for method in ("GET", "HEAD"):
        there.always(method, f"/manifests/{tag}", act)
    pushed(there, path)
    index = parse_index(there.manifests[tag][1], "")
    assert [one.digest == foreign["digest"] for one in index.manifests] == [True, False]


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


def _about(path: Path, digest: str) -> list[tuple[str, str, str]]:
    """Return what a store has about an image: subject, digest and type."""
    with Store(str(path)) as store:
        found = artifacts_about(store, (digest,))
        return [(one.subject, one.descriptor.digest, one.descriptor.artifact_type) for one in found]


def test_pulled(there: Host, path: Path, tmp_path: Path) -> None:
    """What is about an image comes with it where that is asked for, and goes when it goes."""
    digest = pushed(there, path).digest
    before = len(there.asked("GET", "sha256-"))
    assert pulled(there, tmp_path / "plain").attached == 0
    assert len(there.asked("GET", "sha256-")) == before
    assert _about(tmp_path / "plain", digest) == []
    result = pulled(there, tmp_path / "other", attached=True)
    assert (result.attached, result.pulled) == (2, 5)
    assert _about(tmp_path / "other", digest) == _about(path, digest)
    assert intact(tmp_path / "other") == (result.name, "", "")
    again = pulled(there, tmp_path / "other", attached=True)
    assert (again.attached, again.pulled, again.size) == (2, 0, 0)
    with Store(str(tmp_path / "other")) as store:
        assert collect(store).blobs == 0
        store.untag((result.name,))
        collect(store)
        assert list(store.blobs()) == []


def _entry(there: Host, digest: str) -> dict[str, Any]:
    size = len(there.manifests[digest][1]) if digest in there.manifests else 7
    return {"mediaType": MANIFEST, "digest": digest, "size": size}


def test_pages(there: Host, path: Path, tmp_path: Path) -> None:
    """An answer of the referrers API in several pages is read to its end."""
    with Store(str(path)) as store, store.adding():
        image = store.find("a:1")
        assert image is not None
        attach(store, image, _OTHER, b"{3}", "2026-01-01T00:00:00Z")
    digest = pushed(there, path).digest
    about = [one for subject, one, _ in _about(path, digest) if subject == digest]

    def answer(handler: Handler) -> None:
        asked, _, page = handler.path.partition("?page=")
        rest = about[int(page or 0) :] if asked.endswith(digest) else []
        link = f'<{asked}?page={int(page or 0) + 1}>; rel="next"' if len(rest) > 1 else ""
        index = {"schemaVersion": 2, "manifests": [_entry(there, one) for one in rest[:1]]}
        handler.reply(200, json.dumps(index).encode(), Content_Type=INDEX, Link=link)

    there.always("GET", "/referrers/", answer)
    assert len(about) == 2
    assert pulled(there, tmp_path / "other", attached=True).attached == 2
    assert len(there.asked("GET", "page=1")) == 1


def test_lies(there: Host, path: Path, tmp_path: Path) -> None:
    """What is listed and is about something else, not there, or endless: no image is named."""
    digest = pushed(there, path).digest
    (_, first, _), (_, second, _) = _about(path, digest)
    other, tag = tmp_path / "other", referrers_tag(digest)

    def refused(said: str, *listed: str) -> None:
        index = {"schemaVersion": 2, "manifests": [_entry(there, one) for one in listed]}
        there.manifests[tag] = (INDEX, json.dumps(index).encode())
        with pytest.raises(ImageError, match=said):
            pulled(there, other, attached=True)
        assert intact(other) == ()

    refused("and is not", second)
    refused("and is not", digest)
    refused("no image", digest_bytes(b"nothing"))
    there.manifests[first] = (MANIFEST, there.manifests[first][1] + b" ")
    refused("has the digest|bytes, not", first)
    page = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    there.always(
        "GET",
        "/referrers/",
        lambda one: one.reply(200, page, Content_Type=INDEX, Link=f'<{one.path}>; rel="next"'),
    )
    refused("goes on for over 64 pages")


def test_too_many(there: Host, tmp_path: Path) -> None:
    """An image is not about so much."""
    made = give(there)
    size = len(there.blobs[made.config])
    config = {"mediaType": "x/y", "digest": made.config, "size": size}
    entries = []
    for number in range(257):
        about = {
            "schemaVersion": 2,
            "config": config,
            "layers": [],
            "subject": _entry(there, made.digest),
            "annotations": {"n": str(number)},
        }
        data = json.dumps(about).encode()
        there.manifests[digest_bytes(data)] = (MANIFEST, data)
        entries.append(_entry(there, digest_bytes(data)))
    index = {"schemaVersion": 2, "manifests": entries}
    there.manifests[referrers_tag(made.digest)] = (INDEX, json.dumps(index).encode())
    with pytest.raises(ImageError, match="over 256 documents"):
        pulled(there, tmp_path / "other", attached=True)
