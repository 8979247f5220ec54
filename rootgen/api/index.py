"""``index``: several images under one name, of which each machine takes its own."""

from __future__ import annotations

from rootgen.api.images import found_descriptor, open_for
from rootgen.errors import ImageError, UsageError
from rootgen.image.config import parse_config
from rootgen.image.descriptor import INDEX, Descriptor, Platform, oci_media_type
from rootgen.image.manifest import (
    Index,
    check_image,
    index_bytes,
    parse_index,
    parse_manifest,
)
from rootgen.image.platform import platform_words
from rootgen.image.reference import parse_reference
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.store import Store


class IndexRequest(NamedTuple):
    """``name`` is what the images ``images`` of a store are called together."""

    name: str
    images: tuple[str, ...]
    store: str


class IndexResult(NamedTuple):
    """The index, and what it leads to: platform (``linux/arm64/v8``) and digest of each."""

    name: str
    digest: str
    images: tuple[tuple[str, str], ...]


def index(request: IndexRequest) -> IndexResult:
    """Make one image of several, each for another machine; of an image for several, of all of its.

    In whichever order they are given, the bytes are the same. Raises
    UsageError where two are for one machine, ImageError.
    """
    reference = parse_reference(request.name)
    if reference.digest:
        raise UsageError(f"{request.name}: an image is given a tag, not a digest")
    found: dict[Platform, Descriptor] = {}
    with open_for(request.store, request.images[0]) as store, store.adding():
        for written in request.images:
            for one in _manifests(store, found_descriptor(store, written), written):
                if found.setdefault(one.platform, one).digest != one.digest:
                    words = platform_words(one.platform)
                    raise UsageError(f"{written}: another image for {words} is there already")
        manifests = tuple(found[one] for one in sorted(found))
        made = store.write(INDEX, index_bytes(Index(manifests)))
        store.tag(made, str(reference))
    listed = tuple((platform_words(one.platform), one.digest) for one in manifests)
    return IndexResult(str(reference), made.digest, listed)


def _manifests(store: Store, descriptor: Descriptor, name: str) -> Iterator[Descriptor]:
    """Give the manifests that one image has, each with the platform that its config says."""
    if oci_media_type(descriptor.media_type) == INDEX:
        for one in parse_index(store.read(descriptor), name).manifests:
            if oci_media_type(one.media_type) == INDEX:
                raise ImageError(f"{name} has indexes in its index: name its images one by one")
            yield from _manifests(store, one, name)
        return
    manifest = check_image(parse_manifest(store.read(descriptor), name), name)
    config = parse_config(store.read(manifest.config), name)
    platform = Platform(config.os, config.architecture, config.variant)
    yield Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, platform=platform)
