"""What a descriptor leads to, in a store."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.descriptor import INDEX, MANIFEST, oci_media_type
from rootgen.image.manifest import DEPTH, parse_index, parse_manifest
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.descriptor import Descriptor
    from rootgen.image.store import Store


def beneath(store: Store, descriptor: Descriptor) -> Iterator[Descriptor]:
    """Return all that ``descriptor`` leads to, then itself: what leads somewhere comes after it.

    Each digest comes once. Raises ImageError for a document that cannot be read.
    """
    return _beneath(store, descriptor, DEPTH, set())


def _beneath(
    store: Store, descriptor: Descriptor, depth: int, seen: set[str]
) -> Iterator[Descriptor]:
    # An index may name another many times, and that one a third: 256 ** 8 ways to a few blobs.
    if descriptor.digest in seen:
        return
    seen.add(descriptor.digest)
    kind = oci_media_type(descriptor.media_type)
    if kind == MANIFEST:
        manifest = parse_manifest(store.read(descriptor), descriptor.digest)
        for one in (*manifest.layers, manifest.config):
            if one.digest not in seen:
                seen.add(one.digest)
                yield one
    elif kind == INDEX:
        if depth == 0:
            raise ImageError(f"{descriptor.digest}: indexes within indexes, over {DEPTH} deep")
        for one in parse_index(store.read(descriptor), descriptor.digest).manifests:
            yield from _beneath(store, one, depth - 1, seen)
    yield descriptor
