"""Blobs on their way into an archive or a directory: in a file without a name.

A layer's digest, which names it, is known only when all of it was written.
"""

from __future__ import annotations

import os

from rootgen.errors import ImageError
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import Descriptor
from rootgen.image.output import STDOUT
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import FromSysroot
from rootgen.sysroot.directory import DescriptorFile
from rootgen.sysroot.memory import BytesFile

if TYPE_CHECKING:
    from typing import BinaryIO

    from rootgen.plan.entry import Entry
    from rootgen.sysroot.port import OpenFile


class Spool:
    """Blobs that nobody else sees; use it as a context manager. What it held is gone with it."""

    def __init__(self, directory: str) -> None:
        """Keep what is large in ``directory``, where there is room for it."""
        self._directory = directory
        self._documents: dict[str, bytes] = {}
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Spool:
        """Return the spool itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()

    def write_blob(self) -> SpoolWriter:
        """Begin a blob, whose digest is known at its end."""
        return SpoolWriter(unnamed_file(self._directory), self._files, self._directory)

    def write(self, media_type: str, data: bytes) -> Descriptor:
        """Keep a document; return its descriptor."""
        descriptor = Descriptor(media_type, digest_bytes(data), len(data))
        self._documents[descriptor.digest] = data
        return descriptor

    def open(self, entry: Entry) -> OpenFile:
        """Open a blob of ``layout.layout_plan`` that is here."""
        assert isinstance(entry.content, FromSysroot)  # noqa: S101 - layout_plan says so
        digest = entry.content.path
        data = self._documents.get(digest)
        if data is not None:
            return BytesFile(data, digest)
        return DescriptorFile(os.dup(self._files[digest].fileno()))


class SpoolWriter:
    """A blob being written; see ``blob.BlobWriter``."""

    def __init__(self, file: BinaryIO, files: dict[str, BinaryIO], directory: str) -> None:
        """Write to ``file``, in ``directory``; it is among ``files`` once it is committed."""
        from hashlib import sha256

        self._file = file
        self._files = files
        self._digest = sha256()
        self._size = 0
        self._what = f"a layer in {directory}"

    def write(self, data: bytes | memoryview) -> None:
        """Add ``data``; raise ImageError where the disk does not take it."""
        self._digest.update(data)
        self._size += len(data)
        write_all(self._file.fileno(), data, self._what)

    def commit(self, media_type: str) -> Descriptor:
        """Keep the blob; return its descriptor."""
        digest = f"sha256:{self._digest.hexdigest()}"
        self._files[digest] = self._file
        return Descriptor(media_type, digest, self._size)

    def __enter__(self) -> SpoolWriter:
        """Return the writer itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the file of what was not committed."""
        if self._file not in self._files.values():
            self._file.close()


def spool_directory(out: str) -> str:
    """Return where to keep what is on its way to the output ``out``: where that will be."""
    directory, name = os.path.split(out.rstrip("/"))
    if out == STDOUT or not name or (os.path.exists(out) and not os.path.isfile(out)):
        # /tmp may be memory, and images are large.
        return os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 - no name in it
    return directory or "."


def unnamed_file(directory: str) -> BinaryIO:
    """Open a new file in ``directory`` that has no name there; raise ImageError."""
    from tempfile import TemporaryFile  # it knows file systems without O_TMPFILE

    try:
        return TemporaryFile(dir=directory, buffering=0)
    except OSError as error:
        raise ImageError(f"cannot write in {directory}: {error.strerror}") from error


def write_all(descriptor: int, data: bytes | memoryview, what: str) -> None:
    """Write all of ``data``; raise ImageError, which says ``what`` there is no room for."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise ImageError(f"cannot keep {what}: {error.strerror}") from error
