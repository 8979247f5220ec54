"""What a file of a Plan is for, by the reasons that it has and what it is called."""

from __future__ import annotations

import re
from enum import IntEnum

from rootgen.named import TYPE_CHECKING
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
_OWN = {ReasonKind.REQUESTED, ReasonKind.PROFILE, ReasonKind.ADDED, ReasonKind.SKELETON}


class Role(IntEnum):
    """From what most images have and rarely changes, to what is an image's own."""

    LIBC = 0  # the loader and the C library
    LIBRARIES = 1  # what programs need: libraries, interpreters of scripts
    PROGRAMS = 2  # what was asked for by name, and what profiles say of it
    OWN = 3  # what is not of the root that was read: --add, texts, accounts, the cache

    @property
    def words(self) -> str:
        """What people call it, in a layer's history."""
        return ("C library", "libraries", "programs", "own files")[self]


def role_of(entry: Entry) -> Role:
    """Return what a file, or another entry that is no directory, is for."""
    if _LIBC.fullmatch(entry.path.rpartition("/")[2]):
        return Role.LIBC
    if entry.kind is EntryKind.FILE and not isinstance(entry.content, FromSysroot):
        return Role.OWN
    kinds = {reason.kind for reason in entry.reasons}
    if ReasonKind.INTERPRETER in kinds:
        return Role.LIBC
    return Role.PROGRAMS if kinds & _OWN else Role.LIBRARIES
