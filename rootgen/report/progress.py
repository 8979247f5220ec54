"""A line on the terminal while work takes longer than a second."""

from __future__ import annotations

import time

from rootgen.named import TYPE_CHECKING
from rootgen.report.words import printable, size_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

# Seconds: before the first line (shorter work shows none), and between two.
_PATIENCE = 1.0
_INTERVAL = 0.1
_CELLS = 24


class ProgressLine:
    """One line of a terminal, rewritten in place; nothing at all on anything else.

    Use it as a context manager, which erases the line at the end, and call
    it with a phase, what is done and the total.
    """

    def __init__(
        self,
        stream: TextIO,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start waiting; ``clock`` counts seconds."""
        self._stream = stream
        self._clock = clock
        self._next = clock() + _PATIENCE
        self._enabled = stream.isatty() and environ.get("TERM", "dumb") != "dumb"
        self._shown = False

    def __enter__(self) -> ProgressLine:
        """Return the line itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Erase the line, so that what follows starts clean."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` is done; with a total of 0, unknown, they are bytes."""
        now = self._clock() if self._enabled else 0.0
        if not self._enabled or now < self._next:
            return
        self._next = now + _INTERVAL
        self._shown = True
        self._stream.write(f"\r\x1b[K{bar(phase, done, total)}")
        self._stream.flush()


def bar(phase: str, done: int, total: int) -> str:
    """Return ``copying  [########------]  33 %``, or how many bytes where there is no total."""
    if total <= 0:
        return f"{printable(phase)}  {size_words(done)}"
    part = min(max(done, 0), total) / total
    filled = int(part * _CELLS)
    return f"{printable(phase)}  [{'#' * filled}{'-' * (_CELLS - filled)}] {part:4.0%}"
