"""Getting bytes to the disk before a tree takes its name.

A power failure must not leave a tree under its final name whose files are
empty: file systems write contents when they like, and the rename may be
there first (ext4, delayed allocation).
"""

from __future__ import annotations

import errno
import os


class Flush:
    """Files being written to the disk by a thread, while their bytes are hashed.

    One fdatasync(2) each, and not syncfs(2): a few files are to be waited
    for, whatever else the disk still has to write (a second for each few
    hundred megabytes that another program left behind).
    """

    def __init__(self, descriptors: list[int]) -> None:
        """Begin with ``descriptors``, which must stay open until ``wait`` returns."""
        from threading import Thread

        self._failures: list[OSError] = []
        self._thread = Thread(target=self._run, args=(descriptors,), daemon=True)
        self._thread.start()

    def wait(self) -> list[OSError]:
        """Wait for the end and return what failed."""
        self._thread.join()
        return self._failures

    def _run(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            try:
                flush_file(descriptor)
            except OSError as error:
                self._failures.append(error)


def flush_file(descriptor: int) -> None:
    """Write a file's bytes to the disk; raise OSError where that fails.

    A file system that has no such thing (EINVAL) has no disk either.
    """
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EROFS}:
            raise
