"""How long a registry is waited for, and how often it is asked again."""

from __future__ import annotations

import os
import time

from rootgen.errors import ImageError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

# Progress that earns new attempts: who gives a byte each time is not asked for ever.
_EARNS = 1 << 20


class Patience(NamedTuple):
    """Seconds, and how many attempts are made of one thing.

    ``connect`` to be connected; ``silence`` until something comes; ``head``
    for an answer, or for each 64 KiB where it is a blob. ``first`` is waited
    before the second attempt, twice that before the third, up to ``longest``;
    a registry's Retry-After counts up to ``asked``.
    """

    attempts: int = 6
    connect: float = 20.0
    silence: float = 60.0
    head: float = 120.0
    first: float = 0.5
    longest: float = 30.0
    asked: float = 120.0


class AgainError(Exception):
    """What may go better the next time: ``error`` is what to say where it does not."""

    def __init__(self, error: ImageError, after: float | None = None) -> None:
        """Keep the error, and the seconds that the registry wants to be left alone for."""
        super().__init__(error.what)
        self.error = error
        self.after = after


class StoppedError(Exception):
    """Another transfer failed, or a person pressed Ctrl-C: this one has nothing to say."""


class Attempts:
    """The attempts at one thing; ``again`` waits before the next one, or raises."""

    def __init__(self, patience: Patience, stop: threading.Event) -> None:
        """Begin; ``stop`` ends every wait."""
        self._patience = patience
        self._stop = stop
        self._failed = 0
        self._done = 0

    def again(self, failure: AgainError, done: int = 0) -> None:
        """Wait until the next attempt; ``done`` bytes are behind us by now.

        Raises the failure's own error after the last attempt, or where the
        registry wants more time than anyone waits; StoppedError.
        """
        if done - self._done >= _EARNS:
            self._done, self._failed = done, 0
        self._failed += 1
        patience = self._patience
        if self._failed >= patience.attempts:
            raise failure.error
        after = failure.after
        if after is not None and after > patience.asked:
            raise ImageError(
                failure.error.what,
                why=(*failure.error.why, f"it asks to be left alone for {after:.0f} s"),
                hint=failure.error.hint,
            )
        pause = min(patience.first * 2 ** (self._failed - 1), patience.longest)
        # Of many who were refused at once, none come back at once ("full jitter", from a half up).
        pause *= 0.5 + int.from_bytes(os.urandom(2), "big") / 0x20000
        if self._stop.wait(max(pause, after or 0.0)):
            raise StoppedError


def retry_after(written: str, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds that Retry-After says (RFC 9110, 10.2.3), None where it says nothing."""
    if written.isascii() and written.isdigit():
        return float(written[:9])
    if not written:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(written).timestamp() - now())
    except (ValueError, OverflowError):
        return None
