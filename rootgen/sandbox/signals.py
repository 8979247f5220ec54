"""Which signals a launch passes on: all that a process may be told and that mean no fault."""

from __future__ import annotations

import os
import signal

# Plain numbers: of Python's own names for them each is an object that process 1 would touch.

# What the keyboard sends goes to a whole job; anything else to one process.
JOB = frozenset(map(int, (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGCONT)))
CAUGHT = JOB | {
    int(signal.SIGHUP),
    int(signal.SIGTERM),
    int(signal.SIGUSR1),
    int(signal.SIGUSR2),
    int(signal.SIGALRM),
    int(signal.SIGPWR),
    int(signal.SIGWINCH),
    int(signal.SIGCHLD),
}
# Python ignores these; a program expects them as they come.
IGNORED_BY_PYTHON = (int(signal.SIGPIPE), int(signal.SIGXFSZ))


def pass_on(process: int, number: int) -> None:
    """Send a signal to a child that leads a session of its own, or to its foreground job.

    In a process group that nobody outside controls SIGTSTP would be ignored
    (setpgid(2)): it is sent as SIGSTOP.
    """
    sent = signal.SIGSTOP if number == signal.SIGTSTP else number
    try:
        if number in JOB:
            os.killpg(process, sent)
        else:
            os.kill(process, sent)
    except ProcessLookupError:
        return  # it ended, or has not called setsid(2) yet and is told again by who waits
    except PermissionError:
        return  # it became somebody whom it may not signal either: setuid(2) is its right


def status_of(wait_status: int) -> int:
    """Return the exit status that a shell reports: 128 + n for who was killed by signal n."""
    if os.WIFSIGNALED(wait_status):
        return 128 + os.WTERMSIG(wait_status)
    return os.WEXITSTATUS(wait_status)
