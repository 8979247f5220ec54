"""Entries made in an open directory, as recorded calls (mkdirat(2), mknodat(2), symlinkat(2))."""

from __future__ import annotations

import os
from ctypes import c_char_p, c_int, c_uint, c_ulonglong

from rootgen.linux.libc import function, has
from rootgen.linux.path import encoded
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.linux.calls import Handler, Recorder, Slot

_DIRECTORY_MODE, _FILE_MODE = 0o755, 0o644
_REGULAR = 0o100000  # S_IFREG

_MKDIRAT = function("mkdirat", c_int, c_char_p, c_uint)
_SYMLINKAT = function("symlinkat", c_char_p, c_int, c_char_p)


def _make_node(directory: int, name: bytes, mode: int, device: int) -> int:
    os.mknod(name, mode, device, dir_fd=directory)
    return 0


# glibc before 2.33 has it under another name; its dev_t is of 64 bits everywhere, as musl's is.
_MKNODAT: Callable[..., int] = (
    function("mknodat", c_int, c_char_p, c_uint, c_ulonglong) if has("mknodat") else _make_node
)


def record_directory(recorder: Recorder, parent: Slot, name: str, failed: Handler) -> None:
    """Record that a directory is made, with the mode 755 as far as the umask allows."""
    recorder.call(_MKDIRAT, parent, encoded(name), _DIRECTORY_MODE, failed=failed)


def record_file(recorder: Recorder, parent: Slot, name: str, failed: Handler) -> None:
    """Record that an empty file is made, with the mode 644 as far as the umask allows."""
    record_device(recorder, parent, name, _REGULAR | _FILE_MODE, 0, failed)


def record_device(
    recorder: Recorder, parent: Slot, name: str, mode: int, device: int, failed: Handler
) -> None:
    """Record that a device is made; ``mode`` has its type as well (inode(7))."""
    recorder.call(_MKNODAT, parent, encoded(name), mode, device, failed=failed)


def record_link(recorder: Recorder, parent: Slot, name: str, target: str, failed: Handler) -> None:
    """Record that a symbolic link is made."""
    recorder.call(_SYMLINKAT, encoded(target), parent, encoded(name), failed=failed)
