"""Namespaces: clone(2) into new ones, the maps of a user namespace, joining (setns(2))."""

from __future__ import annotations

import ctypes
import os
import signal
import time

from rootgen.linux.libc import call, check, numbers, system_call
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def clone(flags: int) -> int:
    """Fork into the new namespaces ``flags``; return the child's id, and 0 in the child.

    The process must have one thread only. The child is process 1 of a new
    PID namespace at once, where unshare(2) would need a second fork. Python
    is told, as ``os.fork`` does (Python/C API, PyOS_AfterFork_Child). Raises
    OSError.
    """
    table = numbers()
    wanted = flags | signal.SIGCHLD
    ctypes.pythonapi.PyOS_BeforeFork()
    arguments = (0, wanted) if table.stack_first else (wanted, 0)
    result = system_call(table.clone, *arguments, 0, 0, 0)
    if result == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return check(result)


def unshare(flags: int) -> None:
    """Move this process into new namespaces (unshare(2)); raise OSError."""
    check(call("unshare", flags))


def join(descriptor: int, kind: int = 0) -> None:
    """Move this process into the namespace ``descriptor`` is open on (setns(2)); raise OSError."""
    check(call("setns", descriptor, kind))


def enter_new_time() -> None:
    """Move this process into a new time namespace whose clocks start at 0 (time_namespaces(7)).

    The clocks are CLOCK_MONOTONIC and CLOCK_BOOTTIME, of which /proc/uptime
    tells. unshare(2) moves only children there, and vfork(2) cannot (EINVAL
    before Linux 6.1): so this process joins it, which setns(2) can since
    5.8. Raises OSError.
    """
    unshare(CLONE_NEWTIME)
    offsets = "".join(
        f"{name} {-int(time.clock_gettime(clock))} 0\n"
        for name, clock in (("monotonic", time.CLOCK_MONOTONIC), ("boottime", time.CLOCK_BOOTTIME))
    )
    _write("/proc/self/timens_offsets", offsets.encode())
    descriptor = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
    try:
        join(descriptor, CLONE_NEWTIME)
    finally:
        os.close(descriptor)


def set_host_name(name: str) -> None:
    """Name this UTS namespace (sethostname(2)); raise OSError."""
    data = os.fsencode(name)
    check(call("sethostname", data, ctypes.c_size_t(len(data))), name)


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
