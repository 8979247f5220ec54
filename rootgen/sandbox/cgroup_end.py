"""The end of a launch's groups: removed, whatever became of the launcher.

Three are there to do it: the launcher itself; where it was killed, a watcher
that it forked beforehand and that does nothing else; and where both were,
the next launch that has limits (``sweep``).
"""

from __future__ import annotations

import errno
import os
import signal
import time

from rootgen.errors import LaunchError
from rootgen.linux.process import close_from, set_command_line
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.cgroup_facts import maker_is_gone
from rootgen.sandbox.cgroup_file import failure, read_lines, write
from rootgen.sandbox.limits import INNER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from rootgen.sandbox.limits import Limit

# The kernel finishes the last exits of a group after wait(2) told of them: rmdir may meet EBUSY.
_PATIENCE = 5.0
_PAUSE = 0.002
# Somebody else's, somebody was quicker, or its processes are still dying.
_NOT_OURS = (errno.EBUSY, errno.ENOENT, errno.EACCES, errno.EPERM)


def remove_groups(limits: Sequence[Limit]) -> None:
    """Remove what ``limits`` made, as far as it is there; raise LaunchError.

    Whoever was in a group is dead, or dying. This process goes back to its
    own group only after its children's controllers are off, and they are
    off only after the limited group is gone.
    """
    for limit in limits:
        for directory in dict.fromkeys((limit.inner, limit.directory)):
            _remove_group(directory)
    for limit in limits:
        if limit.leaf and os.path.isdir(limit.leaf):
            text = " ".join(f"-{one}" for one in limit.controllers)
            write(f"{limit.parent}/cgroup.subtree_control", text)
            write(f"{limit.parent}/cgroup.procs", str(os.getpid()))
            _remove_group(limit.leaf)


def start_watcher(limits: Sequence[Limit]) -> tuple[int, int]:
    """Fork the process that removes the groups when this one dies; return its id and its line.

    The line is the descriptor whose closing tells it: this process holds the only one for as
    long as it lives.
    """
    inner, line = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        _watch(inner, limits)
    os.close(inner)
    return watcher, line


def stop_watcher(watcher: int, line: int) -> None:
    """End the watcher, which has nothing to do any more."""
    os.kill(watcher, signal.SIGKILL)
    os.waitpid(watcher, 0)
    os.close(line)


def sweep(parent: str) -> None:
    """Remove the groups beneath ``parent`` whose launchers are dead; raise LaunchError."""
    for name in os.listdir(parent):
        if not maker_is_gone(name):
            continue
        try:
            if os.path.isdir(f"{parent}/{name}/{INNER}"):
                os.rmdir(f"{parent}/{name}/{INNER}")
            os.rmdir(f"{parent}/{name}")
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise failure(f"remove the cgroup {parent}/{name}", error) from error


def _watch(line: int, limits: Sequence[Limit]) -> NoReturn:
    """Wait for the launcher's end, then remove its groups and whoever is still in them."""
    status = 1
    try:
        os.setsid()
        os.chdir("/")
        # Nothing of the caller's is held open by us: no pipe, no directory, no line of another's.
        os.dup2(line, 0)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        close_from(3)
        set_command_line(b"rootgen: watcher of cgroups")
        while os.read(0, 1):
            pass
        for limit in limits:
            _kill_all(limit.inner)
        remove_groups(limits)
        status = 0
    finally:
        os._exit(status)


def _kill_all(directory: str) -> None:
    """Kill whoever is in a group that has lost its launcher, until nobody is."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            processes = read_lines(f"{directory}/cgroup.procs")
        except FileNotFoundError:
            return
        if not processes:
            return
        for process in processes:
            try:
                os.kill(int(process), signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(_PAUSE)


def _remove_group(path: str) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return
            if error.errno != errno.EBUSY:
                raise failure(f"remove the cgroup {path}", error) from error
            if time.monotonic() > end:
                raise LaunchError(
                    f"cannot remove the cgroup {path}", why=("processes are still in it",)
                ) from error
            time.sleep(_PAUSE)
        else:
            return
