"""``gc``: what no image of a store uses any more, of its blobs and of its unpacked layers."""

from __future__ import annotations

from rootgen.api.stacked import collect_unpacked, uses_of
from rootgen.image.collect import Collected, collect, reachable
from rootgen.image.config import parse_config
from rootgen.image.descriptor import CONFIG, oci_media_type
from rootgen.image.store import Store
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def collect_garbage(path: str) -> Collected:
    """Remove what neither a name nor a launch that goes on leads to.

    Raises ImageError where it is not clear what that is.
    """
    with Store(path) as store:
        collected = collect(store, [one.manifest for one in uses_of(store)])
        return collected._replace(unpacked=collect_unpacked(store, _diff_ids(store)))


def _diff_ids(store: Store) -> Iterator[tuple[str, ...]]:
    """Yield the diff IDs of each image that the store's names lead to; raise ImageError."""
    for one in reachable(store).values():
        if oci_media_type(one.media_type) == CONFIG:
            yield parse_config(store.read(one), one.digest).diff_ids
