"""That a root is in use, for who removes layers: a lock on a file, as long as a launch goes on."""

from __future__ import annotations

import fcntl
import os

from rootgen.errors import LaunchError


class RootUse:
    """A context that holds the lock of a ``Root.use``, shared; killing its holder ends it."""

    def __init__(self, path: str, lock: int = -1) -> None:
        """Lock nothing yet; an empty path is no lock.

        ``lock`` is a descriptor by which another process has it locked, and hands it over: it is
        this object's from now on.
        """
        self._path = path
        self._lock = lock

    def __enter__(self) -> None:
        """Lock the file; raise LaunchError where it is gone, and with it maybe the layers."""
        if not self._path or self._lock >= 0:
            return
        try:
            self._lock = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise LaunchError(f"the layers of the image are not kept: {error.strerror}") from error
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    @property
    def locks(self) -> tuple[int, ...]:
        """The descriptor that the lock goes by (flock(2)), if there is one: to be handed over."""
        return (self._lock,) if self._lock >= 0 else ()

    def hand_over(self) -> None:
        """Leave the lock to who has got a copy of the descriptor."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def __exit__(self, *exc: object) -> None:
        """Let go of it; the last who does removes the file."""
        if self._lock < 0:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(self._path)
        except (BlockingIOError, FileNotFoundError):
            pass  # others use it as well; or who removes layers has seen that nobody does
        os.close(self._lock)
        self._lock = -1
