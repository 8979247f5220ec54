"""Blobs of a store: read and verified in one go, written whole or not at all."""

from __future__ import annotations

import os

from rootgen.errors import ImageError
from rootgen.image.descriptor import Descriptor

_CHUNK = 1 << 20


def digest_bytes(data: bytes) -> str:
    """Return the digest of ``data`` as descriptors have it."""
    from hashlib import sha256

    return f"sha256:{sha256(data).hexdigest()}"


class BlobReader:
    """A blob being read from its beginning; ``verify`` must follow, and reads what is left."""

    def __init__(self, descriptor: int, expected: Descriptor) -> None:
        """Read the open file ``descriptor``, which is closed with the reader."""
        from hashlib import sha256

        self._file = descriptor
        self._expected = expected
        self._digest = sha256()
        self._read = 0

    def read(self, size: int = _CHUNK) -> bytes:
        """Return up to ``size`` bytes, none at the end.

        Raises ImageError where there are more than the descriptor says: who
        reads on until the end is not made to read what nobody promised.
        """
        try:
            data = os.read(self._file, size)
        except OSError as error:
            raise self._wrong(error.strerror or str(error)) from error
        self._read += len(data)
        if self._read > self._expected.size:
            raise self._wrong(f"it is longer than {self._expected.size} bytes")
        self._digest.update(data)
        return data

    def verify(self) -> None:
        """Read to the end; raise ImageError where size or digest are not what was promised."""
        while self.read():
            pass
        if self._read != self._expected.size:
            raise self._wrong(f"{self._read} bytes, not {self._expected.size}")
        if f"sha256:{self._digest.hexdigest()}" != self._expected.digest:
            raise self._wrong(f"its bytes have the digest sha256:{self._digest.hexdigest()}")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> BlobReader:
        """Return the reader itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def _wrong(self, message: str) -> ImageError:
        hint = "the store is damaged there: rootgen store verify tells what else is"
        return ImageError(f"blob {self._expected.digest}: {message}", hint=hint)


class BlobWriter:
    """A blob being written under no name yet; what is not committed is gone with the writer."""

    def __init__(self, root: int, ingest: str, blobs: str) -> None:
        """Write beneath the directory ``root``; raise ImageError."""
        from hashlib import sha256

        self._root = root
        self._blobs = blobs
        self._name: str | None = f"{ingest}/{os.urandom(12).hex()}"
        self._digest = sha256()
        self._size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(self._name, flags, 0o644, dir_fd=root)
        except OSError as error:
            raise _cannot_write(error) from error

    def write(self, data: bytes | memoryview) -> None:
        """Add ``data``; raise ImageError where the disk does not take it."""
        view = memoryview(data)
        self._digest.update(view)
        self._size += len(view)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise _cannot_write(error) from error

    def commit(self, media_type: str, expected: Descriptor | None = None) -> Descriptor:
        """Give the blob its name, once it is on the disk; return its descriptor.

        Raises ImageError where it is not what ``expected`` says.
        """
        written = Descriptor(media_type, f"sha256:{self._digest.hexdigest()}", self._size)
        if expected is not None and written[1:3] != expected[1:3]:
            raise ImageError(
                f"what came for {expected.digest} ({expected.size} bytes) has "
                f"{written.size} bytes and the digest {written.digest}"
            )
        try:
            os.fsync(self._file)
            name = written.digest.removeprefix("sha256:")
            os.rename(
                self._name or "",
                f"{self._blobs}/{name}",
                src_dir_fd=self._root,
                dst_dir_fd=self._root,
            )
            self._name = None
            directory = os.open(self._blobs, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._root)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise _cannot_write(error) from error
        return written

    def __enter__(self) -> BlobWriter:
        """Return the writer itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it, and remove what was not committed."""
        os.close(self._file)
        if self._name is not None:
            os.unlink(self._name, dir_fd=self._root)


def _cannot_write(error: OSError) -> ImageError:
    return ImageError(f"cannot write to the store: {error.strerror or error}")
