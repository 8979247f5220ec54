"""The store: an OCI image layout directory (image-spec, image-layout.md), shared by processes.

::

    oci-layout  index.json          as the specification has them
    blobs/sha256/DIGEST             each written whole, under its own name, or not at all
    ingest/                         what is being written
    packed/KEY                      what was packed of what (``reuse``)
    lock, gate, index.lock          flock(2): shared by who adds, exclusive for who collects

Who adds blobs holds the lock, shared, until the index names them: no garbage
collection takes place in between. The kernel lets go of it for a process that
dies; what such a one left behind is what the index does not name, and goes
with the next collection. The index is read, changed and replaced under a lock
of its own, so that two who name images at once both have their way.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager

from rootgen.errors import ImageError
from rootgen.image.blob import BlobReader, BlobWriter, digest_bytes
from rootgen.image.descriptor import CONTAINERD_NAME, REF_NAME, Descriptor
from rootgen.image.document import LIMIT
from rootgen.image.manifest import LAYOUT, Index, index_bytes, parse_index
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_BLOBS = "blobs/sha256"
_INDEX, _INDEX_LOCK, _INGEST = "index.json", "index.lock", "ingest"
_LOCK, _GATE = "lock", "gate"
_MODE = 0o755
# What is there while another process makes the layout; the last that it makes is oci-layout.
_BEFORE_LAYOUT = {"blobs", _INGEST, _INDEX, _INDEX_LOCK, f"{_INDEX}.new", "oci-layout.new"}


class Store:
    """One image layout, open; blobs are read and written through it, images named by it."""

    def __init__(self, path: str) -> None:
        """Open the layout at ``path``; raise ImageError where there is none."""
        self.path = path
        try:
            self._root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ImageError(f"cannot open the store {path}: {error.strerror}") from error
        if self._read("oci-layout") is None:
            os.close(self._root)
            raise ImageError(
                f"{path} is no image store: it has no oci-layout",
                hint="name another with --store, or a directory that is not there yet",
            )

    @classmethod
    def open_or_make(cls, path: str) -> Store:
        """Open the layout at ``path``, made where nothing is yet; raise ImageError."""
        try:
            os.makedirs(path, _MODE, exist_ok=True)
            names = os.listdir(path)
            if "oci-layout" not in names and set(names) - _BEFORE_LAYOUT:
                raise ImageError(
                    f"{path} is not empty, and no image store",
                    hint="name another directory with --store",
                )
            for directory in (_BLOBS, _INGEST):
                os.makedirs(f"{path}/{directory}", _MODE, exist_ok=True)
            root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with _locked(root, _INDEX_LOCK, fcntl.LOCK_EX):
                    _make_layout(root)
            finally:
                os.close(root)
        except OSError as error:
            raise ImageError(f"cannot make the store {path}: {error.strerror}") from error
        return cls(path)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._root)

    def __enter__(self) -> Store:
        """Return the store itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    # Blobs

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether the blob is there, of the right size; its bytes are verified when read."""
        try:
            found = os.stat(_blob(descriptor.digest), dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return found.st_size == descriptor.size

    def read(self, descriptor: Descriptor) -> bytes:
        """Return the bytes of a document, verified; raise ImageError."""
        if descriptor.size > LIMIT:
            raise ImageError(f"{descriptor.digest}: {descriptor.size} bytes are no document")
        with self.open_blob(descriptor) as blob:
            data = blob.read(descriptor.size + 1)
            blob.verify()
        return data

    def open_blob(self, descriptor: Descriptor) -> BlobReader:
        """Open a blob, to be verified while it is read; raise ImageError where it is not there."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            file = os.open(_blob(descriptor.digest), flags, dir_fd=self._root)
        except OSError as error:
            what = f"{self.path}: no blob {descriptor.digest}: {error.strerror}"
            raise ImageError(what, hint="pull or build the image again") from error
        return BlobReader(file, descriptor)

    def write_blob(self) -> BlobWriter:
        """Begin a blob, whose digest is known at its end (``BlobWriter.commit``).

        To be called within ``adding``.
        """
        return BlobWriter(self._root, _INGEST, _BLOBS)

    def write(self, media_type: str, data: bytes) -> Descriptor:
        """Keep a document; return its descriptor. To be called within ``adding``."""
        descriptor = Descriptor(media_type, digest_bytes(data), len(data))
        if not self.has(descriptor):
            with self.write_blob() as blob:
                blob.write(data)
                blob.commit(media_type)
        return descriptor

    # Names

    def index(self) -> Index:
        """Return the index; raise ImageError where it is malformed."""
        data = self._read(_INDEX)
        if data is None:
            return Index()
        return parse_index(data, f"{self.path}/{_INDEX}")

    def find(self, name: str) -> Descriptor | None:
        """Return the descriptor that the index has for an image's name."""
        return next((one for one in self.index().manifests if one.name() == name), None)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Let the index call a manifest ``name``, and nothing else so. Within ``adding``."""
        named = dict(descriptor.annotations) | {REF_NAME: name, CONTAINERD_NAME: name}
        tagged = descriptor._replace(annotations=tuple(sorted(named.items())))

        def changed(index: Index) -> Index:
            others = [one for one in index.manifests if one.name() != name]
            return index._replace(manifests=(*others, tagged))

        self._change_index(changed)

    def attach(self, descriptor: Descriptor) -> None:
        """Let the index have an artifact that is about an image, under no name. In ``adding``."""

        def changed(index: Index) -> Index:
            others = (one for one in index.manifests if one.digest != descriptor.digest)
            return index._replace(manifests=(*others, descriptor))

        self._change_index(changed)

    def forget(self, digests: Iterable[str]) -> None:
        """Let the index forget what has no name and one of ``digests``. In ``collecting``."""
        gone = set(digests)

        def changed(index: Index) -> Index:
            kept = (one for one in index.manifests if one.name() or one.digest not in gone)
            return index._replace(manifests=tuple(kept))

        self._change_index(changed)

    def annotate(self, name: str, annotated: Callable[[Descriptor], Descriptor]) -> None:
        """Let the index say more of the image ``name``; nothing where it has been forgotten."""

        def changed(index: Index) -> Index:
            manifests = tuple(
                annotated(one) if one.name() == name else one for one in index.manifests
            )
            return index._replace(manifests=manifests)

        self._change_index(changed)

    def untag(self, names: Iterable[str]) -> None:
        """Let the index forget images; their blobs go with the next collection."""
        gone = set(names)

        def changed(index: Index) -> Index:
            kept = tuple(one for one in index.manifests if one.name() not in gone)
            return index._replace(manifests=kept)

        self._change_index(changed)

    # Locks and collection

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Keep collections away until what is written in here is named."""
        with _in_turn(self._root, fcntl.LOCK_SH):
            yield

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Wait until nobody adds anything, and keep it so."""
        with _in_turn(self._root, fcntl.LOCK_EX):
            yield

    def blobs(self) -> Iterator[tuple[str, int]]:
        """Return the digest and the size of every blob."""
        directory = os.open(_BLOBS, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._root)
        try:
            for name in sorted(os.listdir(directory)):
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                yield f"sha256:{name}", found.st_size
        finally:
            os.close(directory)

    def remove_blob(self, digest: str) -> None:
        """Remove a blob that nothing names. To be called within ``collecting``."""
        os.unlink(_blob(digest), dir_fd=self._root)

    def remove_unfinished(self) -> int:
        """Remove what those who died while they wrote left; return how many. In ``collecting``."""
        directory = os.open(_INGEST, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._root)
        try:
            names = os.listdir(directory)
            for name in names:
                os.unlink(name, dir_fd=directory)
        finally:
            os.close(directory)
        return len(names)

    def _change_index(self, change: Callable[[Index], Index]) -> None:
        with _locked(self._root, _INDEX_LOCK, fcntl.LOCK_EX):
            data = index_bytes(change(self.index()))
            try:
                _write_whole(self._root, _INDEX, data)
            except OSError as error:
                raise ImageError(f"cannot write {self.path}/{_INDEX}: {error.strerror}") from error

    def _read(self, name: str) -> bytes | None:
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(name, flags, dir_fd=self._root), "rb") as file:
                return file.read(LIMIT + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ImageError(f"cannot read {self.path}/{name}: {error.strerror}") from error


@contextmanager
def _locked(root: int, name: str, operation: int) -> Iterator[None]:
    lock = _open_lock(root, name)
    try:
        fcntl.flock(lock, operation)
        yield
    finally:
        os.close(lock)


@contextmanager
def _in_turn(root: int, operation: int) -> Iterator[None]:
    """Hold the store's lock, taken at a gate: a collection that waits keeps others from entering.

    flock(2) lets any who share a lock pass one who wants it alone; on a busy
    store that one would wait for ever.
    """
    lock = _open_lock(root, _LOCK)
    try:
        with _locked(root, _GATE, fcntl.LOCK_EX):
            fcntl.flock(lock, operation)
        yield
    finally:
        os.close(lock)


def _open_lock(root: int, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, 0o644, dir_fd=root)
    except OSError as error:
        raise ImageError(f"cannot open the store's {name}: {error.strerror}") from error


def _make_layout(root: int) -> None:
    """Write what makes a directory a layout, where nobody did; raise OSError."""
    names = os.listdir(root)
    if "oci-layout" in names:
        return
    if _INDEX not in names:
        _write_whole(root, _INDEX, index_bytes(Index()))
    _write_whole(root, "oci-layout", LAYOUT)


def _blob(digest: str) -> str:
    return f"{_BLOBS}/{digest.removeprefix('sha256:')}"


def _write_whole(root: int, name: str, data: bytes) -> None:
    """Write a file beside its place and rename it there, both on the disk; raise OSError.

    Under the index's lock: what another who died had begun is overwritten.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(f"{name}.new", flags, 0o644, dir_fd=root), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{name}.new", name, src_dir_fd=root, dst_dir_fd=root)
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
