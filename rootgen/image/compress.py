"""Compression that uses every core, and gives the same bytes on any number of them.

gzip: blocks of fixed size, each compressed by itself with the end of the one
before as its dictionary (RFC 1951 allows references to there), so that they
are one stream, hardly longer. zstd divides its work by itself, in the same way
whenever it has a thread beside ours.
"""

from __future__ import annotations

import os
from collections import deque

from rootgen.named import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    Write = Callable[[bytes], object]

COMPRESSIONS = ("none", "gzip", "zstd")

_BLOCK = 1 << 20
_DICTIONARY = 1 << 15  # the window of deflate
# Of gzip the fastest level whose blobs are no larger than umoci's (its deflate is another one):
# half the time of 6, what gzip(1) chooses, and up to 3 % more bytes.
_GZIP_LEVEL = 4
_ZSTD_LEVEL = 3  # what zstd(1) chooses
# Of what is read more often than it is written, and in pieces.
_GZIP_BLOCK_LEVEL, _ZSTD_BLOCK_LEVEL = 6, 9
# No time, no name, no system: RFC 1952, section 2.3.
_GZIP_HEAD = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF))


class Compressor(Protocol):
    """Bytes being compressed; ``finish`` must be last."""

    def write(self, data: bytes) -> None:
        """Take ``data``."""

    def finish(self) -> None:
        """Write what is left."""

    def close(self) -> None:
        """Let go of threads, finished or not."""


def compressor(name: str, write: Write, processors: int = 0) -> Compressor:
    """Return what compresses to ``write``, by one of COMPRESSIONS.

    ``processors`` is how many threads may work; 0 is as many as there are.
    """
    count = processors or len(os.sched_getaffinity(0))
    if name == "gzip":
        return _Gzip(write, count)
    if name == "zstd":
        return _Zstd(write, count)
    return _Plain(write)


class _Plain:
    """No compression."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def write(self, data: bytes) -> None:
        self._write(data)

    def finish(self) -> None:
        """Nothing is left."""

    def close(self) -> None:
        """There is no thread."""


class _Zstd:
    """zstd, its frame with a checksum."""

    def __init__(self, write: Write, count: int) -> None:
        from zstandard import ZstdCompressor

        self._write = write
        # One thread beside ours at the least: without any it divides otherwise.
        inner = ZstdCompressor(level=_ZSTD_LEVEL, threads=max(1, count), write_checksum=True)
        self._inner = inner.compressobj()

    def write(self, data: bytes) -> None:
        if output := self._inner.compress(data):
            self._write(output)

    def finish(self) -> None:
        self._write(self._inner.flush())

    def close(self) -> None:
        """Do nothing: the library ends its threads with the object."""


class InOrder:
    """Jobs that are done side by side, whose results are taken in the order of the jobs.

    So many wait at the most as keep every processor busy: memory is bounded.
    """

    def __init__(self, processors: int = 0) -> None:
        """Begin, with so many threads as there are processors, or with ``processors``."""
        from concurrent.futures import ThreadPoolExecutor

        count = processors or len(os.sched_getaffinity(0))
        self._executor = ThreadPoolExecutor(count)
        self._most = 2 * count
        self._under_way: deque[tuple[Future[bytes], Write]] = deque()

    def do(self, job: Callable[[], bytes], take: Write) -> None:
        """Begin ``job``; its result goes to ``take`` behind all that was begun before."""
        self._under_way.append((self._executor.submit(job), take))
        while len(self._under_way) > self._most:
            self._take()

    def finish(self) -> None:
        """Wait for what is under way."""
        while self._under_way:
            self._take()

    def close(self) -> None:
        """Let go of the threads, and of what nobody waits for any more."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _take(self) -> None:
        future, take = self._under_way.popleft()
        take(future.result())


def block_compressor(name: str) -> Callable[[bytes], bytes]:
    """Return what compresses one block by itself: zlib's format for ``gzip``, a frame of zstd.

    It may be called by several threads at once.
    """
    if name == "gzip":
        import zlib

        return lambda block: zlib.compress(block, _GZIP_BLOCK_LEVEL)
    from threading import local

    from zstandard import ZstdCompressor

    own = local()

    def compress(block: bytes) -> bytes:
        if not hasattr(own, "compressor"):
            own.compressor = ZstdCompressor(level=_ZSTD_BLOCK_LEVEL)
        compressed: bytes = own.compressor.compress(block)
        return compressed

    return compress


class _Gzip:
    """One gzip member, its blocks compressed side by side."""

    def __init__(self, write: Write, count: int) -> None:
        self._write = write
        self._jobs = InOrder(count)
        self._gathered: list[memoryview] = []
        self._length = 0
        self._before = b""
        self._checksum = 0
        self._size = 0
        write(_GZIP_HEAD)

    def write(self, data: bytes) -> None:
        from zlib import crc32

        self._checksum = crc32(data, self._checksum)
        self._size += len(data)
        rest = memoryview(data)
        # The last block is never empty where there is anything: it is begun by ``finish``.
        while self._length + len(rest) > _BLOCK:
            taken = _BLOCK - self._length
            self._gathered.append(rest[:taken])
            rest = rest[taken:]
            self._begin(is_last=False)
        self._gathered.append(rest)
        self._length += len(rest)

    def finish(self) -> None:
        self._begin(is_last=True)
        self._jobs.finish()
        tail = (self._checksum, self._size & 0xFFFFFFFF)
        self._write(b"".join(one.to_bytes(4, "little") for one in tail))

    def close(self) -> None:
        self._jobs.close()

    def _begin(self, *, is_last: bool) -> None:
        block = b"".join(self._gathered)
        self._gathered.clear()
        self._length = 0
        before, self._before = self._before, block[-_DICTIONARY:]
        self._jobs.do(lambda: _deflate(block, before, is_last=is_last), self._write)


def _deflate(block: bytes, before: bytes, *, is_last: bool) -> bytes:
    import zlib

    dictionary: dict[str, Any] = {"zdict": before} if before else {}
    inner = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, **dictionary)
    return inner.compress(block) + inner.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
