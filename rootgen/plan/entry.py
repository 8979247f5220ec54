"""One path of a Plan: what will stand there, where its bytes come from, and why."""

from __future__ import annotations

from enum import Enum

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


# Attributes that belong to the host's own policy or file system, not to the file.
# (trusted.* is seen by root alone: the same tree must come of every user's run.)
HOST_ATTRIBUTES = (
    "security.selinux",
    "security.ima",
    "security.evm",
    "system.nfs4_acl",
    "trusted.",
)


class EntryKind(Enum):
    """What an entry makes of its path."""

    # There is one of each: what Enum does, hashing the name in Python, is most of a table's cost.
    __hash__ = object.__hash__

    DIRECTORY = "directory"
    FILE = "file"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "character"
    BLOCK = "block"
    FIFO = "fifo"


class ReasonKind(Enum):
    """Why an entry is in a Plan (DESIGN, rule 7)."""

    REQUESTED = "requested"  # a program named on the command line
    PROFILE = "profile"  # `by` is the profile's name
    ADDED = "added"  # --add
    NEEDED = "needed"  # `by` is the object's path, detail says the name and the rule
    INTERPRETER = "interpreter"  # PT_INTERP of `by`
    SCRIPT = "script"  # the #! line of `by`
    PRELOAD = "preload"  # /etc/ld.so.preload
    LINK = "link"  # a symbolic link on the way to `by`
    PARENT = "parent"  # the directory that `by` is in
    SKELETON = "skeleton"  # the standard directories and files
    CACHE = "cache"  # ld.so.cache, for `by`
    BASE = "base"  # of the base, which says no other reason
    RECORD = "record"  # what scanners read, of the package `by` or of all


class Reason(NamedTuple):
    """One reason: ``by`` is the path (or profile) that wants the entry."""

    kind: ReasonKind
    by: str = ""
    detail: str = ""


class FromSysroot(NamedTuple):
    """Bytes of the file at a real path of the root that was read."""

    path: str


class FromHost(NamedTuple):
    """Bytes of a file of the host, named by ``--add`` or a profile's ``from:``."""

    path: str


class Inline(NamedTuple):
    """Bytes of our own."""

    data: bytes


Content = FromSysroot | FromHost | Inline


class Entry(NamedTuple):
    """What one path of the target will be.

    ``mode`` holds the twelve permission bits; ``mtime`` is in whole seconds
    since the epoch; ``target`` is a symlink's text or a hard link's path;
    ``sha256`` (hex) is empty until the bytes have been read.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    content: Content | None = None
    target: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
    sha256: str = ""
    reasons: tuple[Reason, ...] = ()


def hard_link(entry: Entry, target: str) -> Entry:
    """Return ``entry`` as one more name of the file that the entry at ``target`` is."""
    return entry._replace(
        kind=EntryKind.HARDLINK, target=target, content=None, size=0, xattrs=(), sha256=""
    )


def wanted_by(reasons: Sequence[Reason]) -> tuple[str, ...]:
    """Say who wants an entry, for an error that is about its content."""
    if not reasons:
        return ()
    reason = reasons[0]
    match reason.kind:
        case ReasonKind.ADDED:
            return (f"wanted by --add {reason.by}",)
        case ReasonKind.PROFILE:
            return (f"wanted by profile {reason.by}: {reason.detail}",)
        case ReasonKind.REQUESTED:
            return (f"asked for as {reason.detail}",)
        case ReasonKind.NEEDED:
            return (f"needed by {reason.by} ({reason.detail})",)
        case ReasonKind.INTERPRETER | ReasonKind.SCRIPT:
            return (f"interpreter of {reason.by}",)
        case _:
            return (f"{reason.kind.value} of {reason.by} {reason.detail}".rstrip(),)
