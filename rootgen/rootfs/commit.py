"""Putting a finished tree in its place, in one rename, whatever signals come."""

from __future__ import annotations

import errno
import os
import signal

from rootgen.errors import TreeError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers

# What ends a program that does not look out: the terminal going away, kill(1), shutdown.
_ENDING = (signal.SIGTERM, signal.SIGHUP)
# The kernel or the file system has no such rename (renameat2(2)).
_NO_EXCHANGE = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))


class Ended(BaseException):
    """A signal that ends the process has come; what was begun is taken back first."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__(number)
        self.number = number


class Endable:
    """A context in which SIGTERM and SIGHUP unwind before they end the process.

    Where the program has handlers of its own, or we are not in the main
    thread (then Python has no say), nothing changes.
    """

    def __init__(self) -> None:
        """Change nothing yet."""
        self._changed: list[int] = []

    def __enter__(self) -> None:
        """Set the handlers."""
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL and _set(number, _end):
                self._changed.append(number)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Put the handlers back; end as the signal would have ended us."""
        for number in self._changed:
            signal.signal(number, signal.SIG_DFL)
        if isinstance(error, Ended):
            os.kill(os.getpid(), error.number)


class Undisturbed:
    """A context in which Ctrl-C and the like are not heard.

    From the rename on the work is done: an interruption must not make it
    look as if it were not.
    """

    def __init__(self) -> None:
        """Change nothing yet."""
        self._before: list[tuple[int, Handler]] = []

    def __enter__(self) -> None:
        """Stop hearing; what came before is raised first."""
        for number in (signal.SIGINT, *_ENDING):
            before = signal.getsignal(number)
            # One that Python did not set could not be put back.
            if before is not None and _set(number, signal.SIG_IGN):
                self._before.append((number, before))

    def __exit__(self, *exc: object) -> None:
        """Hear again."""
        for number, before in self._before:
            signal.signal(number, before)


def take_free_place(parent: int, temporary: str, name: str) -> None:
    """Rename ``temporary`` to ``name``, where nothing or an empty directory is.

    rename(2) replaces an empty directory and nothing else. Raises OSError.
    """
    os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)


def exchange_places(
    parent: int, temporary: str, name: str, expected: tuple[int, int], aside: str
) -> str:
    """Let the tree at ``temporary`` and the one at ``name`` change places.

    ``expected`` is the device and inode of the tree to be replaced. Returns
    the name that the old one has now: ``temporary``, or ``aside`` where the
    file system cannot exchange and two renames must do. Raises OSError, and
    TreeError where something else was at ``name`` (everything is as before).
    """
    from rootgen.linux.rename import exchange

    try:
        exchange(parent, temporary, parent, name)
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        _rename_twice(parent, temporary, name, aside)
        return aside
    status = os.stat(temporary, dir_fd=parent, follow_symlinks=False)
    if (status.st_dev, status.st_ino) != expected:
        exchange(parent, temporary, parent, name)
        raise TreeError(f"{name} was replaced by something else meanwhile; it is untouched")
    return temporary


def _rename_twice(parent: int, temporary: str, name: str, aside: str) -> None:
    os.rename(name, aside, src_dir_fd=parent, dst_dir_fd=parent)
    try:
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        os.rename(aside, name, src_dir_fd=parent, dst_dir_fd=parent)
        raise


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    raise Ended(number)


def _set(number: int, handler: Handler) -> bool:
    try:
        signal.signal(number, handler)
    except ValueError:
        return False  # not the main thread
    return True
