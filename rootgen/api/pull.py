"""``pull``: an image of a registry into the store, named only when all of it is there."""

from __future__ import annotations

import os
from functools import partial

from rootgen.api.push import refuse_foreign
from rootgen.api.registry import Access, connected
from rootgen.errors import ImageError, UsageError
from rootgen.image.artifact import keep_artifact
from rootgen.image.config import parse_config
from rootgen.image.descriptor import INDEX, oci_media_type
from rootgen.image.manifest import DEPTH, check_image, parse_index, parse_manifest
from rootgen.image.platform import choose, machine_platform, parse_platform
from rootgen.image.reference import parse_reference
from rootgen.image.registry.documents import fetch_document
from rootgen.image.registry.download import download
from rootgen.image.registry.referrers import referrers
from rootgen.image.registry.repository import remote_reference
from rootgen.image.registry.source import with_source
from rootgen.image.registry.transfers import Counter, side_by_side
from rootgen.image.store import Store
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.image.descriptor import Descriptor, Platform
    from rootgen.image.registry.client import Client
    from rootgen.image.registry.documents import Fetched
    from rootgen.named import Progress


# Manifests of one image that are followed.
_MANIFESTS = 256
# Their bytes, which are in memory until all of them are there.
_DOCUMENTS = 32 << 20
# What is left free on the disk for the documents and everyone else.
_SPARE = 16 << 20


class PullRequest(NamedTuple):
    """Which image, into which store, as what: ``name`` "" is what it is called there.

    ``platform`` ("" for this machine's) chooses from an image for several;
    ``every`` brings all of them; ``attached`` what is about the image.
    """

    image: str
    store: str
    name: str = ""
    platform: str = ""
    every: bool = False
    access: Access = Access()
    attached: bool = False


class PullResult(NamedTuple):
    """What came: ``name`` and ``digest`` in the store, ``source`` its digest at the registry.

    The last is another where one of several was chosen. Blobs are counted:
    ``pulled`` came, ``skipped`` were here; ``size`` is in bytes, of those
    that came. ``attached`` are artifacts about the image.
    """

    name: str
    digest: str
    source: str
    pulled: int
    skipped: int
    size: int
    attached: int = 0


class _Parts(NamedTuple):
    """An image as it is to be kept: its documents, the one that names it last, and its blobs."""

    documents: tuple[Fetched, ...]
    blobs: tuple[Descriptor, ...]


def pull(request: PullRequest, *, progress: Progress | None = None) -> PullResult:
    """Bring an image into the store, verified: its blobs, its manifests, then its name.

    ``progress`` is called with a phase, the bytes that are there and their
    total. Raises UsageError, ImageError. What came whole before it failed
    is not brought again; the store's names are as they were.
    """
    repository, reference = remote_reference(request.image)
    if request.every and request.platform:
        raise UsageError("--all are all platforms: --platform chooses one")
    name = str(parse_reference(request.name)) if request.name else str(reference)
    wanted = (
        parse_platform(request.platform)
        if request.platform
        else machine_platform(os.uname().machine)
    )
    with connected(repository, request.access, "pull") as client:
        first = fetch_document(client, reference.digest or reference.tag)
        if request.every:
            documents = _everything(client, first)
        else:
            documents = (_chosen(client, first, wanted, request.image),)
        parts = _Parts(documents, _blobs(documents, request))
        with Store.open_or_make(request.store) as store, store.adding():
            pulled, size = _bring(client, store, parts.blobs, progress)
            _check_configs(store, parts, request)
            for one in documents:
                store.write(one.descriptor.media_type, one.data)
            kept = documents[-1].descriptor
            artifacts = _attached(client, documents) if request.attached else _Parts((), ())
            more, more_size = _bring(client, store, artifacts.blobs, progress)
            store.tag(with_source(kept, repository), name)
            for one in artifacts.documents:
                written = store.write(one.descriptor.media_type, one.data)
                keep_artifact(store, written, parse_manifest(one.data, one.descriptor.digest))
    skipped = len(parts.blobs) + len(artifacts.blobs) - pulled - more
    return PullResult(
        name, kept.digest, first.descriptor.digest, pulled + more, skipped, size + more_size,
        len(artifacts.documents),
    )  # fmt: skip


def _attached(client: Client, documents: tuple[Fetched, ...]) -> _Parts:
    """Return what is about ``documents``, and about that in turn; raise ImageError."""
    left = [one.descriptor.digest for one in documents]
    gathered = _Gathered()
    blobs: dict[str, Descriptor] = {}
    while left:
        subject = left.pop()
        for one in referrers(client, subject):
            if one.digest in gathered.found:
                continue
            fetched = fetch_document(client, one.digest, one)
            manifest = parse_manifest(fetched.data, one.digest)
            if manifest.subject is None or manifest.subject.digest != subject:
                raise ImageError(f"{one.digest} is listed as about {subject}, and is not")
            gathered.add(fetched)
            left.append(one.digest)
            for blob in (manifest.config, *manifest.layers):
                refuse_foreign(blob)
                if blobs.setdefault(blob.digest, blob).size != blob.size:
                    raise ImageError(f"{one.digest} says another size of {blob.digest}")
    return _Parts(tuple(gathered.found.values()), tuple(blobs.values()))


