"""Several transfers side by side, of which the first that fails ends the others."""

from __future__ import annotations

import threading

from rootgen.image.registry.patience import StoppedError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from rootgen.image.registry.transport import Transport

    Result = TypeVar("Result")

AT_ONCE = 4
_TICK = 0.1  # seconds between two looks at how far it is
_LEAVE = 10.0  # seconds for a thread to notice that it is to end


class Counter:
    """Bytes that went or came; added to by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.done = 0

    def add(self, size: int) -> None:
        """Count ``size`` more, or less where it is below 0."""
        with self._lock:
            self.done += size


def side_by_side(
    jobs: Sequence[Callable[[], Result]],
    transport: Transport,
    tick: Callable[[], None] | None = None,
) -> list[Result]:
    """Return what each of ``jobs`` returns, AT_ONCE at a time; ``tick`` is called meanwhile.

    Raises what the first to fail raised, after the others have ended;
    likewise on Ctrl-C.
    """
    running = _Running(list(jobs))
    threads = [
        threading.Thread(target=running.work, daemon=True) for _ in range(min(AT_ONCE, len(jobs)))
    ]
    try:
        for one in threads:
            one.start()
        while not running.ended.wait(_TICK):
            if tick is not None:
                tick()
        if running.failures:
            raise running.failures[0]
    finally:
        if len(running.results) < len(jobs):
            transport.abort()
        for one in threads:
            if one.ident is not None:
                one.join(_LEAVE)
    return [running.results[number] for number in range(len(jobs))]


class _Running:
    """What the threads share."""

    def __init__(self, jobs: list[Callable[[], Any]]) -> None:
        self._jobs = list(enumerate(jobs))[::-1]
        self._lock = threading.Lock()
        self._left = len(jobs)
        self.results: dict[int, Any] = {}
        self.failures: list[BaseException] = []
        self.ended = threading.Event()
        if not jobs:
            self.ended.set()

    def work(self) -> None:
        """Do one job after the other, until none is left or one failed."""
        while True:
            with self._lock:
                if not self._jobs or self.failures:
                    return
                number, job = self._jobs.pop()
            try:
                result = job()
            except StoppedError:
                return
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                self.failures.append(error)
                self.ended.set()
                return
            with self._lock:
                self.results[number] = result
                self._left -= 1
                if not self._left:
                    self.ended.set()
