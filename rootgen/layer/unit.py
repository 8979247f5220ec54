"""What changes together with a file of a Plan: what was built with it, or is of the same owner."""

from __future__ import annotations

import re
from urllib.parse import quote

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind, FromSysroot, ReasonKind

if TYPE_CHECKING:
    from rootgen.plan.entry import Entry

# The files of glibc's own build (its soname directories; Debian's libc6, Fedora's glibc-libs), and
# musl's one: they are of one version, and change together.
_LIBC = re.compile(
    r"ld-(linux.*|musl-.*|\d.*)\.so(\.\d+)?"
    r"|lib(c|m|mvec|pthread|dl|rt|resolv|nsl|util|anl|BrokenLocale|thread_db|nss_\w+"
    r"|c_malloc_debug|memusage|pcprofile)(-\d[\d.]*)?\.so(\.\d+)*"
    r"|libc\.musl-.*\.so\.1"
)
# Who builds an image changes what is theirs more often than a distribution does what is its.
_OWN_RATE = 8


class Unit(NamedTuple):
    """What changes at once; ``rate`` is how often, a package of a distribution being 1.

    A name is one word, and says neither content nor size: it stays.
    """

    rate: int
    name: str


def unit_of(entry: Entry, origin: str) -> Unit:
    """Return the unit of an entry; ``origin`` is what its package was built from, "": unknown."""
    if origin:
        return Unit(1, origin)
    if entry.kind is EntryKind.DIRECTORY:
        return Unit(_OWN_RATE, "own")
    if entry.kind is not EntryKind.FILE:
        return Unit(1, "links")
    kinds = {reason.kind for reason in entry.reasons}
    if not isinstance(entry.content, FromSysroot) or ReasonKind.ADDED in kinds:
        return Unit(_OWN_RATE, "own")
    if _LIBC.fullmatch(entry.path.rpartition("/")[2]):
        return Unit(1, "libc")
    for reason in entry.reasons:
        # What a profile has of programs is each its own; the files that it adds are one program's.
        if reason.kind is ReasonKind.PROFILE and reason.detail == "files":
            return Unit(1, f"profile:{reason.by}")
    return Unit(1, quote(entry.path, errors="surrogateescape"))
