"""A connection to somebody else's Unix socket (unix(7)), without ``import socket`` (3 ms)."""

from __future__ import annotations

import os
import sys

from rootgen.linux.libc import call, check

_AF_UNIX = 1
_SOCK_STREAM = 1
_PATH_LIMIT = 108 - 1  # sun_path, with the zero at its end


def connect(path: str) -> int:
    """Return a descriptor connected to the socket ``path``; raise OSError.

    It is close-on-exec; ``os.read``, ``os.write`` and ``poll`` work on it.
    """
    name = os.fsencode(path)
    if len(name) > _PATH_LIMIT or b"\0" in name:
        raise OSError(36, os.strerror(36), path)  # ENAMETOOLONG, as connect(2) would say
    descriptor = check(call("socket", _AF_UNIX, _SOCK_STREAM | os.O_CLOEXEC, 0), path)
    address = _AF_UNIX.to_bytes(2, sys.byteorder) + name + b"\0"
    try:
        check(call("connect", descriptor, address, len(address)), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
