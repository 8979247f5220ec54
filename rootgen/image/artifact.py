"""Artifacts that are about an image: a bill of materials, a provenance.

Each is a manifest with a ``subject`` (image-spec, manifest.md, "Guidelines
for Artifact Usage"), in a layout's index under no name, where it is found by
what it is about. A registry answers the same question with its referrers API,
or under a tag (distribution-spec, "Referrers Tag Schema").
"""

from __future__ import annotations

from rootgen.image.descriptor import MANIFEST, Descriptor, oci_media_type
from rootgen.image.manifest import ImageManifest, manifest_bytes, parse_manifest
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.image.store import Store

# What an artifact without a config has instead (manifest.md, "Guidance for an Empty Descriptor").
_EMPTY, _EMPTY_BYTES = "application/vnd.oci.empty.v1+json", b"{}"
_CREATED = "org.opencontainers.image.created"


class Attached(NamedTuple):
    """An artifact of a store: its manifest, and the digest of the one that it is about."""

    descriptor: Descriptor
    manifest: ImageManifest
    subject: str


def attach(
    store: Store, subject: Descriptor, media_type: str, data: bytes, created: str
) -> Descriptor:
    """Keep ``data`` in ``store`` as an artifact about ``subject``; within ``store.adding``.

    The same data about the same image is the same artifact. Raises ImageError.
    """
    config = store.write(_EMPTY, _EMPTY_BYTES)
    layer = store.write(media_type, data)
    about = Descriptor(oci_media_type(subject.media_type), subject.digest, subject.size)
    notes = ((_CREATED, created),)
    manifest = ImageManifest(config, (layer,), notes, media_type, about)
    return keep_artifact(store, store.write(MANIFEST, manifest_bytes(manifest)), manifest)


def keep_artifact(store: Store, written: Descriptor, manifest: ImageManifest) -> Descriptor:
    """Have the index have the artifact whose manifest is ``written``; within ``store.adding``."""
    kind = manifest.artifact_type or manifest.config.media_type
    descriptor = written._replace(artifact_type=kind, annotations=manifest.annotations)
    store.attach(descriptor)
    return descriptor


def is_attached(descriptor: Descriptor) -> bool:
    """Tell whether an index's descriptor is of an artifact under no name."""
    return bool(descriptor.artifact_type) and not descriptor.name()


def attached(store: Store) -> Iterator[Attached]:
    """Return the artifacts of a store that are about something; raise ImageError."""
    for one in store.index().manifests:
        if is_attached(one) and oci_media_type(one.media_type) == MANIFEST:
            manifest = parse_manifest(store.read(one), one.digest)
            if manifest.subject is not None:
                yield Attached(one, manifest, manifest.subject.digest)


def artifacts_about(store: Store, digests: Iterable[str]) -> Iterator[Attached]:
    """Return what is attached to any of ``digests``, and to that in turn; raise ImageError."""
    left, about = list(attached(store)), set(digests)
    while here := [one for one in left if one.subject in about]:
        yield from here
        left = [one for one in left if one.subject not in about]
        about = {one.descriptor.digest for one in here}


def referrers_tag(digest: str) -> str:
    """Return the tag of the list of what is about ``digest``, where there is no referrers API."""
    return digest.replace(":", "-", 1)
