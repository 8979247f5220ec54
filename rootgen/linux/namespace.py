"""Namespaces: clone(2) into new ones, the maps of a user namespace, joining (setns(2))."""

from __future__ import annotations

import ctypes
import os
import signal
import time

from rootgen.linux.descriptor import record_closing, record_opening, record_write
from rootgen.linux.libc import call, check, function, numbers, system_call
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.linux.calls import Handler, Recorder, Slot

# linux/sched.h
CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# Their files in /proc/PID/ns (namespaces(7)).
FILES = {
    "user": "user",
    "mount": "mnt",
    "pid": "pid",
    "uts": "uts",
    "ipc": "ipc",
    "net": "net",
    "cgroup": "cgroup",
    "time": "time",
}

_OFFSETS_SIZE = 66
_UNSHARE = function("unshare", ctypes.c_int)
_SETNS = function("setns", ctypes.c_int, ctypes.c_int)
_SETHOSTNAME = function("sethostname", ctypes.c_char_p, ctypes.c_size_t)


def clone(flags: int) -> int:
    """Fork into the new namespaces ``flags``; return the child's id, and 0 in the child.

    The process must have one thread only. The child is process 1 of a new
    PID namespace at once, where unshare(2) would need a second fork. Python
    is not told, as ``os.fork`` tells it (Python/C API, PyOS_AfterFork_Child):
    what it then makes anew are the locks that another thread might have
    held, and what asked for it (``os.register_at_fork``) is for a child that goes
    on as its parent did. Raises OSError.
    """
    table = numbers()
    wanted = flags | signal.SIGCHLD
    arguments = (0, wanted) if table.stack_first else (wanted, 0)
    return check(system_call(table.clone, *arguments, 0, 0, 0))


def unshare(flags: int) -> None:
    """Move this process into new namespaces (unshare(2)); raise OSError."""
    check(call("unshare", flags))


def join(descriptor: int, kind: int = 0) -> None:
    """Move this process into the namespace ``descriptor`` is open on (setns(2)); raise OSError."""
    check(call("setns", descriptor, kind))


def record_unshare(recorder: Recorder, flags: int, failed: Handler) -> None:
    """Record that this process moves into new namespaces (unshare(2))."""
    recorder.call(_UNSHARE, flags, failed=failed)


def record_entering_new_time(recorder: Recorder, offsets: Slot, failed: Handler) -> None:
    """Record that this process moves into a new time namespace (time_namespaces(7)).

    ``offsets`` is where those of its clocks will be. unshare(2) moves only
    children there, and vfork(2) cannot (EINVAL before Linux 6.1): so this
    process joins it, which setns(2) can since 5.8.
    """
    record_unshare(recorder, CLONE_NEWTIME, failed)
    written = record_opening(recorder, "/proc/self/timens_offsets", os.O_WRONLY, failed)
    record_write(recorder, written, offsets, _OFFSETS_SIZE, failed)
    record_closing(recorder, written, failed)
    joined = record_opening(recorder, "/proc/self/ns/time_for_children", os.O_RDONLY, failed)
    recorder.call(_SETNS, joined, CLONE_NEWTIME, failed=failed)
    record_closing(recorder, joined, failed)


def time_offsets() -> bytes:
    """Return the offsets of a time namespace whose clocks start at 0, always as many bytes.

    The clocks are CLOCK_MONOTONIC and CLOCK_BOOTTIME, of which /proc/uptime tells.
    """
    monotonic, boottime = time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME
    return b"monotonic %20d 0\nboottime  %20d 0\n" % (
        -int(time.clock_gettime(monotonic)),
        -int(time.clock_gettime(boottime)),
    )


def record_host_name(recorder: Recorder, name: str, failed: Handler) -> None:
    """Record that this UTS namespace gets a name (sethostname(2))."""
    data = os.fsencode(name)
    recorder.call(_SETHOSTNAME, data, len(data), failed=failed)


def write_id_map(process: int, which: str, lines: Sequence[tuple[int, int, int]]) -> None:
    """Write the ``uid_map`` or ``gid_map`` of a process (user_namespaces(7)); raise OSError.

    Each line is (first id inside, first id outside, count); all go in one
    write, as the kernel demands.
    """
    text = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in lines)
    _write(f"/proc/{process}/{which}", text.encode())


def deny_setgroups(process: int) -> None:
    """Forbid setgroups(2) in a process's user namespace; raise OSError.

    An unprivileged map of groups demands it: else a member of a group that
    is refused something could drop that group (CVE-2014-8989).
    """
    _write(f"/proc/{process}/setgroups", b"deny")


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, data)
    except OSError as failure:
        failure.filename = path
        raise
    finally:
        os.close(descriptor)
