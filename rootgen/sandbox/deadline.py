"""The time limit of a launch: when it is told to end, and when it is made to (timeout(1)).

A clock is passed in, never read: what happens when is a matter of values.
"""

from __future__ import annotations

import signal

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.sandbox.launch import TimeLimit

# timeout(1), "Exit status".
TIMED_OUT = 124
# In seconds: poll(2) takes no more than 24 days. Whoever waits looks again what is due then.
LONGEST_WAIT = 3600.0


class Deadline:
    """What is still to be sent to a launch, and when: SIGTERM at first, SIGKILL a while later.

    Times are those of ``time.monotonic()``, in seconds.
    """

    def __init__(self, limit: TimeLimit | None, now: float) -> None:
        """Take the limit, counted from ``now``; None sets none until ``stop``."""
        self.timed_out = False
        self._by_limit = True
        self._told = False
        self._kill_after = 0.0
        self._at: float | None = None
        if limit is not None:
            self._kill_after = limit.kill_after
            self._at = now + limit.seconds

    def stop(self, now: float, kill_after: float) -> None:
        """Have the launch end from ``now`` on, whatever its limit says."""
        self._by_limit = self._told = False
        self._kill_after = kill_after
        self._at = now

    def patience(self, now: float) -> float | None:
        """Return for how many seconds to wait, an hour at most: nothing is due; None for ever."""
        return None if self._at is None else min(max(self._at - now, 0.0), LONGEST_WAIT)

    def due(self, now: float) -> tuple[int, ...]:
        """Return the signals that process 1 is to get now; each is returned once.

        SIGCONT follows SIGTERM, as timeout(1) has it: who is stopped could
        not end.
        """
        if self._at is None or now < self._at:
            return ()
        if self._told:
            self._at = None
            return (signal.SIGKILL,)
        self._told = True
        self.timed_out = self.timed_out or self._by_limit
        self._at = now + self._kill_after
        return (signal.SIGTERM, signal.SIGCONT)

    def status(self, status: int) -> int:
        """Return the exit status of a launch that ended with ``status``, as timeout(1) has it.

        124 where the time was over, 137 where SIGKILL was needed.
        """
        killed = status == 128 + signal.SIGKILL
        return TIMED_OUT if self.timed_out and not killed else status
