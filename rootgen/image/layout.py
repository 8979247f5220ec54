"""An image as an OCI image layout, or as the archive that ``docker load`` takes: as entries.

OCI image-spec, image-layout.md. Docker's archive is the same with one file
more, ``manifest.json``, which names the blobs as they are there: so Docker has
written it since 25, and both older ones and podman read it.
"""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.artifact import referrers_tag
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import CONTAINERD_NAME, INDEX, REF_NAME, Descriptor, Platform
from rootgen.image.document import render
from rootgen.image.manifest import LAYOUT, Index, index_bytes
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.artifact import Attached
    from rootgen.image.blob import BlobReader
    from rootgen.image.config import Config
    from rootgen.image.manifest import ImageManifest
    from rootgen.image.store import Store
    from rootgen.sysroot.port import OpenFile


class Exported(NamedTuple):
    """An image that is written elsewhere; ``name`` may be empty.

    ``artifacts`` are about it, or about one another.
    """

    name: str
    descriptor: Descriptor
    manifest: ImageManifest
    config: Config
    artifacts: tuple[Attached, ...] = ()


def layout_plan(image: Exported, *, docker: bool = False) -> Plan:
    """Return the files of the layout that has ``image``; its blobs are ``FromSysroot(digest)``.

    Its artifacts are in it for who looks for their subject, and are named in
    a list under the referrers tag, for who copies by tags.
    """
    config = image.config
    names = {REF_NAME: image.name, CONTAINERD_NAME: image.name} if image.name else {}
    descriptor = image.descriptor._replace(
        annotations=tuple(sorted(names.items())),
        platform=Platform(config.os, config.architecture, config.variant),
    )
    blobs = [image.descriptor, image.manifest.config, *image.manifest.layers]
    for one in image.artifacts:
        blobs += [one.descriptor, one.manifest.config, *one.manifest.layers]
    lists = tuple(_lists(image.artifacts))
    about = (*(one.descriptor for one in image.artifacts), *(one for one, _ in lists))
    files = [
        _file("/oci-layout", LAYOUT),
        _file("/index.json", index_bytes(Index((descriptor, *about)))),
        *{one.digest: _blob(one) for one in blobs}.values(),
        *(_file(_path(one), data) for one, data in lists),
    ]
    if docker:
        files.append(_file("/manifest.json", _docker_manifest(image)))
    directories = ("/", "/blobs", "/blobs/sha256")
    return Plan([*(Entry(one, EntryKind.DIRECTORY, 0o755) for one in directories), *files])


def _lists(artifacts: tuple[Attached, ...]) -> Iterator[tuple[Descriptor, bytes]]:
    """Give for each subject the list of what is about it, and its descriptor with the tag."""
    for subject in dict.fromkeys(one.subject for one in artifacts):
        about = tuple(one.descriptor for one in artifacts if one.subject == subject)
        data = index_bytes(Index(about))
        tag = ((REF_NAME, referrers_tag(subject)),)
        yield Descriptor(INDEX, digest_bytes(data), len(data), annotations=tag), data


def _docker_manifest(image: Exported) -> bytes:
    """Return what ``docker load`` reads first: a list, of one image here."""
    one: dict[str, object] = {
        "Config": _path(image.manifest.config)[1:],
        "RepoTags": [image.name] if image.name else [],
        "Layers": [_path(layer)[1:] for layer in image.manifest.layers],
    }
    return b"[" + render(one) + b"]"


def _file(path: str, data: bytes) -> Entry:
    return Entry(path, EntryKind.FILE, 0o644, size=len(data), content=Inline(data))


def _blob(descriptor: Descriptor) -> Entry:
    content = FromSysroot(descriptor.digest)
    return Entry(_path(descriptor), EntryKind.FILE, 0o644, size=descriptor.size, content=content)


def _path(descriptor: Descriptor) -> str:
    return f"/blobs/{descriptor.digest.replace(':', '/')}"


class StoredBlobs:
    """The blobs of a store, each verified when its last byte has been read."""

    def __init__(self, store: Store) -> None:
        """Read from ``store``."""
        self._store = store

    def open(self, entry: Entry) -> OpenFile:
        """Open a blob of ``layout_plan``, which is to be read from its beginning to its end."""
        assert isinstance(entry.content, FromSysroot)  # noqa: S101 - layout_plan says so
        descriptor = Descriptor("", entry.content.path, entry.size)
        return _VerifiedFile(self._store.open_blob(descriptor), descriptor)


class _VerifiedFile:
    """A blob as a file that is read in order (``port.OpenFile``)."""

    def __init__(self, blob: BlobReader, descriptor: Descriptor) -> None:
        self._blob = blob
        self._descriptor = descriptor

    def __enter__(self) -> _VerifiedFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self._blob.close()

    def pread(self, size: int, offset: int) -> bytes:
        """Read on; raise ImageError where the blob is not what its descriptor says."""
        data = self._blob.read(size)
        if offset + len(data) >= self._descriptor.size or not data:
            self._blob.verify()
        return data

    def fileno(self) -> int:
        """Raise ImageError: what is copied otherwise is not verified."""
        raise ImageError(f"{self._descriptor.digest} is verified as it is read")
