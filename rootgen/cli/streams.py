"""The three standard streams as a command finds them: closed, of any encoding."""

from __future__ import annotations

import os
import sys

_ERRORS = 2


def prepare_streams() -> None:
    """Make writing safe: no name, sign or closed stream raises anything but OSError.

    A descriptor that the caller closed is /dev/null from here on: else the
    first file that we open would be standard output, to which a write fails
    as it does to a closed one (EBADF): what was to be printed is not. A name that is not
    UTF-8 leaves as the bytes it came as; a sign that the caller's encoding
    lacks (the lines of a tree, in Latin-1) as a question mark.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free: this one.
            os.open(os.devnull, os.O_WRONLY if number == _ERRORS else os.O_RDONLY)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="surrogateescape" if _is_utf_8(stream.encoding) else "replace"
            )


def _is_utf_8(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "") == "utf8"
