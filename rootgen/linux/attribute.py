"""Whether a name has extended attributes, asked of its directory (listxattrat(2), Linux 6.13).

Without that call a name is found by way of /proc, which takes the kernel three
times as long; and nearly no file has attributes.
"""

from __future__ import annotations

import errno
import os

from rootgen.linux.libc import LISTXATTRAT, last_errno, system_call

_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000


def can_ask(directory: int) -> bool:
    """Tell whether there is such a call: the kernel has it, and no filter forbids it."""
    if system_call(LISTXATTRAT, directory, b"", _AT_EMPTY_PATH) >= 0:
        return True
    return last_errno() not in {errno.ENOSYS, errno.EPERM}


def has_none(directory: int, name: str) -> bool:
    """Tell whether ``name`` (no link followed) in ``directory`` is known to have no attributes.

    What it has, and what went wrong, is for another call to say.
    """
    # No room for the names: the result is how much they would take.
    found = system_call(LISTXATTRAT, directory, os.fsencode(name), _AT_SYMLINK_NOFOLLOW)
    return found == 0
