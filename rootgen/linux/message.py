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

from rootgen.linux.libc import call, check, function, last_errno
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder, Slot

    _Buffer = ctypes.Array[ctypes.c_char]

_AF_UNIX = 1
_SOCK_SEQPACKET = 5
_SOL_SOCKET = 1
_SCM_RIGHTS = 1
_MSG_PEEK = 0x2
_MSG_TRUNC = 0x20
_MSG_NOSIGNAL = 0x4000
_MSG_CMSG_CLOEXEC = 0x40000000
LIMIT = 65536

# One cmsghdr (size_t length, int level, int type), then ints, padded to CMSG_SPACE.
_WORD = ctypes.sizeof(ctypes.c_size_t)
_CONTROL = Struct("@Nii")
_DESCRIPTOR = ctypes.sizeof(ctypes.c_int)
_DESCRIPTORS = 8  # the most that one message of ours carries
_CONTROL_SPACE = -(-(_CONTROL.size + _DESCRIPTORS * _DESCRIPTOR) // _WORD) * _WORD


# struct iovec: base, length. struct user_msghdr: name and its length, iovecs and their number,
# control and its length, flags. Addresses are plain numbers: what ctypes.cast returns refers to
# itself, and with it the buffer lives until the garbage collector comes, which here is never.
_PART = Struct("@PN")
_HEADER = Struct("@PiPNPNi")
_LENGTH = Struct("@N")
_CONTROL_LENGTH_AT = Struct("@PiPNP").size

# struct pollfd (poll(2)): POLLHUP is told whether it is asked for or not, and POLLERR as well.
_POLL = Struct("@ihh")
_ASK = function("poll", ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int)


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
    control = ctypes.create_string_buffer(_CONTROL_SPACE)
    length = 0
    if descriptors:
        length = _CONTROL.size + len(descriptors) * _DESCRIPTOR
        _CONTROL.pack_into(control, 0, length, _SOL_SOCKET, _SCM_RIGHTS)
        Struct(f"@{len(descriptors)}i").pack_into(control, _CONTROL.size, *descriptors)
    part = _part(text)
    header = _header(part, control, length)
    check(call("sendmsg", socket, header, _MSG_NOSIGNAL), "sendmsg")


def receive(socket: int) -> tuple[bytes, int | None]:
    """Return the next message, and the descriptor that came with it (close-on-exec).

    At the end (nobody holds the other socket any longer) the message is
    empty. A signal that a handler was set for interrupts it: InterruptedError.
    """
    data, descriptors = receive_all(socket)
    return data, descriptors[0] if descriptors else None


def receive_all(socket: int) -> tuple[bytes, tuple[int, ...]]:
    """Return the next message, and all the descriptors that came with it, as ``receive`` does."""
    # As long as the message is: a buffer of the limit would cost each launch thrice as much
    # memory as all else that it touches.
    length = _receiving("recv", socket, 0, 0, _MSG_PEEK | _MSG_TRUNC)
    text = ctypes.create_string_buffer(max(1, min(length, LIMIT)))
    control = ctypes.create_string_buffer(_CONTROL_SPACE)
    part = _part(text)
    header = _header(part, control, _CONTROL_SPACE)
    length = _receiving("recvmsg", socket, header, _MSG_CMSG_CLOEXEC)
    descriptors: tuple[int, ...] = ()
    (control_length,) = _LENGTH.unpack_from(header, _CONTROL_LENGTH_AT)
    if control_length >= _CONTROL.size:
        size, level, kind = _CONTROL.unpack_from(control)
        if (level, kind) == (_SOL_SOCKET, _SCM_RIGHTS):
            count = (size - _CONTROL.size) // _DESCRIPTOR
            descriptors = Struct(f"@{count}i").unpack_from(control, _CONTROL.size)
    return text.raw[:length], descriptors


def _receiving(name: str, socket: int, *arguments: object) -> int:
    """Call what receives; again where ECONNRESET stands before what is still to be received.

    The kernel tells it once, and first, where the other end closed without
    reading all that was sent to it (net/unix/af_unix.c, unix_release_sock).
    """
    result = call(name, socket, *arguments)
    if result == -1 and last_errno() == errno.ECONNRESET:
        result = call(name, socket, *arguments)
    return check(result, name)


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


def _part(text: _Buffer) -> _Buffer:
    """Return the iovec of a buffer, which the caller keeps."""
    return ctypes.create_string_buffer(_PART.pack(ctypes.addressof(text), len(text)), _PART.size)


def _header(part: _Buffer, control: _Buffer, control_length: int) -> _Buffer:
    """Return the header of a message of one part; the caller keeps what it leads to."""
    place = ctypes.addressof(control) if control_length else 0
    packed = _HEADER.pack(0, 0, ctypes.addressof(part), 1, place, control_length, 0)
    return ctypes.create_string_buffer(packed, _HEADER.size)
