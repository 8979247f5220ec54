"""A program of the host's beside a launch: started with nothing of ours, and ended with us."""

from __future__ import annotations

import os
import signal

from rootgen.linux import process
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    Prepare = Callable[[], Sequence[str]]


def spawn(prepare: Prepare, streams: tuple[int, int], kept: Sequence[int] = ()) -> int:
    """Start a program with two streams (input; output and error), in a session of its own.

    In ours it would get the keyboard's Ctrl-C. The kernel kills it when we
    die. ``prepare`` is called in it, with the descriptors that ``kept`` has
    open as ours, and returns its command. Returns its process id.
    """
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _become(prepare, streams, kept, parent)
    return child


def end(process_id: int) -> None:
    """Kill a program that was started so, and wait for its end."""
    if not _was_reaped(process_id):
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)


def _become(
    prepare: Prepare, streams: tuple[int, int], kept: Sequence[int], parent: int
) -> NoReturn:
    try:
        os.setsid()
        for number in range(1, signal.NSIG):
            if number not in (signal.SIGKILL, signal.SIGSTOP) and signal.getsignal(number):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.dup2(streams[0], 0)
        os.dup2(streams[1], 1)
        os.dup2(streams[1], 2)
        process.close_on_exec_from(3)
        for one in kept:
            os.set_inheritable(one, True)  # noqa: FBT003 - it takes no keyword
        command = prepare()
        # Not before: a change of ids or namespaces disarms it (PR_SET_PDEATHSIG(2const)).
        process.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.execve(command[0], list(command), {})
    except OSError as error:
        os.write(2, f"{error.filename or 'it'}: {error.strerror}\n".encode())
    finally:
        os._exit(1)


def _was_reaped(process_id: int) -> bool:
    """Say whether a child's end was taken note of: who waits for any child may have met it."""
    try:
        os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False