def _chosen(client: Client, fetched: Fetched, wanted: Platform, shown: str) -> Fetched:
    """Return the manifest for a platform."""
    for _ in range(DEPTH):
        if oci_media_type(fetched.descriptor.media_type) != INDEX:
            return fetched
        index = parse_index(fetched.data, fetched.descriptor.digest)
        one = choose(index, wanted, shown)
        fetched = fetch_document(client, one.digest, one)
    raise ImageError(f"{shown}: indexes within indexes, over {DEPTH} deep")


class _Gathered:
    """Documents that are in memory until all of them are there: not more than an image has."""

    def __init__(self) -> None:
        self.found: dict[str, Fetched] = {}
        self._size = 0

    def add(self, fetched: Fetched) -> None:
        """Keep a document; raise ImageError where it is one too many."""
        self.found[fetched.descriptor.digest] = fetched
        self._size += len(fetched.data)
        if len(self.found) > _MANIFESTS or self._size > _DOCUMENTS:
            raise ImageError(f"over {_MANIFESTS} documents, or {_DOCUMENTS >> 20} MiB of them")


def _everything(client: Client, first: Fetched) -> tuple[Fetched, ...]:
    """Return a document and all documents that it leads to, what is led to before what leads."""
    gathered = _Gathered()

    def visit(fetched: Fetched, depth: int) -> None:
        if oci_media_type(fetched.descriptor.media_type) == INDEX:
            index = parse_index(fetched.data, fetched.descriptor.digest)
            if depth == 0 or len(index.manifests) > _MANIFESTS:
                raise ImageError(f"{fetched.descriptor.digest} leads to more than an image has")
            for one in index.manifests:
                if one.digest not in gathered.found:
                    visit(fetch_document(client, one.digest, one), depth - 1)
        gathered.add(fetched)

    visit(first, DEPTH)
    return tuple(gathered.found.values())


def _blobs(documents: tuple[Fetched, ...], request: PullRequest) -> tuple[Descriptor, ...]:
    """Return what the manifests are of, each blob once; raise ImageError for what is no image."""
    found: dict[str, Descriptor] = {}
    for one in documents:
        if oci_media_type(one.descriptor.media_type) == INDEX:
            continue
        manifest = parse_manifest(one.data, one.descriptor.digest)
        for layer in manifest.layers:
            refuse_foreign(layer)
        if not request.every:
            check_image(manifest, request.image)
        for blob in (manifest.config, *manifest.layers):
            if found.setdefault(blob.digest, blob).size != blob.size:
                raise ImageError(f"{one.descriptor.digest} says two sizes of {blob.digest}")
    return tuple(found.values())


def _check_configs(store: Store, parts: _Parts, request: PullRequest) -> None:
    """Raise ImageError where the one image that was asked for has a config of another."""
    if request.every:
        return
    manifest = parse_manifest(parts.documents[-1].data, request.image)
    config = parse_config(store.read(manifest.config), manifest.config.digest)
    if len(config.diff_ids) != len(manifest.layers):
        raise ImageError(
            f"{request.image}: {len(manifest.layers)} layers, and diff IDs of "
            f"{len(config.diff_ids)}"
        )


def _bring(
    client: Client, store: Store, blobs: tuple[Descriptor, ...], progress: Progress | None
) -> tuple[int, int]:
    """Have every blob in the store; return how many came, and their bytes."""
    counter, total = Counter(), sum(one.size for one in blobs)

    def tick() -> None:
        if progress is not None:
            progress("pulling", counter.done, total)

    lacking = [one for one in blobs if not _is_whole(store, one)]
    size = sum(one.size for one in lacking)
    counter.add(total - size)
    _check_room(store, size)
    lacking.sort(key=lambda one: -one.size)
    jobs = [partial(download, client, store, one, counter.add) for one in lacking]
    side_by_side(jobs, client.transport, tick)
    return len(lacking), size


def _is_whole(store: Store, blob: Descriptor) -> bool:
    """Tell whether the store has a blob, its bytes read: one that is damaged is brought again."""
    if not store.has(blob):
        return False
    try:
        with store.open_blob(blob) as reader:
            reader.verify()
    except ImageError:
        return False
    return True


def _check_room(store: Store, size: int) -> None:
    """Raise ImageError where the disk has less room than the image's own sizes want."""
    there = os.statvfs(store.path)
    free = there.f_bavail * there.f_frsize
    if size > max(free - _SPARE, 0):
        raise ImageError(
            f"the image's layers have {size >> 20} MiB, and {store.path} has room for "
            f"{max(free - _SPARE, 0) >> 20} MiB",
            hint="make room: `rootgen gc` removes what no image uses; or name another --store",
        )
