"""seccomp(2): a filter for the system calls of this process and all that come from it."""

from __future__ import annotations

import ctypes
import errno

from rootgen.linux.libc import call, check, last_errno, numbers, system_call
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootgen.linux.calls import Handler, Recorder

_INSTRUCTION_BYTES = 8  # struct sock_filter
_SET_MODE_FILTER = 1
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
# linux/seccomp.h
FLAGS = {
    # One thread makes the launch, so there is none to synchronise with; runc ignores it as well.
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": 1 << 1,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 1 << 2,
}
# A hint for speed, which a kernel before 4.17 does not know.
_SPEC_ALLOW = FLAGS["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def record_filter(recorder: Recorder, program: bytes, flags: int, failed: Handler) -> None:
    """Record an ``install_filter``."""
    made = _Program(len(program) // _INSTRUCTION_BYTES, program)

    def otherwise(values: list[Any], position: int, _error: OSError) -> int:
        try:
            install_filter(program, flags)  # as an older kernel has it
        except OSError as error:
            return failed(values, position, error)
        return position + 1

    mode = _SET_MODE_FILTER
    recorder.system_call(numbers().seccomp, mode, flags, ctypes.byref(made), failed=otherwise)


def install_filter(program: bytes, flags: int) -> None:
    """Install a BPF program, an array of ``struct sock_filter``; nothing takes it away again.

    no_new_privs must be set, or CAP_SYS_ADMIN be there. Raises OSError:
    EACCES where neither is, EINVAL for a program that the kernel does not
    take or flags that it does not know, ENOSYS or EINVAL without seccomp.
    """
    address = ctypes.byref(_Program(len(program) // _INSTRUCTION_BYTES, program))
    result = system_call(numbers().seccomp, _SET_MODE_FILTER, flags, address)
    if result == -1 and flags & _SPEC_ALLOW and last_errno() == errno.EINVAL:
        flags &= ~_SPEC_ALLOW
        result = system_call(numbers().seccomp, _SET_MODE_FILTER, flags, address)
    if result == -1 and not flags and last_errno() == errno.ENOSYS:
        # Before Linux 3.17 only prctl(2) could.
        result = call("prctl", _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), address)
    check(result, "seccomp")
