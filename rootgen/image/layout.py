"""An image as an OCI image layout, or as the archive that ``docker load`` takes: as entries.

OCI image-spec, image-layout.md. Docker's archive is the same with one file
more, ``manifest.json``, which names the blobs as they are there: so Docker has
written it since 25, and both older ones and podman read it.
"""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.descriptor import CONTAINERD_NAME, REF_NAME, Descriptor, Platform
from rootgen.image.document import render
from rootgen.image.manifest import LAYOUT, Index, index_bytes
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from rootgen.image.blob import BlobReader
    from rootgen.image.config import Config
    from rootgen.image.manifest import ImageManifest
    from rootgen.image.store import Store
    from rootgen.sysroot.port import OpenFile


class Exported(NamedTuple):
    """An image that is written elsewhere; ``name`` may be empty."""

    name: str
    descriptor: Descriptor
    manifest: ImageManifest
    config: Config


def layout_plan(image: Exported, *, docker: bool = False) -> Plan:
    """Return the files of the layout that has ``image``; its blobs are ``FromSysroot(digest)``."""
    config = image.config
    named = {REF_NAME: image.name, CONTAINERD_NAME: image.name} if image.name else {}
    descriptor = image.descriptor._replace(
        annotations=tuple(sorted(named.items())),
        platform=Platform(config.os, config.architecture, config.variant),
    )
    blobs = (image.descriptor, image.manifest.config, *image.manifest.layers)
    files = [
        _file("/oci-layout", LAYOUT),
        _file("/index.json", index_bytes(Index((descriptor,)))),
        *{one.digest: _blob(one) for one in blobs}.values(),
    ]
    if docker:
        files.append(_file("/manifest.json", _docker_manifest(image)))
    directories = ("/", "/blobs", "/blobs/sha256")
    return Plan([*(Entry(one, EntryKind.DIRECTORY, 0o755) for one in directories), *files])


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
