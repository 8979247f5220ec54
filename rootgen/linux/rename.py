"""renameat2(2): renames that ``os.rename`` cannot make."""

from __future__ import annotations

import os

from rootgen.linux.libc import call, check, has, numbers, system_call

_RENAME_EXCHANGE = 2


def exchange(directory_a: int, name_a: str, directory_b: int, name_b: str) -> None:
    """Let two names change places in one step; both must be there.

    Names are relative to open directories. Raises OSError: EINVAL or ENOSYS
    where the file system or kernel cannot, EXDEV across file systems and for
    directories of an overlay's lower layer.
    """
    old, new = os.fsencode(name_a), os.fsencode(name_b)
    # musl before 1.2.6 and glibc before 2.28 have no wrapper.
    if has("renameat2"):
        result = call("renameat2", directory_a, old, directory_b, new, _RENAME_EXCHANGE)
    else:
        result = system_call(
            numbers().renameat2, directory_a, old, directory_b, new, _RENAME_EXCHANGE
        )
    check(result, name_a, name_b)
