"""The launcher: keeps a launch's streams, limits and time, and waits for its end."""

from __future__ import annotations

import os
import signal
import time

from rootgen.linux import process
from rootgen.linux.note import write_note
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.cgroup import Groups
from rootgen.sandbox.deadline import Deadline
from rootgen.sandbox.inside import prepare
from rootgen.sandbox.place import failure, remove_made
from rootgen.sandbox.signals import CAUGHT, status_of
from rootgen.sandbox.start import end, error_told, let_go, next_message, start

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.start import Child

_KILLED = 128 + signal.SIGKILL


def perform(launch: Launch) -> int:
    """Perform the launch; return the program's exit status (128 + n for signal n).

    Where its time was over that is 124, or 137 where it had to be killed.
    Raises LaunchError (NotFoundError, NotExecutableError) where the program
    was not started. This process must have one thread only.
    """
    with Undoing(launch):
        return _with_streams(launch)


class Undoing:
    """A context whose failure leaves nothing in the tree, and is a LaunchError where an OSError."""

    def __init__(self, launch: Launch) -> None:
        """Take the launch that is begun within."""
        self._launch = launch

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Remove the mount points that were made; raise LaunchError for an OSError."""
        if error is None:
            return
        top = self._launch.root.top
        remove_made(top, self._launch.missing)
        if isinstance(error, OSError):
            raise failure(f"launch {self._launch.command[0]} in {top}", error) from error


def _with_streams(launch: Launch) -> int:
    fillers = _fill_standard_descriptors()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
    try:
        with Groups(launch.limits) as groups:
            deadline = Deadline(launch.time_limit, time.monotonic())
            status = _accompany(launch, start(prepare(launch), groups, mask), deadline)
            for note in ending_notes(launch, status, deadline, groups):
                write_note(f"rootgen: {note}\n".encode())
            return deadline.status(status)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for descriptor in fillers:
            os.close(descriptor)


def ending_notes(launch: Launch, status: int, deadline: Deadline, groups: Groups) -> list[str]:
    """Return what a person should know of how a launch ended, besides its status."""
    killed = status == _KILLED
    if deadline.timed_out and launch.time_limit is not None:
        seconds, kill_after = launch.time_limit
        how = f"SIGTERM, and SIGKILL {kill_after:g} s later" if killed else "SIGTERM"
        return [f"its time of {seconds:g} s was over: ended by {how}"]
    if number := groups.out_of_memory():
        return [_out_of_memory(number, killed=killed)]
    return []


def _out_of_memory(number: int, *, killed: bool) -> str:
    what = "out of memory: the limit of --memory was reached"
    if killed and number == 1:
        return what
    those = "a process" if number == 1 else f"{number} processes"
    return f"{what}, and the kernel killed {those} in there"


def _fill_standard_descriptors() -> list[int]:
    """Occupy what the caller left closed of 0, 1 and 2, so that nothing of ours takes its place.

    What fills it is close-on-exec: the program finds it closed, as it was.
    """
    fillers: list[int] = []
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        if descriptor > 2:  # noqa: PLR2004 - the last of the standard streams
            os.close(descriptor)
            return fillers
        fillers.append(descriptor)


def _accompany(launch: Launch, child: Child, deadline: Deadline) -> int:
    """Relay or pass on signals until the child ends; return how it ended."""
    try:
        told, descriptors = next_message(child.channel) if launch.terminal else (b"", ())
        if descriptors:
            status = relay(descriptors[0], child.process, deadline)
        else:
            status = supervise(child.process, deadline)
    except BaseException:
        end(child)
        raise
    try:
        error = error_told(launch, child.channel, told)
    finally:
        let_go(child)
    if error is not None:
        raise error
    return status


def supervise(child: int, deadline: Deadline) -> int:
    """Pass signals on to the child, and what is due, until it ends; return its exit status."""
    while True:
        now = time.monotonic()
        for number in deadline.due(now):
            os.kill(child, number)
        number = _next_signal(deadline.patience(now))
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status_of(status)
        elif number not in (0, signal.SIGWINCH):
            os.kill(child, number)
            if number == signal.SIGTSTP:
                # The program stops, and so do we, for the shell that waits for us.
                os.kill(os.getpid(), signal.SIGSTOP)


def _next_signal(patience: float | None) -> int:
    """Return the next signal that is caught, or 0 where none came in ``patience`` seconds."""
    if patience is None:
        return signal.sigwaitinfo(CAUGHT).si_signo
    told = signal.sigtimedwait(CAUGHT, patience)
    return told.si_signo if told is not None else 0


def relay(terminal: int, child: int, deadline: Deadline) -> int:
    """Relay the terminal that the child opened to ours; return the child's exit status."""
    from rootgen.sandbox.relay import Relay

    signals = process.signal_descriptor(CAUGHT)
    try:
        return Relay(terminal, child, signals, deadline).run()
    finally:
        os.close(signals)
