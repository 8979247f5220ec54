"""zstd streams, decompressed block by block: a block is at most 128 KiB of output (RFC 8878).

The library gives at once all that its input stands for, and 4 bytes may be a
whole block; nor does it say that a stream was cut off. So the blocks are told
apart here, and it gets one at a time.
"""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[int], bytes]

_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = 5  # frames that hold no data: 0x184D2A50 to 5F (section 3.1.2)
_WINDOW = 1 << 27  # zstd's own limit, without --long=28 and more
_CHUNK = 1 << 18
_RLE = 1
_DICTIONARY_ID = (0, 1, 2, 4)
_CONTENT_SIZE = (0, 2, 4, 8)


def is_zstd(head: bytes) -> bool:
    """Tell whether ``head``, the first bytes of something, is that of a zstd stream."""
    return head.startswith(_MAGIC) or (head[0] >> 4 == _SKIPPABLE and head[1:4] == b"*M\x18")


class ZstdReader:
    """The decompressed bytes of frames one after another, with zeros after the last one."""

    def __init__(self, raw: Read) -> None:
        """Decompress what ``raw`` gives."""
        self._raw = raw
        self._input = b""
        self._at = 0
        self._blocks = self._frames()
        self._output = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end; raise LayerError."""
        while not self._output:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._output = memoryview(block)
        data = bytes(self._output[:size])
        self._output = self._output[size:]
        return data

    def _frames(self) -> Iterator[bytes]:
        """Give the output of each block of each frame."""
        while head := self._up_to(4):
            if head == _MAGIC:
                yield from self._frame()
            elif len(head) == len(_MAGIC) and is_zstd(head):
                self._skip(int.from_bytes(self._exactly(4), "little"))
            elif head.strip(b"\0"):
                raise LayerError("the archive is damaged: zstd: something follows its stream")

    def _frame(self) -> Iterator[bytes]:
        from zstandard import ZstdDecompressor, ZstdError

        inner = ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        descriptor = self._exactly(1)
        flags = descriptor[0]
        # Section 3.1.1.1: where all is one segment the size takes the window's place.
        is_single = flags >> 5 & 1
        rest = 1 - is_single + _DICTIONARY_ID[flags & 3] + _CONTENT_SIZE[flags >> 6]
        rest += is_single and not flags >> 6
        try:
            yield inner.decompress(_MAGIC + descriptor + self._exactly(rest))
            is_last = 0
            while not is_last:
                header = self._exactly(3)
                value = int.from_bytes(header, "little")
                is_last, kind, size = value & 1, value >> 1 & 3, value >> 3
                block = header + self._exactly(1 if kind == _RLE else size)
                checksum = self._exactly(4) if is_last and flags >> 2 & 1 else b""
                yield inner.decompress(block + checksum)
        except ZstdError as error:
            raise LayerError(f"the archive is damaged: zstd: {error}") from error
        if not inner.eof:
            raise LayerError("the archive is damaged: zstd: a frame does not end where it should")

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._exactly(min(size, _CHUNK)))

    def _exactly(self, size: int) -> bytes:
        data = self._up_to(size)
        if len(data) < size:
            raise LayerError("the archive is cut off: its zstd stream has no end")
        return data

    def _up_to(self, size: int) -> bytes:
        """Return ``size`` bytes of the input, fewer only at its end."""
        while len(self._input) - self._at < size:
            more = self._raw(_CHUNK)
            if not more:
                break
            self._input = self._input[self._at :] + more
            self._at = 0
        data = self._input[self._at : self._at + size]
        self._at += len(data)
        return data
