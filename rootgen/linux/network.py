"""The loopback interface of a new network namespace, which starts down; ports and sockets.

Loopback over ctypes, because ``import socket`` costs 2 to 4 ms of a launch and one
descriptor to say an ioctl to is all that is needed (netdevice(7)).
"""

from __future__ import annotations

import os
from ctypes import c_char_p, c_int, c_ulong
from struct import Struct

from rootgen.linux.descriptor import record_closing
from rootgen.linux.libc import function
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder

_AF_UNIX = 1
_SOCK_DGRAM = 2
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_REQUEST = Struct("16sh22x")  # struct ifreq: the name, then ifr_flags in a union of 24 bytes

_IOCTL = function("ioctl", c_int, c_ulong, c_char_p)
_SOCKET = function("socket", c_int, c_int, c_int)


def record_loopback_up(recorder: Recorder, failed: Handler) -> None:
    """Record that ``lo`` is set up, as ``ip link set lo up`` does.

    The kernel then gives it 127.0.0.1 and ::1 by itself. A new ``lo`` has no
    flag that could be set or not but this one (net/core/dev.c, __dev_change_flags).
    """
    descriptor = recorder.value()
    kind = _SOCK_DGRAM | os.O_CLOEXEC
    recorder.call(_SOCKET, _AF_UNIX, kind, 0, into=descriptor, failed=failed)
    request = _REQUEST.pack(b"lo", _IFF_UP)
    recorder.call(_IOCTL, descriptor, _SIOCSIFFLAGS, request, failed=failed)
    record_closing(recorder, descriptor, failed)


def check_port(address: str, port: int, protocol: str) -> None:
    """Listen on a port for a moment; raise OSError where that cannot be.

    ``address`` is one of IPv4 or IPv6, or empty for all; ``protocol`` is tcp
    or udp. For who wants to tell of a taken port before another program does.
    """
    import socket  # not on the way of a plain launch

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as tried:
        if protocol == "tcp":
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((address, port))
        if protocol == "tcp":
            tried.listen(1)


def ask(path: str, request: bytes, limit: int = 65536) -> bytes:
    """Send ``request`` to the Unix socket ``path``; return its whole answer. Raises OSError."""
    import socket  # not on the way of a plain launch

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) < limit and (part := connection.recv(4096)):
            answer += part
    return answer
