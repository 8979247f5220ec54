"""What is done with descriptors, as recorded calls.

Of the C library's own, and not through ``os``: what these calls share is what a copy of a process
has to touch once.
"""

from __future__ import annotations

import fcntl
import os
from ctypes import c_char_p, c_int, c_long, c_size_t

from rootgen.linux.libc import function
from rootgen.linux.path import encoded
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder, Slot

_OPEN = function("open", c_char_p, c_int)
_CLOSE = function("close", c_int)
_FCNTL = function("fcntl", c_int, c_int, c_long)
_DUP2 = function("dup2", c_int, c_int)
_DUP3 = function("dup3", c_int, c_int, c_int)
_WRITE = function("write", c_int, c_char_p, c_size_t)
_CHDIR = function("chdir", c_char_p)
_FCHDIR = function("fchdir", c_int)


def record_opening(recorder: Recorder, path: str, flags: int, failed: Handler) -> Slot:
    """Record that ``path`` is opened, close-on-exec; return where its descriptor will be."""
    opened = recorder.value()
    name = encoded(path)
    recorder.call(_OPEN, name, flags | os.O_CLOEXEC, into=opened, failed=failed)
    return opened


def record_closing(recorder: Recorder, descriptor: Slot | int, failed: Handler) -> None:
    """Record that a descriptor is closed."""
    recorder.call(_CLOSE, descriptor, failed=failed)


def record_copy(
    recorder: Recorder, descriptor: Slot, lowest: int, failed: Handler, into: Slot | None = None
) -> Slot:
    """Record a copy, close-on-exec, whose number is at least ``lowest``; return where it will be.

    That may be where the original was (``into``), which stays open.
    """
    copy = recorder.value() if into is None else into
    how = fcntl.F_DUPFD_CLOEXEC
    recorder.call(_FCNTL, descriptor, how, lowest, into=copy, failed=failed)
    return copy


def record_number(
    recorder: Recorder, descriptor: Slot, number: int, failed: Handler, *, inherited: bool
) -> None:
    """Record a copy with that very number, which the original must not have."""
    if inherited:
        recorder.call(_DUP2, descriptor, number, failed=failed)
    else:
        recorder.call(_DUP3, descriptor, number, os.O_CLOEXEC, failed=failed)


def record_write(
    recorder: Recorder, descriptor: Slot, data: Slot, size: int, failed: Handler
) -> None:
    """Record that ``size`` bytes, which ``data`` will be, are written at once."""
    recorder.call(_WRITE, descriptor, data, size, failed=failed)


def record_entering(recorder: Recorder, directory: Slot | str, failed: Handler) -> None:
    """Record that a directory becomes the working directory, by its name or as it is open."""
    if isinstance(directory, str):
        recorder.call(_CHDIR, encoded(directory), failed=failed)
    else:
        recorder.call(_FCHDIR, directory, failed=failed)
