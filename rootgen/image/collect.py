"""What a store's names lead to: what may go, and what is damaged."""

from __future__ import annotations

from rootgen.errors import ImageError, LayerError
from rootgen.image.artifact import artifacts_about, attached
from rootgen.image.config import parse_config
from rootgen.image.descriptor import CONFIG, MANIFEST, oci_media_type
from rootgen.image.manifest import parse_manifest
from rootgen.image.reuse import forget_removed
from rootgen.image.stack import read_layer
from rootgen.image.walk import beneath
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from rootgen.image.descriptor import Descriptor
    from rootgen.image.store import Store


class Collected(NamedTuple):
    """What a collection removed: blobs, their bytes, what nobody finished, unpacked layers."""

    blobs: int
    size: int
    unfinished: int
    unpacked: int = 0


class Damage(NamedTuple):
    """A blob that the names lead to and that is not what it should be."""

    digest: str
    image: str
    why: str


def reachable(store: Store, used: Iterable[Descriptor] = ()) -> dict[str, Descriptor]:
    """Return every blob that the index leads to, or what else is ``used``, by digest.

    Raises ImageError where a manifest cannot be read: what it leads to is
    then not known, and nothing may be called garbage.
    """
    found: dict[str, Descriptor] = {}
    about = {one.descriptor.digest for one in attached(store)}
    for one in (*store.index().manifests, *used):
        if one.digest not in about:
            found |= {each.digest: each for each in beneath(store, one)}
    # An artifact stays as long as what it is about; that may be another one.
    for artifact in artifacts_about(store, tuple(found)):
        found |= {each.digest: each for each in beneath(store, artifact.descriptor)}
    return found


def collect(store: Store, launched: Iterable[Descriptor] = ()) -> Collected:
    """Remove every blob that no name leads to; wait for who is adding some. Raise ImageError.

    ``launched`` are manifests of images that launches use: theirs stay as well, so far as they
    are there.
    """
    with store.collecting():
        used = reachable(store, [one for one in launched if store.has(one)])
        store.forget(one.digest for one in store.index().manifests if one.digest not in used)
        removed = [(digest, size) for digest, size in store.blobs() if digest not in used]
        for digest, _ in removed:
            store.remove_blob(digest)
        forget_removed(store)
        unfinished = store.remove_unfinished()
    return Collected(len(removed), sum(size for _, size in removed), unfinished)


def damages(store: Store) -> Iterator[Damage]:
    """Read every blob that the index leads to, and tell those that are not what they should be."""
    seen: set[str] = set()
    for one in store.index().manifests:
        name = one.name() or one.digest
        try:
            descriptors = list(beneath(store, one))
        except ImageError as error:
            yield Damage(one.digest, name, error.what)
            continue
        for descriptor in descriptors:
            if descriptor.digest in seen:
                continue
            seen.add(descriptor.digest)
            try:
                with store.open_blob(descriptor) as blob:
                    blob.verify()
            except ImageError as error:
                yield Damage(descriptor.digest, name, error.what)


def untrue_layers(store: Store, damaged: Container[str]) -> Iterator[Damage]:
    """Unpack every layer, and tell those that are not what their image's config says.

    ``damaged`` are digests that ``damages`` has told of.
    """
    seen: set[tuple[str, str]] = set()
    for one in store.index().manifests:
        name = one.name() or one.digest
        if one.digest in damaged:
            continue
        for manifest in beneath(store, one):
            if oci_media_type(manifest.media_type) != MANIFEST or manifest.digest in damaged:
                continue
            try:
                layers = _layers(store, manifest, damaged)
            except ImageError as error:
                yield Damage(manifest.digest, name, error.what)
                continue
            for layer, diff_id in layers:
                if layer.digest in damaged or (layer.digest, diff_id) in seen:
                    continue
                seen.add((layer.digest, diff_id))
                try:
                    read_layer(store, layer, diff_id)
                except (ImageError, LayerError) as error:
                    yield Damage(layer.digest, name, "; ".join((error.what, *error.why)))


def _layers(
    store: Store, descriptor: Descriptor, damaged: Container[str]
) -> tuple[tuple[Descriptor, str], ...]:
    """Return the layers of an image, each with its diff ID; none of what is no image.

    Raises ImageError where their numbers differ, or the config is malformed.
    """
    manifest = parse_manifest(store.read(descriptor), descriptor.digest)
    if oci_media_type(manifest.config.media_type) != CONFIG or manifest.config.digest in damaged:
        return ()
    config = parse_config(store.read(manifest.config), manifest.config.digest)
    count = len(config.diff_ids)
    if count != len(manifest.layers):
        raise ImageError(f"{len(manifest.layers)} layers, and diff IDs of {count}")
    return tuple(zip(manifest.layers, config.diff_ids, strict=True))
