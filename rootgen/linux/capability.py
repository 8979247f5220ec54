"""The capability sets of a process (capabilities(7)): read, drop, set.

A capability is called by its name without ``CAP_``, as podman and
``capsh`` options have it: ``CHOWN``.
"""

from __future__ import annotations

import ctypes
import errno

from rootgen.linux.libc import call, check, last_errno
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

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
_VERSION_3 = 0x20080522
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
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


def mask(names: Iterable[str]) -> int:
    """Return the bit mask of capability names; KeyError for one that Linux does not have."""
    return sum(1 << _NUMBERS[name] for name in set(names))


def effective() -> int:
    """Return the effective set of this process as a bit mask; raise OSError."""
    header = _Header(_VERSION_3, 0)
    words = (_Words * 2)()
    check(call("capget", ctypes.byref(header), words), "capget")
    return int(words[0].effective) | int(words[1].effective) << 32


def set_all(bits: int) -> None:
    """Make the effective and permitted sets ``bits``, the inheritable one empty.

    Raises OSError: EPERM where ``bits`` holds what is not permitted now.
    """
    header = _Header(_VERSION_3, 0)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    words = (_Words * 2)(_Words(low, low, 0), _Words(high, high, 0))
    check(call("capset", ctypes.byref(header), words), "capset")


def drop_bounding(kept: int) -> None:
    """Drop every capability that is not in ``kept`` from the bounding set, for good.

    Goes on until the kernel knows no further one (EINVAL), also past those
    that we have a name for. Raises OSError.
    """
    zero = ctypes.c_ulong(0)
    for number in range(_LAST_POSSIBLE + 1):
        if kept >> number & 1:
            continue
        if call("prctl", _PR_CAPBSET_DROP, ctypes.c_ulong(number), zero, zero, zero) == -1:
            if last_errno() == errno.EINVAL and number > 0:
                return
            check(-1, "PR_CAPBSET_DROP")


def clear_ambient() -> None:
    """Empty the ambient set (Linux 4.3); raise OSError."""
    zero = ctypes.c_ulong(0)
    result = call(
        "prctl",
        _PR_CAP_AMBIENT,
        ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL),
        zero,
        zero,
        zero,
    )
    if result == -1 and last_errno() != errno.EINVAL:
        check(result, "PR_CAP_AMBIENT_CLEAR_ALL")
