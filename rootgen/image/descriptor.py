"""Descriptors: content named by its media type, digest and size (OCI image-spec, descriptor.md)."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.image.document import Document

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
# The media type of a layer, by how it is compressed (``image.compress.COMPRESSIONS``).
LAYER_TYPES = {"none": LAYER, "gzip": f"{LAYER}+gzip", "zstd": f"{LAYER}+zstd"}
# What docker calls the same (image-spec, media-types.md, "Compatibility Matrix").
DOCKER_TYPES = {
    "application/vnd.docker.distribution.manifest.list.v2+json": INDEX,
    "application/vnd.docker.distribution.manifest.v2+json": MANIFEST,
    "application/vnd.docker.container.image.v1+json": CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER}+gzip",
}
# What the reference of an image in an index is called (image-spec, annotations.md), and what
# containerd looks for.
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
_ALGORITHM = "sha256:"
_DIGITS = 64


class Platform(NamedTuple):
    """What a manifest is for, in Go's names: ``linux``, ``amd64``, ``v8``."""

    os: str = ""
    architecture: str = ""
    variant: str = ""


class Descriptor(NamedTuple):
    """What is known of a blob before it is read; ``size`` is in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: tuple[tuple[str, str], ...] = ()
    platform: Platform = Platform()
    artifact_type: str = ""

    def name(self) -> str:
        """Return what the index calls the image, or nothing."""
        return dict(self.annotations).get(REF_NAME, "")


def oci_media_type(media_type: str) -> str:
    """Return OCI's name for what docker has another one for; others as they are."""
    return DOCKER_TYPES.get(media_type, media_type)


def layer_compression(descriptor: Descriptor) -> str:
    """Return how a layer is compressed: ``none``, ``gzip`` or ``zstd``; raise ImageError."""
    media_type = oci_media_type(descriptor.media_type)
    for compression, one in LAYER_TYPES.items():
        if one == media_type:
            return compression
    raise ImageError(f"{descriptor.digest}: a layer of the type '{media_type[:100]}'")


def check_digest(digest: str, where: str) -> str:
    """Return ``digest`` where it is ``sha256:`` and 64 lower-case digits; raise ImageError.

    Other algorithms are registered (sha512), and no tool of note writes them.
    """
    digits = digest.removeprefix(_ALGORITHM)
    sound = digest.startswith(_ALGORITHM) and len(digits) == _DIGITS
    if not sound or not set(digits) <= set("0123456789abcdef"):
        raise ImageError(f"{where}: '{digest[:100]}' is not a sha256 digest")
    return digest


def parse_descriptor(document: Document) -> Descriptor:
    """Return the descriptor that a JSON object is; raise ImageError."""
    platform = document.inner("platform")
    return Descriptor(
        document.text("mediaType"),
        check_digest(document.text("digest"), document.where),
        document.size("size"),
        document.pairs("annotations"),
        Platform(
            platform.text("os", ""),
            platform.text("architecture", ""),
            platform.text("variant", ""),
        ),
        document.text("artifactType", ""),
    )


def descriptor_json(descriptor: Descriptor) -> dict[str, object]:
    """Return the JSON object of a descriptor."""
    written: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
    if descriptor.annotations:
        written["annotations"] = dict(descriptor.annotations)
    if descriptor.platform != Platform():
        pairs = zip(Platform._fields, descriptor.platform, strict=True)
        written["platform"] = {name: value for name, value in pairs if value}
    if descriptor.artifact_type:
        written["artifactType"] = descriptor.artifact_type
    return written
