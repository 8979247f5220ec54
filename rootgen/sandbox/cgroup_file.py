"""Reading and writing the files of a group, with errors that say which."""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError

_READ_LIMIT = 65536


def write(path: str, text: str) -> None:
    """Write to a file of a group, in one write as the kernel wants it; raise LaunchError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise failure(f"write '{text}' to {path}", error) from error


def read_lines(path: str) -> list[str]:
    """Return the lines of a file of a group; raise OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _READ_LIMIT).decode().splitlines()
    finally:
        os.close(descriptor)


def failure(doing: str, error: OSError) -> LaunchError:
    """Return the error that says what could not be done with a group, and what to try."""
    hint = "leave the limit out, or try another value: the caller's own group bounds it"
    if error.errno == errno.ENOMEM:
        hint = "--memory is less than a group takes by itself: give it 1M or more"
    if error.errno == errno.ENODEV:
        hint = "the device has no request queue to limit: name the disk itself (lsblk)"
    return LaunchError(f"cannot {doing}: {error.strerror}", hint=hint)
