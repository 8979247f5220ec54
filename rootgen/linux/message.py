"""Messages between two processes of ours, each of which may carry descriptors (unix(7)).

Over ctypes, because ``import socket`` costs 2 to 4 ms of a launch. The
layouts are the kernel's own (``struct user_msghdr`` of linux/socket.h,
``struct cmsghdr``), which glibc passes through and which musl's have the
same bits as on every little-endian machine.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
from struct import Struct

from rootgen.errors import raise_foreign
from rootgen.linux.libc import call, check, error, function, last_errno
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.linux.calls import Handler, Recorder, Slot

    _Buffer = ctypes.Array[ctypes.c_char]

_AF_UNIX = 1
_SOCK_SEQPACKET = 5
_SOL_SOCKET = 1
_SCM_RIGHTS = 1
_MSG_NOSIGNAL = 0x4000
_MSG_CMSG_CLOEXEC = 0x40000000
LIMIT = 65536

_MSG_DONTWAIT = 0x40
_SHUT_RDWR = 2

# One cmsghdr (size_t length, int level, int type), then ints, padded to CMSG_SPACE.
_WORD = ctypes.sizeof(ctypes.c_size_t)
_CONTROL = Struct("@Nii")
_DESCRIPTOR = ctypes.sizeof(ctypes.c_int)
_DESCRIPTORS = 8  # the most that one message of ours carries
_CONTROL_SPACE = -(-(_CONTROL.size + _DESCRIPTORS * _DESCRIPTOR) // _WORD) * _WORD

# struct user_msghdr (name and its length, iovecs and their number, control and its length, flags),
# the one iovec (base, length), the control data, and what the message says: all in one piece of
# memory, and addresses as plain numbers. What ctypes.cast returns refers to itself, and with it a
# buffer lives until the garbage collector comes, which here is never.
_HEADER = Struct("@PiPNPNi0N")
_PART = Struct("@PN")
_LENGTH = Struct("@N")
_CONTROL_LENGTH_AT = Struct("@PiPNP").size
_PART_AT = _HEADER.size
_CONTROL_AT = _PART_AT + _PART.size
_DATA_AT = _CONTROL_AT + _CONTROL_SPACE

# struct pollfd (poll(2)): POLLHUP is told whether it is asked for or not, and POLLERR as well.
_POLL = Struct("@ihh")
_ASK = function("poll", ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int)
_SEND = function("send", ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_SEND_MESSAGE = function("sendmsg", ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_RECEIVE_MESSAGE = function("recvmsg", ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


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
    if not descriptors:
        _sending(_SEND, socket, data, len(data), _MSG_NOSIGNAL)
        return
    buffer = ctypes.create_string_buffer(_DATA_AT + len(data))
    length = _CONTROL.size + len(descriptors) * _DESCRIPTOR
    _set_up(buffer, length)
    control = Struct(f"@Nii{len(descriptors)}i")
    control.pack_into(buffer, _CONTROL_AT, length, _SOL_SOCKET, _SCM_RIGHTS, *descriptors)
    ctypes.memmove(ctypes.addressof(buffer) + _DATA_AT, data, len(data))
    _sending(_SEND_MESSAGE, socket, buffer, _MSG_NOSIGNAL)


def _sending(function: Callable[..., int], *arguments: object) -> None:
    """Call what sends; again after a signal, whose handler Python has run between the two."""
    while function(*arguments) == -1:
        if last_errno() != errno.EINTR:
            raise error(last_errno(), "send")


def read(socket: int) -> bytes:
    """Return the next message, whatever descriptors come with it: they are lost.

    At the end (nobody holds the other socket any longer) it is empty. Of more than 64 KiB the rest
    is lost. Raises OSError.
    """
    try:
        return os.read(socket, LIMIT)
    except ConnectionResetError as failure:
        raise_foreign(failure)
        return os.read(socket, LIMIT)  # as in an Inbox


class Inbox:
    """Takes messages and what descriptors come with them; for one thread.

    The memory is made once, and only as much of it is touched as the messages are long. At the end
    (nobody holds the other socket any longer) a message is empty. A signal that a handler was set
    for interrupts: InterruptedError.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        """Make room for messages of ``limit`` bytes; of longer ones the rest is lost."""
        self._buffer = ctypes.create_string_buffer(_DATA_AT + max(1, limit))
        self._data = ctypes.addressof(self._buffer) + _DATA_AT

    def receive(self, socket: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the next message, and the descriptors that came with it (close-on-exec).

        Raises OSError.
        """
        return self._receive(socket, 0)

    def receive_now(self, socket: int) -> bytes | None:
        """Return the next message, without descriptors; None where there is none yet."""
        try:
            return self._receive(socket, _MSG_DONTWAIT)[0]
        except BlockingIOError:
            return None

    def _receive(self, socket: int, flags: int) -> tuple[bytes, tuple[int, ...]]:
        buffer = self._buffer
        _set_up(buffer, _CONTROL_SPACE)
        length = _RECEIVE_MESSAGE(socket, buffer, flags | _MSG_CMSG_CLOEXEC)
        if length == -1 and last_errno() == errno.ECONNRESET:
            # The kernel tells it once, and before what is still to be received, where the other
            # end closed without reading all that it was sent (af_unix.c, unix_release_sock).
            length = _RECEIVE_MESSAGE(socket, buffer, flags | _MSG_CMSG_CLOEXEC)
        check(length, "recvmsg")
        data = ctypes.string_at(self._data, length)
        (control_length,) = _LENGTH.unpack_from(buffer, _CONTROL_LENGTH_AT)
        if control_length < _CONTROL.size:
            return data, ()
        size, level, kind = _CONTROL.unpack_from(buffer, _CONTROL_AT)
        if (level, kind) != (_SOL_SOCKET, _SCM_RIGHTS):
            return data, ()
        count = (size - _CONTROL.size) // _DESCRIPTOR
        return data, Struct(f"@{count}i").unpack_from(buffer, _CONTROL_AT + _CONTROL.size)


def _set_up(buffer: _Buffer, control_length: int) -> None:
    """Write the header of a message of one part: what the buffer has behind the control data."""
    base = ctypes.addressof(buffer)
    part, control = base + _PART_AT, base + _CONTROL_AT
    _HEADER.pack_into(buffer, 0, 0, 0, part, 1, control, control_length, 0)
    _PART.pack_into(buffer, _PART_AT, base + _DATA_AT, len(buffer) - _DATA_AT)


def shut(socket: int) -> None:
    """End a connection both ways, whoever else has the socket (shutdown(2)); raise OSError."""
    check(call("shutdown", socket, _SHUT_RDWR), "shutdown")


def has_hung_up(socket: int) -> bool:
    """Say whether nobody holds the other socket any longer."""
    poll = select.poll()
    poll.register(socket, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def record_hang_up(recorder: Recorder, socket: int, failed: Handler) -> Slot:
    """Record a ``has_hung_up``; what it says will be 0 or 1."""
    told = recorder.value()
    asked = ctypes.create_string_buffer(_POLL.pack(socket, 0, 0), _POLL.size)
    recorder.call(_ASK, asked, 1, 0, into=told, failed=failed)
    return told
