"""``push``: an image of the store to a registry, which is sent only what it has not."""

from __future__ import annotations

from functools import partial

from rootgen.api.images import found_descriptor, open_for
from rootgen.api.registry import Access, connected
from rootgen.errors import ImageError, UsageError
from rootgen.image.artifact import artifacts_about
from rootgen.image.descriptor import INDEX, MANIFEST, oci_media_type
from rootgen.image.manifest import parse_manifest
from rootgen.image.registry.documents import present_digest, put_document
from rootgen.image.registry.referrers import list_referrers
from rootgen.image.registry.repository import remote_reference
from rootgen.image.registry.source import find_sources, with_source
from rootgen.image.registry.transfers import Counter, side_by_side
from rootgen.image.registry.upload import MOUNTED, PUSHED, is_there, upload
from rootgen.image.walk import beneath
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rootgen.image.descriptor import Descriptor
    from rootgen.image.registry.client import Client
    from rootgen.image.store import Store
    from rootgen.named import Progress


_DOCUMENTS = frozenset((INDEX, MANIFEST))


class PushRequest(NamedTuple):
    """Which image of which store, to where: ``REGISTRY/NAME:TAG``."""

    image: str
    to: str
    store: str
    access: Access = Access()


class PushResult(NamedTuple):
    """What the registry has by now: ``digest`` is the manifest's, or the index's.

    Blobs are counted: ``pushed`` were sent, ``mounted`` taken by the registry
    from another repository, ``skipped`` were there. ``size`` is in bytes, of
    those that were sent. ``attached`` artifacts are there with the image.
    """

    name: str
    digest: str
    pushed: int = 0
    skipped: int = 0
    mounted: int = 0
    size: int = 0
    attached: int = 0


class _Parts(NamedTuple):
    """Documents, what they lead to before what leads there, and blobs."""

    documents: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]


def push(request: PushRequest, *, progress: Progress | None = None) -> PushResult:
    """Have a registry have an image: its blobs, then its manifests, then its name.

    ``progress`` is called with a phase, the bytes that are there and their
    total. Raises UsageError, ImageError; the name leads to the old image
    until the new one is whole. What is attached to the image goes after it.
    """
    repository, reference = remote_reference(request.to)
    if reference.digest:
        raise UsageError(f"a push gives a tag, not a digest: {reference.registry}/{reference.name}")
    with (
        open_for(request.store, request.image) as store,
        store.adding(),
        connected(repository, request.access, "pull,push") as client,
    ):
        image = found_descriptor(store, request.image)
        parts = _parts(store, (image,))
        result = PushResult(f"{repository}:{reference.tag}", image.digest)
        if present_digest(client, reference.tag) == image.digest:
            result = result._replace(skipped=len(parts.blobs))
        else:
            result = _send(client, store, parts.blobs, result, progress)
            for one in parts.documents[:-1]:
                put_document(client, one.digest, one, store.read(one))
            put_document(client, reference.tag, image, store.read(image))
        result = _send_attached(client, store, parts, result, progress)
        if with_source(image, repository) != image:
            store.annotate(image.name(), lambda one: with_source(one, repository))
    return result


def _parts(store: Store, tops: Iterable[Descriptor]) -> _Parts:
    found = {each.digest: each for one in tops for each in beneath(store, one)}.values()
    documents = tuple(one for one in found if oci_media_type(one.media_type) in _DOCUMENTS)
    for one in documents:
        if oci_media_type(one.media_type) == MANIFEST:
            for layer in parse_manifest(store.read(one), one.digest).layers:
                refuse_foreign(layer)
    blobs = tuple(one for one in found if oci_media_type(one.media_type) not in _DOCUMENTS)
    return _Parts(documents, blobs)


def refuse_foreign(layer: Descriptor) -> None:
    """Raise ImageError for a layer that may only be had from elsewhere (media-types.md)."""
    if "nondistributable" in layer.media_type or ".foreign." in layer.media_type:
        raise ImageError(
            f"layer {layer.digest} may not be distributed by registries ({layer.media_type[:100]})",
            why=("such layers are Windows' own, and are had from where their URLs say",),
        )


def _send_attached(
    client: Client, store: Store, parts: _Parts, result: PushResult, progress: Progress | None
) -> PushResult:
    """Send what is about the documents of ``parts``, and have it listed with them."""
    artifacts = tuple(artifacts_about(store, (one.digest for one in parts.documents)))
    manifests = tuple(one.descriptor for one in artifacts)
    lacking = [one for one in manifests if present_digest(client, one.digest) != one.digest]
    if lacking:
        own = _parts(store, lacking)
        result = _send(client, store, own.blobs, result, progress)
        for one in own.documents:
            put_document(client, one.digest, one, store.read(one))
    for subject in dict.fromkeys(one.subject for one in artifacts):
        about = [one.descriptor for one in artifacts if one.subject == subject]
        list_referrers(client, subject, about)
    return result._replace(attached=len(artifacts))


def _send(
    client: Client,
    store: Store,
    blobs: Sequence[Descriptor],
    result: PushResult,
    progress: Progress | None,
) -> PushResult:
    """Have the registry have ``blobs``; return ``result`` with them counted."""
    counter, total = Counter(), sum(one.size for one in blobs)

    def tick() -> None:
        if progress is not None:
            progress("pushing", counter.done, total)

    def look(blob: Descriptor) -> bool:
        there = is_there(client, blob)
        counter.add(blob.size if there else 0)
        return there

    there = side_by_side([partial(look, one) for one in blobs], client.transport, tick)
    lacking = [one for one, is_so in zip(blobs, there, strict=True) if not is_so]
    sources = find_sources(store, frozenset(one.digest for one in lacking), client.repository)
    names = sorted({name for of_one in sources.values() for name in of_one})
    if names:
        client.authority.widen(tuple(f"repository:{name}:pull" for name in names))
    # The largest first: else it is the one that all wait for.
    lacking.sort(key=lambda one: -one.size)
    jobs = [
        partial(upload, client, store, one, sources.get(one.digest, ()), counter.add)
        for one in lacking
    ]
    how = side_by_side(jobs, client.transport, tick)
    sent = sum(one.size for one, way in zip(lacking, how, strict=True) if way == PUSHED)
    return result._replace(
        pushed=result.pushed + how.count(PUSHED),
        skipped=result.skipped + len(blobs) - len(lacking),
        mounted=result.mounted + how.count(MOUNTED),
        size=result.size + sent,
    )
