"""Jobs on bytes: done at once while there is little, in threads once there is much.

Copying and hashing leave Python's lock, so threads use every core; starting
them costs more than hashing the few megabytes of a small tree.
"""

from __future__ import annotations

import os
from collections import deque

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from rootgen.plan.entry import Entry

# Bytes that are done before threads are worth their 7 ms.
MUCH = 32 << 20
# Each job under way holds two open files; 1024 is the usual limit.
_UNDER_WAY = 64


class Work:
    """Jobs that each make an entry, wanted in the order in which they were given."""

    def __init__(self) -> None:
        """Start with none."""
        self._weight = 0
        self._executor: ThreadPoolExecutor | None = None
        self._pending: deque[Future[Entry]] = deque()
        self._results: list[Entry] = []

    def __enter__(self) -> Work:
        """Return the work itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Wait for what was begun; what fails only now is told by ``results``, or not at all."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=False)

    def do(self, weight: int, job: Callable[[], Entry]) -> None:
        """Do ``job``, of ``weight`` bytes, now or soon; raise what it or an earlier one raises."""
        self._weight += weight
        if self._executor is None and self._weight > MUCH:
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(os.cpu_count())
        if self._executor is None:
            self._results.append(job())
            return
        self._pending.append(self._executor.submit(job))
        if len(self._pending) > _UNDER_WAY:
            self._results.append(self._pending.popleft().result())

    def results(self) -> list[Entry]:
        """Wait for every job and return the results; raise what any of them raised."""
        while self._pending:
            self._results.append(self._pending.popleft().result())
        return self._results
