"""Capabilities that a process has although its user is not 0, and that its programs inherit.

The ambient set (capabilities(7), Linux 4.3): of a program that is neither
set-user-ID nor has capabilities of its own, what is in it is permitted and
effective after execve(2), no_new_privs or not.
"""

from __future__ import annotations

import ctypes
from struct import pack

from rootgen.linux.capability import CAPSET, PR_CAP_AMBIENT, VERSION_3
from rootgen.linux.libc import check, function
from rootgen.linux.process import record_prctl
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder, Slot

_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT_RAISE = 2
_WORD = 0xFFFFFFFF

_LONG = ctypes.c_ulong
_PRCTL = function("prctl", ctypes.c_int, _LONG, _LONG, _LONG, _LONG)


def record_keeping(recorder: Recorder, failed: Handler) -> None:
    """Record that the permitted set outlasts a change of ids from 0 to others, up to the exec."""
    record_prctl(recorder, _PR_SET_KEEPCAPS, 1, failed)


def record_ambient(recorder: Recorder, bits: int, but: Slot | int, failed: Handler) -> None:
    """Record that ``bits``, without those that ``but`` will be, are all that this process may do.

    They become its effective, permitted, inheritable and ambient set, of which the last is empty
    before. What is recorded fails by EPERM where they are not permitted, or not in the bounding
    set; by EINVAL where the kernel has no ambient set.
    """
    recorder.call(_take, bits, but, failed=failed)


def _take(bits: int, but: int) -> None:
    bits &= ~but
    low, high = bits & _WORD, bits >> 32
    words = pack("=6I", low, low, low, high, high, high)  # struct __user_cap_data_struct[2]
    check(CAPSET(pack("=Ii", VERSION_3, 0), words), "capset")
    for number in range(bits.bit_length()):
        if bits >> number & 1:
            raised = _PRCTL(PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)
            check(raised, "PR_CAP_AMBIENT_RAISE")
