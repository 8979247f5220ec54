"""What is being packed: contents read whole or not at all, output counted and digested."""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.plan.entry import Entry
    from rootgen.sysroot.port import OpenFile

    Write = Callable[[bytes], object]

# What is read, hashed and written at once: large enough that calls cost nothing beside bytes.
_CHUNK = 1 << 20


class Packed(NamedTuple):
    """An archive that was written: its length, and its SHA-256 in hexadecimal (the diff ID)."""

    size: int
    sha256: str


def read_exactly(file: OpenFile, entry: Entry) -> Iterator[bytes]:
    """Return the content of ``entry`` from ``file``, in large pieces.

    Raises LayerError where that is not as long as the entry says.
    """
    return read_part(file, entry, 0, entry.size)


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
    """Bytes on their way to the caller, gathered until there are many."""

    def __init__(self, write: Write) -> None:
        from hashlib import sha256  # OpenSSL costs 3 ms: only where there are bytes to digest

        self._write = write
        self._digest = sha256()
        self._parts: list[bytes] = []
        self._gathered = 0
        self._size = 0

    def add(self, data: bytes) -> None:
        """Add bytes."""
        self._parts.append(data)
        self._gathered += len(data)
        if self._gathered >= _CHUNK:
            self._flush()

    def pad(self, multiple: int) -> None:
        """Add zeros until there is a ``multiple`` of bytes."""
        self.add(bytes(-(self._size + self._gathered) % multiple))

    def finish(self) -> Packed:
        """Write what is left, and return what all of it was."""
        self._flush()
        return Packed(self._size, self._digest.hexdigest())

    def _flush(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._digest.update(data)
        self._write(data)
        self._size += len(data)
        self._gathered = 0
        self._parts.clear()
