"""What is being packed: contents read whole or not at all, output counted and digested."""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.layer.beside import Beside
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.plan.entry import Entry
    from rootgen.sysroot.port import OpenFile

    Write = Callable[[bytes], object]

# What is read, hashed and written at once: large enough that calls cost nothing beside bytes.
_CHUNK = 1 << 20
# As much as the pieces that are under way at once.
_KEPT = 4 * _CHUNK


class Packed(NamedTuple):
    """An archive that was written: its length, and its SHA-256 in hexadecimal (the diff ID)."""

    size: int
    sha256: str


def read_exactly(file: OpenFile, entry: Entry) -> Iterator[bytes]:
    """Return the content of ``entry`` from ``file``, in large pieces.

    Raises LayerError where that is not as long as the entry says.
    """
    return read_part(file, entry, 0, entry.size)


def read_whole(file: OpenFile, entry: Entry) -> bytes | None:
    """Return the content of a small ``entry`` at once; None where it takes pieces to read it.

    Raises LayerError where that is not as long as the entry says.
    """
    size = entry.size
    if size >= _CHUNK:
        return None
    # One byte more than there should be: it tells of a file that grew, at no call's cost.
    data = file.pread(size + 1, 0)
    if len(data) == size:
        return data
    if len(data) > size:
        raise changed(entry)
    return None  # fewer than asked for are no end yet: some file systems give what they have


def read_part(file: OpenFile, entry: Entry, start: int, count: int) -> Iterator[bytes]:
    """Return ``count`` bytes of ``entry`` from ``start``, in large pieces; raise as above.

    Of what is read to its end it is seen that nothing comes after it.
    """
    offset, end = start, start + count
    past = end == entry.size
    while True:
        # One byte more than there should be: it tells of a file that grew, at no call's cost.
        wanted = min(_CHUNK, end - offset + past)
        data = file.pread(wanted, offset)
        offset += len(data)
        if offset > end or (not data and offset < end):
            raise changed(entry)
        if data:
            yield data
        if offset == end and (len(data) < wanted or not past):
            return


def changed(entry: Entry) -> LayerError:
    """Return the error that says that the content of ``entry`` is not as long as it was."""
    return LayerError(
        f"{entry.path} changed while it was being packed",
        why=(f"it was {entry.size} bytes long",),
        hint="pack again when nothing writes to the tree",
    )


class PackedOutput:
    """Bytes on their way to the caller, gathered until there are many; a context manager."""

    def __init__(self, write: Write) -> None:
        from hashlib import sha256  # OpenSSL costs 3 ms: only where there are bytes to digest

        # glibc maps a large block anew each time until one as large was freed, and returns what it
        # has free beyond twice that (mallopt(3), M_MMAP_THRESHOLD): with this one, whose pages are
        # never touched, memory goes from piece to piece. Page faults were a tenth of the time.
        bytes(_KEPT)
        self._write = write
        self._digest = sha256()
        self._digesting = Beside(self._digest.update)
        self._parts: list[bytes] = []
        self._gathered = 0
        self._size = 0

    def __enter__(self) -> PackedOutput:
        """Return the output itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go of what digests, finished or not."""
        self._digesting.__exit__(*exc)

    def add(self, *parts: bytes) -> None:
        """Add bytes."""
        self._parts += parts
        for part in parts:
            self._gathered += len(part)
        if self._gathered >= _CHUNK:
            self._flush()

    def pad(self, multiple: int) -> None:
        """Add zeros until there is a ``multiple`` of bytes."""
        self.add(bytes(-(self._size + self._gathered) % multiple))

    def finish(self) -> Packed:
        """Write what is left, and return what all of it was."""
        self._flush()
        self._digesting.finish()
        return Packed(self._size, self._digest.hexdigest())

    def _flush(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        # First, so that it is digested while it is written.
        self._digesting.give(data)
        self._write(data)
        self._size += len(data)
        self._gathered = 0
        self._parts.clear()
