"""What one process can say of itself: prctl(2), its descriptors, its signals as a descriptor."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from rootgen.linux.libc import (
    CLOSE_RANGE,
    call,
    check,
    error,
    function,
    last_errno,
    system_call,
)
from rootgen.linux.signal_set import signal_set
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from rootgen.linux.calls import Handler, Label, Recorder

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
_PR_GET_NO_NEW_PRIVS = 39

# proc_pid_stat(5): where the command line of the process lies, counted behind the name.
_ARGUMENTS_START = 48 - 3
_START_TIME = 22 - 3
_ENDED = (b"Z", b"X", b"x")
_STAT_LIMIT = 4096

_AREA: list[int] = []

_LONG = ctypes.c_ulong
_SETSID = function("setsid")
_ID = ctypes.c_uint  # uid_t and gid_t, in glibc as in musl
_SETRESGID = function("setresgid", _ID, _ID, _ID)
_SETRESUID = function("setresuid", _ID, _ID, _ID)
_UMASK = function("umask", ctypes.c_uint)
_PRCTL = function("prctl", ctypes.c_int, _LONG, _LONG, _LONG, _LONG)

_CLOSE_RANGE_CLOEXEC = 4
_LAST = 0xFFFFFFFF

_SIGINFO_BYTES = 128  # struct signalfd_siginfo


def prctl(option: int, argument: int, name: str) -> None:
    """Ask the kernel for an operation of one argument (prctl(2)); raise OSError naming ``name``."""
    check(_PRCTL(option, argument, 0, 0, 0), name)


def record_new_session(recorder: Recorder, failed: Handler) -> None:
    """Record that this process leads a session of its own (setsid(2))."""
    recorder.call(_SETSID, failed=failed)


def record_ids(recorder: Recorder, uid: int, gid: int, failed: Handler) -> None:
    """Record that the real, effective and saved ids become these (setresuid(2))."""
    recorder.call(_SETRESGID, gid, gid, gid, failed=failed)
    recorder.call(_SETRESUID, uid, uid, uid, failed=failed)


def record_umask(recorder: Recorder, umask: int, failed: Handler) -> None:
    """Record that the umask is set."""
    recorder.call(_UMASK, umask, failed=failed)


def record_prctl(
    recorder: Recorder,
    option: int,
    argument: int,
    failed: Handler,
    expected: tuple[int, ...] = (),
    then: Label | None = None,
) -> None:
    """Record a prctl(2) of one argument; the rest is as ``Recorder.call`` has it."""
    whole = (option, argument, 0, 0, 0)
    recorder.call(_PRCTL, *whole, failed=failed, expected=expected, then=then)


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send us ``number`` when our parent dies; raise OSError.

    A change of credentials undoes it (PR_SET_PDEATHSIG(2const)).
    """
    prctl(PR_SET_PDEATHSIG, number, "PR_SET_PDEATHSIG")


def set_dumpable(*, dumpable: bool) -> None:
    """Let others of our uid trace us and read our /proc files, or not; raise OSError."""
    prctl(PR_SET_DUMPABLE, int(dumpable), "PR_SET_DUMPABLE")


def set_child_subreaper(*, subreaper: bool) -> None:
    """Inherit orphaned descendants as process 1 does, or not; raise OSError."""
    prctl(_PR_SET_CHILD_SUBREAPER, int(subreaper), "PR_SET_CHILD_SUBREAPER")


