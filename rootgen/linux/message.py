"""Messages between two processes of ours, each of which may carry a descriptor (unix(7)).

Over ctypes, because ``import socket`` costs 2 to 4 ms of a launch. The
layouts are the kernel's own (``struct user_msghdr`` of linux/socket.h,
``struct cmsghdr``), which glibc passes through and which musl's have the
same bits as on every little-endian machine.
"""

from __future__ import annotations

import ctypes
import os
from struct import Struct

from rootgen.linux.libc import call, check

_AF_UNIX = 1
_SOCK_SEQPACKET = 5
_SOL_SOCKET = 1
_SCM_RIGHTS = 1
_MSG_NOSIGNAL = 0x4000
_MSG_CMSG_CLOEXEC = 0x40000000
LIMIT = 65536

# One cmsghdr (size_t length, int level, int type) with one int, padded to CMSG_SPACE.
_WORD = ctypes.sizeof(ctypes.c_size_t)
_CONTROL = Struct("@Niii")
_CONTROL_SPACE = -(-_CONTROL.size // _WORD) * _WORD


class _Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_int),
        ("parts", ctypes.POINTER(_Part)),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


def message_pair() -> tuple[int, int]:
    """Return two connected sockets that keep message boundaries; raise OSError.

    Both are close-on-exec; ``os.read``, ``os.write`` and ``poll`` work on them.
    """
    pair = (ctypes.c_int * 2)()
    kind = _SOCK_SEQPACKET | os.O_CLOEXEC
    check(call("socketpair", _AF_UNIX, kind, 0, pair), "socketpair")
    return pair[0], pair[1]


def send(socket: int, data: bytes, descriptor: int | None = None) -> None:
    """Send one message, with a copy of ``descriptor`` where one is given; raise OSError."""
    text = ctypes.create_string_buffer(data, len(data))
    header = _header(text, len(data))
    control = ctypes.create_string_buffer(_CONTROL_SPACE)
    if descriptor is not None:
        _CONTROL.pack_into(control, 0, _CONTROL.size, _SOL_SOCKET, _SCM_RIGHTS, descriptor)
        header.control = ctypes.cast(control, ctypes.c_void_p)
        header.control_length = _CONTROL_SPACE
    check(call("sendmsg", socket, ctypes.byref(header), _MSG_NOSIGNAL), "sendmsg")


def receive(socket: int) -> tuple[bytes, int | None]:
    """Return the next message, and the descriptor that came with it (close-on-exec).

    At the end (nobody holds the other socket any longer) the message is
    empty. A signal that a handler was set for interrupts it: InterruptedError.
    """
    text = ctypes.create_string_buffer(LIMIT)
    control = ctypes.create_string_buffer(_CONTROL_SPACE)
    header = _header(text, LIMIT)
    header.control = ctypes.cast(control, ctypes.c_void_p)
    header.control_length = _CONTROL_SPACE
    length = check(call("recvmsg", socket, ctypes.byref(header), _MSG_CMSG_CLOEXEC), "recvmsg")
    descriptor = None
    if header.control_length >= _CONTROL.size:
        _, level, kind, number = _CONTROL.unpack_from(control)
        if (level, kind) == (_SOL_SOCKET, _SCM_RIGHTS):
            descriptor = number
    return text.raw[:length], descriptor


def _header(text: ctypes.Array[ctypes.c_char], length: int) -> _Header:
    part = _Part(ctypes.cast(text, ctypes.c_void_p), length)
    return _Header(None, 0, ctypes.pointer(part), 1, None, 0, 0)
