"""A disk that remembers every write and every flush, in their order.

A loop device over a file that we serve ourselves (fuse(4), the kernel's protocol
7.31, a file system of one file): what the file system above writes comes to a
process of ours, which keeps it in a log. From the log any state is made that the
disk could have been left in by a power cut. The kernel's own recorder
(dm-log-writes) does the same where a kernel has it.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

BLOCK = 4096  # of the file system; smaller than that no write is torn here
_FLUSH = -1

# include/uapi/linux/fuse.h
_REQUEST = Struct("<IIQQIIIHH")
_REPLY = Struct("<IiQ")
_ATTRIBUTES = Struct("<QII6Q10I")
_TRANSFER = Struct("<QQIIQII")
_ASYNC_READ, _BIG_WRITES, _MAX_PAGES = 1, 1 << 5, 1 << 22
_MAX_WRITE = 1 << 17
_RECORD = Struct("<qI")


class _Code(IntEnum):
    """What the kernel asks for."""

    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    FLUSH = 25
    INIT = 26
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42


_UNANSWERED = (_Code.FORGET, _Code.BATCH_FORGET, _Code.INTERRUPT)


class Write(NamedTuple):
    """What was written where; a flush: nothing, at -1."""

    at: int
    data: bytes

    @property
    def is_flush(self) -> bool:
        """Tell whether it is the promise that all before it is kept."""
        return self.at == _FLUSH


class Disk(NamedTuple):
    """A disk: the file to mount (``-o loop``), and the log of what is written to it."""

    file: str
    log: str

    def writes(self) -> list[Write]:
        """Return the log so far."""
        found = []
        with open(self.log, "rb") as file:
            while head := file.read(_RECORD.size):
                at, size = _RECORD.unpack(head)
                found.append(Write(at, file.read(size)))
        return found


@contextmanager
def recorded_disk(image: str, directory: str) -> Iterator[Disk]:
    """Give a disk that begins as the file ``image`` is, and leaves it alone."""
    shown, log, copy = (os.path.join(directory, name) for name in ("disk", "log", "copy"))
    for path in (shown, log):
        with open(path, "xb"):
            pass
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    channel = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={channel},rootmode={stat.S_IFREG | 0o600:o},user_id=0,group_id=0"
    command = ["mount", "-i", "-t", "fuse", "-o", options, "disk", shown]
    try:
        subprocess.run(command, check=True, pass_fds=[channel])
        server = [sys.executable, "-m", "tests.truth.recorded_disk", f"{channel}", copy, log]
        process = subprocess.Popen(server, pass_fds=[channel])
    finally:
        os.close(channel)
    try:
        yield Disk(shown, log)
    finally:
        subprocess.run(["umount", shown], check=True)
        process.wait(30)


def after_cut(writes: Sequence[Write], count: int, dice: random.Random | None) -> list[Write]:
    """Return what is on the disk of the first ``count`` ``writes`` when the power goes.

    All of them in order, or with ``dice``: the disk kept some blocks back in a cache
    of its own since the last flush, and any of them are lost.
    """
    done = writes[:count]
    if dice is None:
        return list(done)
    kept = max((number for number, one in enumerate(done) if one.is_flush), default=0)
    blocks = [
        Write(one.at + start, one.data[start : start + BLOCK])
        for one in done[kept:]
        for start in range(0, len(one.data), BLOCK)
    ]
    share = dice.choice((0.0, 0.1, 0.5, 0.9))
    return [*done[:kept], *(block for block in blocks if dice.random() < share)]


def write_image(image: str, writes: Sequence[Write], target: str) -> None:
    """Write ``target``: the file ``image``, changed by ``writes``."""
    subprocess.run(["cp", "--sparse=always", image, target], check=True)
    with open(target, "r+b") as file:
        for one in writes:
            if not one.is_flush:
                os.pwrite(file.fileno(), one.data, one.at)


class _Server:
    """Answers the kernel's requests for the one file there is."""

    def __init__(self, channel: int, image: int, log: int) -> None:
        self._channel = channel
        self._image = image
        self._log = log

    def run(self) -> None:
        """Serve until the file is unmounted."""
        while True:
            try:
                request = os.read(self._channel, _MAX_WRITE + (1 << 16))
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in {errno.EINTR, errno.ENOENT}:
                    continue  # a request that was given up
                raise
            _, code, unique, *_ = _REQUEST.unpack_from(request)
            if code in _UNANSWERED:
                continue
            answer = self._answer(code, memoryview(request)[_REQUEST.size :])
            wrong = 0 if answer is not None else -errno.ENOSYS
            answer = answer or b""
            head = _REPLY.pack(_REPLY.size + len(answer), wrong, unique)
            os.write(self._channel, head + answer)

    def _answer(self, code: int, body: memoryview) -> bytes | None:
        match code:
            case _Code.INIT:
                flags = _ASYNC_READ | _BIG_WRITES | _MAX_PAGES
                sizes = (16, 12, _MAX_WRITE, 1, _MAX_WRITE // 4096)
                return Struct("<IIIIHHIIHH32x").pack(7, 31, _MAX_WRITE, flags, *sizes, 0)
            case _Code.GETATTR | _Code.SETATTR:
                size = os.fstat(self._image).st_size
                mode = stat.S_IFREG | 0o600
                times = (0, 0, 0, 0, 0, 0)
                return _ATTRIBUTES.pack(
                    3600, 0, 0, 1, size, size // 512, *times, mode, 1, 0, 0, 0, BLOCK, 0
                )
            case _Code.OPEN:
                return bytes(16)
            case _Code.READ:
                _, at, size, *_ = _TRANSFER.unpack_from(body)
                return os.pread(self._image, size, at)
            case _Code.WRITE:
                _, at, size, *_ = _TRANSFER.unpack_from(body)
                self._keep(at, body[_TRANSFER.size : _TRANSFER.size + size])
                return Struct("<II").pack(size, 0)
            case _Code.STATFS:
                return bytes(80)
            case _Code.FSYNC:
                os.write(self._log, _RECORD.pack(_FLUSH, 0))
                return b""
            case _Code.RELEASE | _Code.FLUSH | _Code.DESTROY:
                return b""
        return None

    def _keep(self, at: int, data: memoryview) -> None:
        os.pwrite(self._image, data, at)
        os.writev(self._log, (_RECORD.pack(at, len(data)), data))


def _main(channel: str, image: str, log: str) -> None:
    log_file = os.open(log, os.O_WRONLY | os.O_APPEND)
    _Server(int(channel), os.open(image, os.O_RDWR), log_file).run()


if __name__ == "__main__":
    _main(*sys.argv[1:])
