"""The contents of a squashfs: blocks of 128 KiB, and fragments, which several files share."""

from __future__ import annotations

from struct import pack

from rootgen.image.compress import InOrder, block_compressor
from rootgen.image.squashfs_tables import BLOCK, NOTHING, Metadata
from rootgen.layer.packed import changed, read_exactly
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Inline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.plan.entry import Entry
    from rootgen.sysroot.port import OpenFile

    Contents = Callable[[Entry], OpenFile]
    Write = Callable[[bytes], object]

_UNCOMPRESSED = 1 << 24


class Data:
    """What is known of one file's content: where its blocks begin, their lengths, its fragment."""

    __slots__ = ("fragment", "lengths", "offset", "start")

    def __init__(self) -> None:
        """Begin with none."""
        self.start = 0
        self.lengths: list[int] = []
        self.fragment = NOTHING
        self.offset = 0


class DataArea:
    """Contents on their way to ``write``, compressed side by side, in the order they came in."""

    def __init__(self, write: Write, at: int, compress: str) -> None:
        """Write from the offset ``at`` of the image on."""
        self._write = write
        self.end = at
        self._compress = None if compress == "none" else block_compressor(compress)
        self._jobs = InOrder()
        self._gathered = b""
        self._fragments = 0
        self.fragments = Metadata(self._compress)

    def add(self, entry: Entry, contents: Contents) -> Data:
        """Add the content of a file; what is returned is complete once ``finish`` was called.

        Raises LayerError where the file is longer or shorter than its entry says.
        """
        data = Data()
        last = b""
        for block in _in_blocks(entry, contents):
            if len(block) == BLOCK:
                self._begin(block, _add_to(data))
            else:
                last = block
        if last:
            if len(self._gathered) + len(last) > BLOCK:
                self._end_fragment()
            data.fragment, data.offset = self._fragments, len(self._gathered)
            self._gathered += last
        return data

    def finish(self) -> None:
        """Write all that was added."""
        self._end_fragment()
        self._jobs.finish()

    def close(self) -> None:
        """Let go of the threads."""
        self._jobs.close()

    def __len__(self) -> int:
        """Count the fragments."""
        return self._fragments

    def _end_fragment(self) -> None:
        if not self._gathered:
            return
        block, self._gathered = self._gathered, b""
        self._fragments += 1
        self._begin(block, lambda at, size: self.fragments.add(pack("<QII", at, size, 0)))

    def _begin(self, block: bytes, told: Callable[[int, int], object]) -> None:
        """Write ``block`` in its turn, and tell where it went, and how long it is there."""

        def take(data: bytes) -> None:
            size = len(data)
            if self._compress is None or size >= len(block):
                data, size = block, len(block) | _UNCOMPRESSED
            self._write(data)
            told(self.end, size)
            self.end += len(data)

        compress = self._compress
        self._jobs.do(lambda: block if compress is None else compress(block), take)


def _add_to(data: Data) -> Callable[[int, int], object]:
    def told(at: int, size: int) -> None:
        if not data.lengths:
            data.start = at
        data.lengths.append(size)

    return told


def _in_blocks(entry: Entry, contents: Contents) -> Iterator[bytes]:
    """Return the content of a file in blocks, of which the last may be shorter."""
    if isinstance(entry.content, Inline):
        if len(entry.content.data) != entry.size:
            raise changed(entry)
        yield from _cut(entry.content.data)
        return
    with contents(entry) as file:
        rest = b""
        for piece in read_exactly(file, entry):
            data = rest + piece if rest else piece
            whole = len(data) - len(data) % BLOCK
            yield from _cut(data[:whole])
            rest = data[whole:]
        if rest:
            yield rest


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), BLOCK):
        yield data[start : start + BLOCK]
