"""Image manifests and indexes (OCI image-spec, manifest.md and image-index.md)."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.descriptor import (
    CONFIG,
    INDEX,
    MANIFEST,
    Descriptor,
    descriptor_json,
    layer_compression,
    oci_media_type,
    parse_descriptor,
)
from rootgen.image.document import parse_document, render
from rootgen.named import NamedTuple

_SCHEMA = 2
# What a layout's file oci-layout holds (image-layout.md).
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
# Linux mounts so many lower directories; podman runs 127 layers and not 200.
LAYERS_LIMIT = 1024
_MANIFESTS_LIMIT = 65536
# Indexes within indexes that are followed: the specification sets no end to it.
DEPTH = 8


class ImageManifest(NamedTuple):
    """One image: its config, and its layers from the bottom.

    Another artifact (``artifact_type``) may be about a ``subject``: the
    manifest that it refers to.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: tuple[tuple[str, str], ...] = ()
    artifact_type: str = ""
    subject: Descriptor | None = None


class Index(NamedTuple):
    """Several manifests: of one image for several machines, or all that a layout has."""

    manifests: tuple[Descriptor, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


def parse_manifest(data: bytes, where: str) -> ImageManifest:
    """Return the manifest that ``data`` is, docker's form too; raise ImageError.

    It may be an artifact's, which has an image's form (image-spec,
    manifest.md, "Guidelines for Artifact Usage"); see ``check_image``.
    """
    document = parse_document(data, where)
    document.version("schemaVersion", _SCHEMA)
    if oci_media_type(document.text("mediaType", MANIFEST)) != MANIFEST:
        raise document.wrong(f"'{document.text('mediaType')[:100]}' is no image manifest")
    if "config" not in document:
        raise document.wrong("no 'config'")
    layers = tuple(parse_descriptor(one) for one in document.each("layers"))
    if len(layers) > LAYERS_LIMIT:
        raise document.wrong(f"{len(layers)} layers; at most {LAYERS_LIMIT} are read")
    config = parse_descriptor(document.inner("config"))
    subject = parse_descriptor(document.inner("subject")) if "subject" in document else None
    artifact_type = document.text("artifactType", "")
    return ImageManifest(config, layers, document.pairs("annotations"), artifact_type, subject)


def check_image(manifest: ImageManifest, where: str) -> ImageManifest:
    """Return a manifest that is an image's; raise ImageError where it is another artifact's."""
    if oci_media_type(manifest.config.media_type) != CONFIG:
        kind = manifest.config.media_type[:100]
        raise ImageError(f"{where}: its config is of the type '{kind}': it is no image")
    for one in manifest.layers:
        layer_compression(one)
    return manifest


def manifest_bytes(manifest: ImageManifest) -> bytes:
    """Write a manifest; equal ones give equal bytes."""
    document: dict[str, object] = {
        "schemaVersion": _SCHEMA,
        "mediaType": MANIFEST,
        "config": descriptor_json(manifest.config),
        "layers": [descriptor_json(one) for one in manifest.layers],
    }
    if manifest.annotations:
        document["annotations"] = dict(manifest.annotations)
    if manifest.artifact_type:
        document["artifactType"] = manifest.artifact_type
    if manifest.subject is not None:
        document["subject"] = descriptor_json(manifest.subject)
    return render(document)


def parse_index(data: bytes, where: str) -> Index:
    """Return the index that ``data`` is, docker's form too; raise ImageError."""
    document = parse_document(data, where)
    document.version("schemaVersion", _SCHEMA)
    if oci_media_type(document.text("mediaType", INDEX)) != INDEX:
        raise document.wrong(f"'{document.text('mediaType')[:100]}' is no index")
    manifests = tuple(parse_descriptor(one) for one in document.each("manifests"))
    if len(manifests) > _MANIFESTS_LIMIT:
        raise document.wrong(f"{len(manifests)} manifests; at most {_MANIFESTS_LIMIT} are read")
    return Index(manifests, document.pairs("annotations"))


def index_bytes(index: Index) -> bytes:
    """Write an index; equal ones give equal bytes."""
    document: dict[str, object] = {
        "schemaVersion": _SCHEMA,
        "mediaType": INDEX,
        "manifests": [descriptor_json(one) for one in index.manifests],
    }
    if index.annotations:
        document["annotations"] = dict(index.annotations)
    return render(document)
