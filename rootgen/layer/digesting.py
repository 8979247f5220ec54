"""A SHA-256 of much, made by a thread beside the caller's."""

from __future__ import annotations

import os

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from queue import Queue
    from threading import Thread

# So many pieces wait at the most: enough to even out what reading takes, and bounded memory.
_WAITING = 4


class Digesting:
    """The SHA-256 of pieces; use it as a context manager, whose end is that of its thread.

    A thread is begun with the second piece, where there is a processor for
    it: it holds Python's lock only between two pieces, of which each should
    be large. What is given must stay as it is.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        from hashlib import sha256  # OpenSSL costs 3 ms: only where there are bytes to digest

        self._digest = sha256()
        self._pieces = 0
        self._thread: Thread | None = None
        self._waiting: Queue[bytes | None] | None = None

    def __enter__(self) -> Digesting:
        """Return the digest itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End the thread."""
        self._end()

    def update(self, piece: bytes) -> None:
        """Add ``piece``."""
        self._pieces += 1
        if self._pieces == 2 and len(os.sched_getaffinity(0)) > 1:  # noqa: PLR2004 - see above
            self._begin()
        if self._waiting is None:
            self._digest.update(piece)
        else:
            self._waiting.put(piece)

    def hexdigest(self) -> str:
        """Return the digest of all pieces, in hexadecimal; there can be no more of them."""
        self._end()
        return self._digest.hexdigest()

    def _begin(self) -> None:
        from queue import Queue
        from threading import Thread

        waiting: Queue[bytes | None] = Queue(_WAITING)
        digest = self._digest

        def work() -> None:
            while (piece := waiting.get()) is not None:
                digest.update(piece)

        self._waiting = waiting
        # A daemon: it does nothing that the end of the process need wait for.
        self._thread = Thread(target=work, name="digest", daemon=True)
        self._thread.start()

    def _end(self) -> None:
        if self._waiting is not None and self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        self._waiting = self._thread = None
