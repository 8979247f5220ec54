"""What a host answered: read within its time, and up to a size."""

from __future__ import annotations

import http.client
import io
import time

from rootgen.errors import ImageError
from rootgen.image.registry.failure import FAILURES, lost
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    from rootgen.image.registry.patience import Patience
    from rootgen.image.registry.url import Url

# What must have come of a blob when ``Patience.head`` is over, for as long again.
_ENOUGH = 64 << 10
# What is read of an answer that nobody wants, so that the connection can be used again.
_LEFT = 64 << 10
_DIGITS = 19  # of what fits into 63 bits


class Answer:
    """An answer whose head was read; to be closed, or read to its end."""

    def __init__(
        self, url: Url, response: WatchedResponse, release: Callable[[bool], None]
    ) -> None:
        """Read from ``response``; ``release`` is told whether its connection is of use again."""
        self.url = url
        self.status = response.status
        self._response = response
        self._release: Callable[[bool], None] | None = release
        self._came = 0

    def field(self, name: str) -> str:
        """Return a header field, or nothing."""
        return self._response.getheader(name, "") or ""

    def fields(self, name: str) -> tuple[str, ...]:
        """Return each of the fields of that name."""
        return tuple(self._response.headers.get_all(name) or ())

    def length(self) -> int | None:
        """Return the size that the answer says of its body, None where it says none."""
        return parse_count(self.field("Content-Length"))

    def media_type(self) -> str:
        """Return the media type without its parameters."""
        return self.field("Content-Type").partition(";")[0].strip().lower()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of a blob, none at its end; raise AgainError.

        Each 64 KiB of it buys the time for the next: frames around it, or
        lines after it, buy none.
        """
        data = self._read(min(size, _ENOUGH))
        self._came += len(data)
        if self._came >= _ENOUGH:
            self._came = 0
            self._response.renew()
        return data

    def document(self, limit: int) -> bytes:
        """Return the whole body, which has one window of time; close the answer.

        Raises ImageError where it is longer than ``limit``, AgainError where
        it was cut off.
        """
        data = bytearray()
        while len(data) <= limit and (more := self._read(limit + 1 - len(data))):
            data += more
        if len(data) > limit:
            self.drop()
            raise ImageError(f"{self.url.shown()} answers with more than {limit >> 10} KiB")
        if len(data) < (self.length() or 0):
            self.drop()
            raise lost(self.url, None)
        self.close()
        return bytes(data)

    def close(self) -> None:
        """Have the connection ready for the next request, or let go of it."""
        if self._release is None:
            return
        try:
            left = _LEFT
            while left > 0 and (data := self._response.read(left)):
                left -= len(data)
        except (*FAILURES, ValueError):
            left = 0
        self._end(reusable=left > 0 and not self._response.will_close)

    def drop(self) -> None:
        """Let go of the connection, whatever still comes."""
        self._end(reusable=False)

    def __enter__(self) -> Answer:
        """Return the answer itself."""
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        """Close it, or let go of it where something failed."""
        if kind is None:
            self.close()
        else:
            self.drop()

    def _read(self, size: int) -> bytes:
        try:
            return self._response.read(size)
        except (*FAILURES, ValueError) as error:
            self.drop()
            raise lost(self.url, error) from error

    def _end(self, *, reusable: bool) -> None:
        self._response.close()
        release, self._release = self._release, None
        if release is not None:
            release(reusable)


class WatchedResponse(http.client.HTTPResponse):
    """Reads through a stream with limits: http.client's own timeout begins anew with every byte."""

    def __init__(
        self, sock: socket.socket, *arguments: Any, patience: Patience, **options: Any
    ) -> None:
        super().__init__(sock, *arguments, **options)
        self._watched = _Watched(self.fp.detach(), sock, patience)
        self.fp = io.BufferedReader(self._watched, _ENOUGH)
        self.renew = self._watched.renew


def parse_count(written: str) -> int | None:
    """Return the number of bytes that a field says, None where it says none (RFC 9110, 8.6)."""
    # int() refuses thousands of digits with an error of its own.
    sound = written.isascii() and written.isdigit() and len(written) <= _DIGITS
    return int(written) if sound else None


def watched_by(patience: Patience, made: list[WatchedResponse]) -> Any:
    """Return what http.client makes its answers with; ``made`` has the last one."""

    def make(*arguments: Any, **options: Any) -> WatchedResponse:
        made[:] = [WatchedResponse(*arguments, patience=patience, **options)]
        return made[0]

    return make


class _Watched(io.RawIOBase):
    """What comes from a socket: something within each silence, what is wanted within its window."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, patience: Patience) -> None:
        self._raw = raw
        self._socket = sock
        self._patience = patience
        self.renew()

    def renew(self) -> None:
        """Begin a window."""
        self._until = time.monotonic() + self._patience.head

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read once; raise TimeoutError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it answers too slowly")
        self._socket.settimeout(min(left, self._patience.silence))
        return int(self._raw.readinto(buffer) or 0)

    def close(self) -> None:
        """Close what is read from."""
        self._raw.close()
        super().close()
