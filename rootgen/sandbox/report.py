"""How an error inside reaches the launcher outside: as one message of plain fields.

Never pickled or marshalled: what reads it is outside.
"""

from __future__ import annotations

from rootgen.errors import (
    LaunchError,
    NotExecutableError,
    NotFoundError,
    RootgenError,
    UsageError,
)
from rootgen.linux.message import LIMIT

# Where process 1 has the channel to the launcher.
CHANNEL = 3
# And its Landlock ruleset, where it has one.
DOMAIN = 4
TERMINAL = b"terminal"
GO = b"go"
# The kernel has made the root of a stack; or it is mounted, and fuse-overlayfs is to answer.
STACKED = b"stacked"
FUSE = b"fuse"
STARTED = b"started"
STARTED_CHROOT = b"started, chroot"

_ERROR = b"error\0"
_KINDS: dict[str, type[RootgenError]] = {
    "failure": RootgenError,
    "usage": UsageError,
    "launch": LaunchError,
    "not executable": NotExecutableError,
    "not found": NotFoundError,
}


def pack_error(error: RootgenError) -> bytes:
    """Return the message for an error; what would not fit is cut."""
    kind = next((name for name, one in _KINDS.items() if type(error) is one), "failure")
    fields = (kind, error.what, error.hint, *error.why)
    data = "\0".join(field.replace("\0", "") for field in fields)
    return (_ERROR + _encoded(data))[:LIMIT]


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a word that can be no file's name has other surrogates
        return text.encode("utf-8", "backslashreplace")


def unpack_error(message: bytes) -> RootgenError | None:
    """Return the error that a message tells, or None where it is no such message."""
    if not message.startswith(_ERROR):
        return None
    fields = message[len(_ERROR) :].decode("utf-8", "surrogateescape").split("\0")
    kind, what, hint, *why = (*fields, "", "")[: max(len(fields), 3)]
    return _KINDS.get(kind, LaunchError)(what, why=tuple(why), hint=hint)
