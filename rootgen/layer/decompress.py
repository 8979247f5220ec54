"""Bytes of an archive, whatever compressed them: told by their first bytes, not by a name.

What is decompressed is held in pieces of bounded size, and counted against
the limits: a few kilobytes may stand for terabytes.
"""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.layer.zstd import ZstdReader, is_zstd
from rootgen.named import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rootgen.layer.limits import Limits

    Read = Callable[[int], bytes]

_CHUNK = 1 << 18
_LONGEST_MAGIC = 6
# xz(1) -9 needs 65 MB; what asks for more is not meant for this machine.
_XZ_MEMORY = 256 << 20


class Source:
    """An archive being read: its decompressed bytes in order, counted.

    ``read`` gives at most as many bytes as it is asked for, and none at the end.
    """

    def __init__(self, read: Read, limits: Limits) -> None:
        """Look at the first bytes of ``read``; raise LayerError where there are none."""
        self._limits = limits
        self._taken = 0
        self._given = 0
        self._input = read
        head = b""
        while len(head) < _LONGEST_MAGIC and (more := read(_LONGEST_MAGIC - len(head))):
            head += more
        if not head:
            raise LayerError("the archive is empty")
        self._head = head
        self._output = _output(head, self._raw)

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end; raise LayerError past a limit."""
        data = self._output(size)
        self.count(len(data))
        return data

    def count(self, size: int) -> None:
        """Count ``size`` bytes that the archive stands for; raise LayerError past a limit."""
        self._given += size
        limits = self._limits
        if self._given > limits.size:
            raise LayerError(f"the archive holds more than {limits.size} bytes")
        if self._given > limits.free and self._given > limits.ratio * self._taken:
            raise LayerError(
                f"the archive expands to more than {limits.ratio} times its size",
                why=(f"{self._taken} bytes of it became {self._given}",),
            )

    def _raw(self, size: int) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._input(size)
        self._taken += len(data)
        return data


def _output(head: bytes, raw: Read) -> Read:
    if head.startswith(b"\x1f\x8b"):
        import zlib

        return _Streams(raw, lambda: _Zlib(zlib.decompressobj(31)), zlib.error, "gzip").read
    if head.startswith(b"\xfd7zXZ\0"):
        import lzma

        def new_xz() -> lzma.LZMADecompressor:
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

        return _Streams(raw, new_xz, lzma.LZMAError, "xz").read
    if head.startswith(b"BZh"):
        import bz2

        return _Streams(raw, bz2.BZ2Decompressor, OSError, "bzip2").read
    if is_zstd(head):
        return ZstdReader(raw).read
    return raw


class _Decompressor(Protocol):
    """What zlib, lzma and bz2 have in common."""

    @property
    def eof(self) -> bool:
        """Tell whether the stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """What of the input was not the stream's."""

    @property
    def needs_input(self) -> bool:
        """Tell whether there is no more output without more input."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take ``data`` and give at most ``max_length`` bytes."""


class _Zlib:
    """zlib's decompressor with the methods of the others."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    @property
    def needs_input(self) -> bool:
        # More output may be pending without input; asking for it costs one call.
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._inner.decompress(self._inner.unconsumed_tail + data, max_length))


class _Streams:
    """Compressed streams one after another, as cat(1) joins them; zeros after the last."""

    def __init__(
        self, raw: Read, new: Callable[[], _Decompressor], error: type[Exception], name: str
    ) -> None:
        self._raw = raw
        self._new = new
        self._error = error
        self._name = name
        self._pending = b""
        self._current = new()
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` decompressed bytes, none at the end; raise LayerError."""
        while not self._ended:
            if self._current.eof:
                self._next()
                continue
            data, hungry = b"", self._current.needs_input
            if hungry:
                data, self._pending = self._pending or self._raw(_CHUNK), b""
            output = self._decompress(data, size)
            if output:
                return output
            if hungry and not data and not self._current.eof:
                raise LayerError(f"the archive is cut off: its {self._name} stream has no end")
        return b""

    def _decompress(self, data: bytes, size: int) -> bytes:
        try:
            return self._current.decompress(data, size)
        except self._error as error:
            raise LayerError(f"the archive is damaged: {self._name}: {error}") from error

    def _next(self) -> None:
        """Begin the stream that follows, if one does."""
        rest = self._current.unused_data
        # Padding to the blocks of a tape or a disk is usual after the last stream.
        while not (rest := rest.lstrip(b"\0")):
            rest = self._raw(_CHUNK)
            if not rest:
                self._ended = True
                return
        self._pending = rest
        self._current = self._new()
