"""Pieces taken by a thread beside the caller's: digested or written while the next are read."""

from __future__ import annotations

import os

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import Queue
    from threading import Thread

# So many pieces wait at the most: enough to even out what reading takes, and bounded memory.
_WAITING = 4
# A thread is begun with this piece: one alone is taken sooner without.
_BEGINNING = 2


class Beside:
    """Takes pieces in their order; a context manager, whose end is that of its thread.

    There is a thread where there is a processor for it. It holds Python's
    lock only between two pieces, so each should be large, and must stay as
    it is. What is taken should not wait for anybody else: the end of the
    context waits for the piece under way.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        """Begin with nothing."""
        self._take = take
        self._pieces = 0
        self._thread: Thread | None = None
        self._waiting: Queue[bytes | None] | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Beside:
        """Return itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End the thread; what fails only now is told by ``finish``, or not at all."""
        self._end()

    def give(self, piece: bytes) -> None:
        """Have ``piece`` taken now or soon; raise what taking an earlier one raised."""
        if self._failure is not None:
            raise self._failure
        self._pieces += 1
        if self._pieces == _BEGINNING and len(os.sched_getaffinity(0)) > 1:
            self._begin()
        if self._waiting is None:
            self._take(piece)
        else:
            self._waiting.put(piece)

    def finish(self) -> None:
        """Wait until all is taken; raise what taking it raised."""
        self._end()
        if self._failure is not None:
            raise self._failure

    def _begin(self) -> None:
        from queue import Queue
        from threading import Thread

        self._waiting = Queue(_WAITING)
        # A daemon: it does nothing that the end of the process need wait for.
        self._thread = Thread(target=self._work, args=(self._waiting,), daemon=True)
        self._thread.start()

    def _work(self, waiting: Queue[bytes | None]) -> None:
        while (piece := waiting.get()) is not None:
            # After a failure the rest goes nowhere, so that who gives it need not wait.
            if self._failure is None:
                try:
                    self._take(piece)
                except BaseException as failure:  # noqa: BLE001 - it is the caller's
                    self._failure = failure

    def _end(self) -> None:
        if self._waiting is not None and self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        self._waiting = self._thread = None
