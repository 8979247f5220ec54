"""Messages between two processes of ours, each of which may carry descriptors (unix(7)).

Over ctypes, because ``import socket`` costs 2 to 4 ms of a launch. The
layouts are the kernel's own (``struct user_msghdr`` of linux/socket.h,
``struct cmsghdr``), which glibc passes through and which musl's have the
same bits as on every little-endian machine.
"""

from __future__ import annotations

import ctypes
import os
import select
from struct import Struct

from rootgen.linux.libc import call, check

_AF_UNIX = 1
_SOCK_SEQPACKET = 5
_SOL_SOCKET = 1
_SCM_RIGHTS = 1
_MSG_NOSIGNAL = 0x4000
_MSG_CMSG_CLOEXEC = 0x40000000
LIMIT = 65536

# One cmsghdr (size_t length, int level, int type), then ints, padded to CMSG_SPACE.
_WORD = ctypes.sizeof(ctypes.c_size_t)
_CONTROL = Struct("@Nii")
_DESCRIPTOR = ctypes.sizeof(ctypes.c_int)
_DESCRIPTORS = 8  # the most that one message of ours carries
_CONTROL_SPACE = -(-(_CONTROL.size + _DESCRIPTORS * _DESCRIPTOR) // _WORD) * _WORD


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


def send(socket: int, data: bytes, *descriptors: int) -> None:
    """Send one message, with copies of up to eight descriptors; raise OSError."""
    text = ctypes.create_string_buffer(data, len(data))
    header = _header(text, len(data))
    control = ctypes.create_string_buffer(_CONTROL_SPACE)
    if descriptors:
        length = _CONTROL.size + len(descriptors) * _DESCRIPTOR
        _CONTROL.pack_into(control, 0, length, _SOL_SOCKET, _SCM_RIGHTS)
        Struct(f"@{len(descriptors)}i").pack_into(control, _CONTROL.size, *descriptors)
        header.control = ctypes.cast(control, ctypes.c_void_p)
        header.control_length = length
    check(call("sendmsg", socket, ctypes.byref(header), _MSG_NOSIGNAL), "sendmsg")


def receive(socket: int) -> tuple[bytes, int | None]:
    """Return the next message, and the descriptor that came with it (close-on-exec).

    At the end (nobody holds the other socket any longer) the message is
    empty. A signal that a handler was set for interrupts it: InterruptedError.
    """
    data, descriptors = receive_all(socket)
    return data, descriptors[0] if descriptors else None


def receive_all(socket: int) -> tuple[bytes, tuple[int, ...]]:
    """Return the next message, and all the descriptors that came with it, as ``receive`` does."""
    text = ctypes.create_string_buffer(LIMIT)
    control = ctypes.create_string_buffer(_CONTROL_SPACE)
    header = _header(text, LIMIT)
    header.control = ctypes.cast(control, ctypes.c_void_p)
    header.control_length = _CONTROL_SPACE
    length = check(call("recvmsg", socket, ctypes.byref(header), _MSG_CMSG_CLOEXEC), "recvmsg")
    descriptors: tuple[int, ...] = ()
    if header.control_length >= _CONTROL.size:
        size, level, kind = _CONTROL.unpack_from(control)
        if (level, kind) == (_SOL_SOCKET, _SCM_RIGHTS):
            count = (size - _CONTROL.size) // _DESCRIPTOR
            descriptors = Struct(f"@{count}i").unpack_from(control, _CONTROL.size)
    return text.raw[:length], descriptors


def has_hung_up(socket: int) -> bool:
    """Say whether nobody holds the other socket any longer."""
    poll = select.poll()
    poll.register(socket, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _header(text: ctypes.Array[ctypes.c_char], length: int) -> _Header:
    part = _Part(ctypes.cast(text, ctypes.c_void_p), length)
    return _Header(None, 0, ctypes.pointer(part), 1, None, 0, 0)
