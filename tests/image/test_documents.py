"""OCI documents: what is written is read, what is malformed is told with its place."""

from __future__ import annotations

import json

import pytest

from rootgen.errors import ImageError, UsageError
from rootgen.image.config import Config, History, config_bytes, go_platform, parse_config
from rootgen.image.descriptor import (
    CONFIG,
    LAYER,
    MANIFEST,
    Descriptor,
    Platform,
    layer_compression,
)
from rootgen.image.document import LIMIT, parse_document
from rootgen.image.manifest import (
    ImageManifest,
    Index,
    check_image,
    index_bytes,
    manifest_bytes,
    parse_index,
    parse_manifest,
)
from rootgen.image.reference import Reference, parse_reference
from rootgen.profile.model import ImageConfig

DIGEST = f"sha256:{'0' * 64}"
_LAYER = {"mediaType": LAYER, "digest": DIGEST, "size": 1}
_CONFIG = {"mediaType": CONFIG, "digest": DIGEST, "size": 1}


def test_round_trips() -> None:
    """Each document that we write is read as what it was."""
    layer = Descriptor(f"{LAYER}+zstd", DIGEST, 5, (("a", "b"),))
    manifest = ImageManifest(Descriptor(CONFIG, DIGEST, 7), (layer,), (("k", "v"),))
    assert parse_manifest(manifest_bytes(manifest), "x") == manifest
    platform = Platform("linux", "arm64", "v8")
    index = Index((Descriptor(MANIFEST, DIGEST, 9, (), platform, "a/b"),), (("k", "v"),))
    assert parse_index(index_bytes(index), "x") == index
    start = ImageConfig(("a",), ("b", "c"), "0:0", "/w", (("A", "b=c"), ("E", "")), (("l", "m"),))
    history = (History("make", "1970-01-01T00:00:00Z", "why"), History(empty=True))
    config = Config("amd64", "v2", "linux", "1970-01-01T00:00:00Z", start, (DIGEST,), history)
    assert parse_config(config_bytes(config), "x") == config


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "x: 'schemaVersion' is not 2"),
        ({"schemaVersion": 1}, "x: 'schemaVersion' is not 2"),
        ({"schemaVersion": 2, "mediaType": "text/html"}, "x: 'text/html' is no image manifest"),
        ({"schemaVersion": 2}, "x: no 'config'"),
        ({"schemaVersion": 2, "config": []}, "x: 'config' is not an object"),
        ({"schemaVersion": 2, "config": {}}, "x, config: no 'mediaType'"),
        (
            {"schemaVersion": 2, "config": {**_CONFIG, "size": -1}},
            "x, config: 'size' is not a size",
        ),
        ({"schemaVersion": 2, "config": {**_CONFIG, "size": True}}, "'size' is not a size"),
        ({"schemaVersion": 2, "config": {**_CONFIG, "size": 1 << 63}}, "'size' is not a size"),
        ({"schemaVersion": 2, "config": {**_CONFIG, "digest": "sha256:.."}}, "is not a sha256"),
        ({"schemaVersion": 2, "config": {**_CONFIG, "digest": "../../etc"}}, "is not a sha256"),
        ({"schemaVersion": 2, "config": _CONFIG, "layers": {}}, "x: 'layers' is not a list"),
        (
            {"schemaVersion": 2, "config": _CONFIG, "layers": [1]},
            "'layers' is not a list of objects",
        ),
        (
            {"schemaVersion": 2, "config": _CONFIG, "layers": [_LAYER, {**_LAYER, "digest": 1}]},
            "x, layers[1]: 'digest' is not a text",
        ),
        ({"schemaVersion": 2, "config": _CONFIG, "layers": [_LAYER] * 1025}, "1025 layers"),
        (
            {"schemaVersion": 2, "config": _CONFIG, "annotations": {"a": 1}},
            "x: 'annotations' is not an object of texts",
        ),
    ],
)
def test_malformed_manifest(document: object, message: str) -> None:
    """The message says where in the document it is, and what."""
    with pytest.raises(ImageError) as caught:
        parse_manifest(json.dumps(document).encode(), "x")
    assert message in caught.value.what


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff{}", "not JSON"),
        (b'{"a":1,"a":2}', "a member stands twice"),
        (b'{"a":NaN}', "NaN is no JSON"),
        (b'{"a":' + b"[" * 100_000, "not JSON"),
        (b'{"a":' + b"9" * 10_000 + b"}", "not JSON"),
        (b" " * (LIMIT + 1), "over 4 MiB"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else "",
)
def test_not_a_document(data: bytes, message: str) -> None:
    """Whatever a registry answers, it is told in one line."""
    with pytest.raises(ImageError, match=message):
        parse_document(data, "x")


def test_what_is_no_image() -> None:
    """An artifact's manifest is read, and is no image."""
    config = Descriptor("application/vnd.example", DIGEST, 1)
    manifest = parse_manifest(manifest_bytes(ImageManifest(config, ())), "x")
    with pytest.raises(ImageError, match=r"'application/vnd\.example': it is no image"):
        check_image(manifest, "x")
    odd = ImageManifest(Descriptor(CONFIG, DIGEST, 1), (Descriptor("text/plain", DIGEST, 1),))
    with pytest.raises(ImageError, match="a layer of the type 'text/plain'"):
        check_image(odd, "x")


def test_docker_names() -> None:
    """What docker wrote is read as what it means."""
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    layer = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    config = "application/vnd.docker.container.image.v1+json"
    document = {
        "schemaVersion": 2,
        "mediaType": docker,
        "config": {**_CONFIG, "mediaType": config},
        "layers": [{**_LAYER, "mediaType": layer}],
    }
    manifest = parse_manifest(json.dumps(document).encode(), "x")
    assert layer_compression(check_image(manifest, "x").layers[0]) == "gzip"


def test_platforms() -> None:
    """Uname's machines have Go's names; what Go does not know keeps its own."""
    assert go_platform("x86_64") == ("amd64", "")
    assert go_platform("aarch64") == ("arm64", "v8")
    assert go_platform("vax") == ("vax", "")


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("git", Reference("", "git", "latest")),
        ("tools/git:1.0", Reference("", "tools/git", "1.0")),
        ("localhost/git", Reference("localhost", "git", "latest")),
        ("127.0.0.1:5000/a/b:c", Reference("127.0.0.1:5000", "a/b", "c")),
        ("quay.io/a/b__c-d", Reference("quay.io", "a/b__c-d", "latest")),
        (f"git@{DIGEST}", Reference("", "git", "latest", DIGEST)),
    ],
)
def test_references(written: str, reference: Reference) -> None:
    """Names as docker reads them, but for its own registry as the default."""
    assert parse_reference(written) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Git",
        "a//b",
        "/a",
        "a/",
        "a:",
        "a:b:c",
        "a b",
        "../a",
        "a:..",
        ":a",
        "a" * 256,
        "a:" + "t" * 129,
    ],
)
def test_no_references(written: str) -> None:
    """What would be no name in a registry is none here."""
    with pytest.raises(UsageError, match="is no name of an image"):
        parse_reference(written)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha512:" + "0" * 128, "sha256:" + "A" * 64])
def test_no_digests(digest: str) -> None:
    """A digest that no blob can have is refused before anything is looked up."""
    with pytest.raises(ImageError, match="is not a sha256 digest"):
        parse_reference(f"git@{digest}")
