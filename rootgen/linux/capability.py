"""The capability sets of a process (capabilities(7)): read, drop, set.

A capability is called by its name without ``CAP_``, as podman and
``capsh`` options have it: ``CHOWN``.
"""

from __future__ import annotations

import ctypes
import errno
import os

from rootgen.linux.calls import Label
from rootgen.linux.libc import call, check, function
from rootgen.linux.process import has_no_new_privileges, record_prctl
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.linux.calls import Handler, Recorder

# linux/capability.h, in the order of their numbers, from 0.
NAMES = tuple(
    (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP "
        "LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER "
        "SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
        "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
        "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF "
        "CHECKPOINT_RESTORE"
    ).split()
)

_NUMBERS = {name: number for number, name in enumerate(NAMES)}
VERSION_3 = 0x20080522
_PR_CAPBSET_DROP = 24
_PR_GET_SECUREBITS = 27
_SECBIT_NOROOT = 1
PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_LAST_POSSIBLE = 63  # two 32-bit words


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Words(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


CAPSET = function("capset", ctypes.c_void_p, ctypes.c_void_p)


def mask(names: Iterable[str]) -> int:
    """Return the bit mask of capability names; KeyError for one that Linux does not have."""
    return sum(1 << _NUMBERS[name] for name in set(names))


def effective() -> int:
    """Return the effective set of this process as a bit mask; raise OSError."""
    header = _Header(VERSION_3, 0)
    words = (_Words * 2)()
    check(call("capget", ctypes.byref(header), words), "capget")
    return int(words[0].effective) | int(words[1].effective) << 32


def after_exec() -> int:
    """Return the effective set of a program that this thread starts, which has none of its own.

    For root all that are not bounded, whatever it has itself (capabilities(7), "Transformation of
    capabilities during execve()" and "The securebits flags"). Raises OSError.
    """
    with open("/proc/thread-self/status", "rb") as file:
        fields = dict(line.split(b":", 1) for line in file if line.startswith(b"Cap"))
    inheritable, permitted, bounding, ambient = (
        int(fields.get(b"Cap" + name, b"0"), 16) for name in (b"Inh", b"Prm", b"Bnd", b"Amb")
    )
    if os.geteuid() != 0 or check(call("prctl", _PR_GET_SECUREBITS, 0, 0, 0, 0)) & _SECBIT_NOROOT:
        return ambient
    gained = inheritable | bounding
    return gained & permitted if has_no_new_privileges() else gained


def record_all(recorder: Recorder, bits: int, failed: Handler) -> None:
    """Record that the effective and permitted sets become ``bits``, the inheritable one empty.

    It fails by EPERM where ``bits`` holds what is not permitted then.
    """
    header = _Header(VERSION_3, 0)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    words = (_Words * 2)(_Words(low, low, 0), _Words(high, high, 0))
    recorder.call(CAPSET, ctypes.byref(header), words, failed=failed)


def record_bounding(recorder: Recorder, kept: int, failed: Handler) -> None:
    """Record that every capability not in ``kept`` is dropped from the bounding set, for good.

    Up to where the kernel knows no further one (EINVAL), also past those
    that we have a name for.
    """
    done = Label()
    for number in range(_LAST_POSSIBLE + 1):
        if not kept >> number & 1:
            unknown = (errno.EINVAL,) if number > 0 else ()
            record_prctl(recorder, _PR_CAPBSET_DROP, number, failed, unknown, done)
    recorder.mark(done)


def record_no_ambient(recorder: Recorder, failed: Handler) -> None:
    """Record that the ambient set is emptied, where there is one (Linux 4.3)."""
    unknown = (errno.EINVAL,)
    record_prctl(recorder, PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, failed, unknown)
