"""Telling a person something on standard error that is worth less than what it is told about."""

from __future__ import annotations

import os
import signal
import time

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

# Seconds for which somebody may be slow to read.
PATIENCE = 1.0
# Between two attempts to interrupt write(2): the first may come before it was called.
_INTERVAL = 0.05


def write_note(told: bytes, patience: float = PATIENCE) -> None:
    """Write ``told`` to standard error, or what of it somebody takes within ``patience`` seconds.

    It never fails: the descriptor may be closed, the disk full, the reader
    gone or asleep. What standard error is stays as it is; to make it
    non-blocking would do so for all who share it, and to open it anew needs
    a right, and /proc. So a timer interrupts write(2) (setitimer(2), EINTR),
    whatever signals are blocked. This process must have one thread only.
    """
    try:
        with _Alarm(patience):
            while told:
                told = told[os.write(2, told) :]
    except (OSError, _TakenByNobodyError):
        return


class _TakenByNobodyError(Exception):
    """Nobody reads."""


class _Alarm:
    """A context that ``_TakenByNobodyError`` ends after a while; the caller's timer goes on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed = False

    def __enter__(self) -> None:
        """Set the timer."""
        self._began = time.monotonic()
        # Blocked by a launch, and pending if it was sent one: that is no reason to be silent.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        self._handler = signal.signal(signal.SIGALRM, self._ring)
        self._timer = signal.setitimer(signal.ITIMER_REAL, self._seconds, _INTERVAL)
        self._armed = True
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})

    def __exit__(self, *_: object) -> None:
        """Set everything back."""
        self._armed = False
        left, interval = self._timer
        if left:
            left = max(left - (time.monotonic() - self._began), 1e-6)
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, self._handler or signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed and time.monotonic() >= self._began + self._seconds:
            raise _TakenByNobodyError
