"""What rootgen never does: a process that gives up its capabilities, and stays who it is."""

from __future__ import annotations

import struct

from rootgen.linux.capability import VERSION_3
from rootgen.linux.libc import call, check


def give_up_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets of this thread (capset(2))."""
    check(call("capset", struct.pack("@Ii", VERSION_3, 0), bytes(24)), "capset")
