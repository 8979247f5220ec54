"""From which repository a registry may take a blob itself: where it came from, or went before.

What is known of an image stands in the store's index, in an annotation of
containerd's: ``containerd.io/distribution.source.HOST`` is ``NAME,NAME``.
The layers' descriptors in a manifest may have it as well.
"""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.descriptor import MANIFEST, oci_media_type
from rootgen.image.manifest import parse_manifest
from rootgen.image.reference import is_name
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.image.descriptor import Descriptor
    from rootgen.image.registry.repository import Repository
    from rootgen.image.store import Store

_KEY = "containerd.io/distribution.source."
_NAMES = 16
# Each is asked in turn, before anything is sent.
_TRIED = 3


def with_source(descriptor: Descriptor, repository: Repository) -> Descriptor:
    """Return a descriptor that says that its image is in ``repository``."""
    key = f"{_KEY}{repository.host}"
    annotations = dict(descriptor.annotations)
    names = dict.fromkeys((repository.name, *annotations.get(key, "").split(",")))
    annotations[key] = ",".join([one for one in names if one][:_NAMES])
    return descriptor._replace(annotations=tuple(sorted(annotations.items())))


def find_sources(
    store: Store, wanted: frozenset[str], repository: Repository
) -> dict[str, tuple[str, ...]]:
    """Return names of other repositories at the same host that may have the blobs ``wanted``.

    Manifests of the store that cannot be read know nothing.
    """
    found: dict[str, dict[str, None]] = {}
    for one in store.index().manifests:
        if oci_media_type(one.media_type) != MANIFEST:
            continue
        try:
            manifest = parse_manifest(store.read(one), one.digest)
        except ImageError:
            continue
        names = _named(one, repository)
        for blob in (manifest.config, *manifest.layers):
            if blob.digest in wanted:
                known = found.setdefault(blob.digest, {})
                known.update(dict.fromkeys((*names, *_named(blob, repository))))
    return {digest: tuple(names)[:_TRIED] for digest, names in found.items() if names}


def _named(descriptor: Descriptor, repository: Repository) -> list[str]:
    written = dict(descriptor.annotations).get(f"{_KEY}{repository.host}", "")
    return [one for one in written.split(",")[:_NAMES] if is_name(one) and one != repository.name]