def set_no_new_privileges() -> None:
    """Give up, for good, gaining anything by exec (set-user-ID, file capabilities)."""
    prctl(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS")


def has_no_new_privileges() -> bool:
    """Say whether exec can give us nothing any more, so that set-user-ID helpers are no help."""
    return check(_PRCTL(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) == 1


def set_command_line(text: bytes) -> None:
    """Have ``/proc/self/cmdline`` say ``text``, as much of it as there is room for.

    The bytes of the original command line are overwritten where they lie,
    as setproctitle(3bsd) does: PR_SET_MM would need CAP_SYS_RESOURCE. The
    last byte stays 0, else the kernel reads on in the environment
    (fs/proc/base.c, get_mm_cmdline). Raises OSError.
    """
    start, end = command_line_area()
    size = end - start
    if start and size > 0:
        ctypes.memset(start, 0, size)
        ctypes.memmove(start, text, min(len(text), size - 1))


def record_command_line(recorder: Recorder, text: bytes, failed: Handler) -> None:
    """Record a ``set_command_line``; raise OSError."""
    start, end = command_line_area()
    size = end - start
    if start and size > 0:
        recorder.call(ctypes.memset, start, 0, size, failed=failed)
        recorder.call(ctypes.memmove, start, text, min(len(text), size - 1), failed=failed)


def command_line_area() -> tuple[int, int]:
    """Return where the command line of this process lies, from and to; raise OSError.

    Asked for once: it stays there, in forks of this process as well.
    """
    if not _AREA:
        fields = _stat_fields("self")
        _AREA.extend(int(field) for field in fields[_ARGUMENTS_START : _ARGUMENTS_START + 2])
    return _AREA[0], _AREA[1]


def start_time(process: int, *, ended: bool = False) -> int | None:
    """Return when a process began, in clock ticks since the boot; None where there is no such.

    One that has ended and is not waited for yet is there only for who asks
    for ``ended`` ones. With its id this names a process: the id alone may be
    another's by now.
    """
    try:
        fields = _stat_fields(str(process))
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in _ENDED and not ended else int(fields[_START_TIME])


def _stat_fields(process: str) -> list[bytes]:
    """Return the fields of proc_pid_stat(5) from the third on, behind the name."""
    descriptor = os.open(f"/proc/{process}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _STAT_LIMIT).rpartition(b")")[2].split()
    finally:
        os.close(descriptor)


def close_from(first: int) -> None:
    """Close every descriptor from ``first`` on (close_range(2), Linux 5.9). Raises OSError."""
    if system_call(CLOSE_RANGE, first, _LAST, 0) == 0:
        return
    number = last_errno()
    if number not in (errno.ENOSYS, errno.EPERM):
        raise error(number, "close_range")
    for descriptor in _open_descriptors(first):
        try:
            os.close(descriptor)
        except OSError as failure:
            if failure.errno != errno.EBADF:  # the listing's own descriptor, closed by now
                raise


def record_closing_from(recorder: Recorder, first: int) -> None:
    """Record a ``close_from``."""

    def otherwise(_values: list[Any], position: int, _error: OSError) -> int:
        close_from(first)
        return position + 1

    recorder.system_call(CLOSE_RANGE, first, _LAST, 0, failed=otherwise)


def close_on_exec_from(first: int) -> None:
    """Mark every descriptor from ``first`` on close-on-exec (close_range(2), Linux 5.11).

    Marked, not closed: what reports a failing exec stays open until the
    exec. Raises OSError.
    """
    if system_call(CLOSE_RANGE, first, _LAST, _CLOSE_RANGE_CLOEXEC) == 0:
        return
    number = last_errno()
    if number not in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
        raise error(number, "close_range")
    for descriptor in _open_descriptors(first):
        try:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
        except OSError as failure:
            if failure.errno != errno.EBADF:  # the listing's own descriptor, closed by now
                raise


def _open_descriptors(first: int) -> list[int]:
    return [number for number in map(int, os.listdir("/proc/self/fd")) if number >= first]


def signal_descriptor(numbers: Iterable[int]) -> int:
    """Open a descriptor that reads ``numbers``, which must be blocked (signalfd(2)).

    It is close-on-exec and does not block. Raises OSError.
    """
    flags = os.O_CLOEXEC | os.O_NONBLOCK  # SFD_CLOEXEC and SFD_NONBLOCK are the same bits
    return check(call("signalfd", -1, signal_set(numbers), flags), "signalfd")


def read_signal(descriptor: int) -> int | None:
    """Return the number of the next pending signal, or None if there is none."""
    try:
        data = os.read(descriptor, _SIGINFO_BYTES)
    except BlockingIOError:
        return None
    return int.from_bytes(data[:4], sys.byteorder) if data else None
