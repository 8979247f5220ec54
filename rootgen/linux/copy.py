"""Copying a file's bytes the cheapest way the file systems allow, holes kept.

A reflink (``ioctl_ficlone(2)``) shares the blocks; else each extent of data
(``lseek(2)`` SEEK_DATA, SEEK_HOLE) goes through ``copy_file_range(2)``, and
where that is refused (other file system types, old kernels, seccomp)
through read and write.
"""

from __future__ import annotations

import errno
import fcntl
import os

_FICLONE = 0x40049409  # _IOW(0x94, 9, int), linux/fs.h; mips, ppc and sparc differ
_FICLONE_OTHER = 0x80049409
# ioctl-number encodings where the direction bits stand elsewhere (asm/ioctl.h)
_OTHER_MACHINES = ("mips", "ppc")

_CHUNK = 1 << 20
_RANGE = 1 << 30  # copy_file_range(2) copies at most 2 GiB - 4096 bytes at once

# What says "not this way", rather than "it failed": then the next way is tried.
_REFUSED = frozenset(
    (
        errno.EXDEV,
        errno.EINVAL,
        errno.ENOSYS,
        errno.EOPNOTSUPP,
        errno.ENOTTY,
        errno.EPERM,
        errno.EBADF,
        errno.ETXTBSY,
        errno.EISDIR,
    )
)


def copy_data(source: int, target: int, size: int) -> int:
    """Copy ``size`` bytes from the start of ``source`` to the start of ``target``.

    ``target`` is an empty regular file open for writing. Returns how many
    bytes ``target`` then has: fewer than ``size`` where the source turned
    out to be shorter; what it grew by meanwhile is left out. Raises OSError
    (ENOSPC, EIO, …).
    """
    if size == 0:
        return 0
    if _reflink(source, target):
        # A clone takes all of the source, also what was added since it was measured.
        length = min(os.fstat(target).st_size, size)
        os.ftruncate(target, length)
        return length
    length = min(os.fstat(source).st_size, size)
    os.ftruncate(target, length)
    copied = _copy_extents(source, target, length)
    if copied < length:
        os.ftruncate(target, copied)
    return copied


def _reflink(source: int, target: int) -> bool:
    machine = os.uname().machine
    request = _FICLONE_OTHER if machine.startswith(_OTHER_MACHINES) else _FICLONE
    try:
        fcntl.ioctl(target, request, source)
    except OSError as error:
        if error.errno in _REFUSED:
            return False
        raise
    return True


def _copy_extents(source: int, target: int, length: int) -> int:
    """Copy the data extents; return where the source ended, at most ``length``."""
    in_kernel = True
    offset = 0
    while offset < length:
        start, end = _next_extent(source, offset, length)
        if start >= length:
            break
        offset = start
        if in_kernel:
            offset, in_kernel = _copy_in_kernel(source, target, offset, end)
        if not in_kernel:
            offset = _copy_by_hand(source, target, offset, end)
        if offset < end:
            return offset
    return length


def _next_extent(source: int, offset: int, length: int) -> tuple[int, int]:
    """Return the next extent of data from ``offset`` on; (length, length) if only a hole is left.

    A file system that cannot tell (EINVAL) has one extent.
    """
    try:
        start = os.lseek(source, offset, os.SEEK_DATA)
        end = os.lseek(source, start, os.SEEK_HOLE)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return length, length
        return offset, length
    return min(start, length), min(end, length)


def _copy_in_kernel(source: int, target: int, offset: int, end: int) -> tuple[int, bool]:
    """Return where it got to, and whether this way is open.

    Zero bytes copied before the end is not believed to be the end of the
    file: files of procfs and of some FUSE systems answer so (copy_file_range(2), BUGS).
    """
    while offset < end:
        try:
            copied = os.copy_file_range(
                source, target, min(end - offset, _RANGE), offset_src=offset, offset_dst=offset
            )
        except OSError as error:
            if error.errno in _REFUSED:
                return offset, False
            raise
        if copied == 0:
            return offset, False
        offset += copied
    return offset, True


def _copy_by_hand(source: int, target: int, offset: int, end: int) -> int:
    while offset < end:
        data = os.pread(source, min(end - offset, _CHUNK), offset)
        if not data:
            break
        view = memoryview(data)
        while view:
            written = os.pwrite(target, view, offset)
            view = view[written:]
            offset += written
    return offset
