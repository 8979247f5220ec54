"""Getting bytes to the disk before a tree takes its name.

File systems write contents when they like, and a rename may be on the disk
first (ext4, delayed allocation): after a power failure the new name would
have files without their bytes. So writing is begun for each file as soon as
it is copied, which costs 0.03 ms; ext4 (data=ordered) and btrfs then keep
the rename behind the bytes by themselves.

A tree that is replaced must not be lost to that on any file system: there
the bytes are waited for before the exchange. A new tree has nothing to lose
but itself, and waiting for the disk (3 ms on an idle one, 10 to 80 on a busy
one, measured on ext4) would be the longest part of a small ``make``.

Nor is the tree that was replaced removed before the exchange itself is on the
disk: ext4 with data=writeback gives its blocks away at once, and after a power
failure the old tree would be back, with the bytes of others in its files. That
takes syncfs(2): after an fsync(2) of the new directory alone btrfs has its name,
and of what is within only the files that were waited for.
"""

from __future__ import annotations

import errno
import os


class Flush:
    """Files being written to the disk by a thread, while their bytes are hashed.

    Handing them to the disk takes as long as hashing them. Where they are to
    be ``durable``, one fdatasync(2) each follows, and not syncfs(2): a few
    files are waited for, whatever else the disk has still to write for others.
    """

    def __init__(self, descriptors: list[int], *, durable: bool) -> None:
        """Begin with ``descriptors``, which must stay open until ``wait`` returns."""
        from threading import Thread

        self._failures: list[OSError] = []
        self._durable = durable
        self._thread = Thread(target=self._run, args=(descriptors,), daemon=True)
        self._thread.start()

    def wait(self) -> list[OSError]:
        """Wait for the end and return what failed."""
        self._thread.join()
        return self._failures

    def _run(self, descriptors: list[int]) -> None:
        try:
            for descriptor in descriptors:
                begin_flush(descriptor)
            for descriptor in descriptors if self._durable else ():
                flush_file(descriptor)
        except OSError as error:
            self._failures.append(error)


def begin_flush(descriptor: int) -> None:
    """Have a file's bytes written to the disk, without waiting.

    The kernel begins to write what is dirty before it forgets what is clean
    (posix_fadvise(2), POSIX_FADV_DONTNEED); sync_file_range(2), which is made
    for it, is not to be had from Python.
    """
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def flush_file(descriptor: int) -> None:
    """Write a file's bytes to the disk; raise OSError where that fails.

    A file system that has no such thing (EINVAL) has no disk either.
    """
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EROFS}:
            raise
