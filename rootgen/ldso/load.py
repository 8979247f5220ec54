"""What a dynamic loader maps for one program, as a value.

The order of ``Load.objects`` is the loader's own: the program first, then
``/etc/ld.so.preload``, then its DT_NEEDED breadth first; the interpreter
stands where the loader puts it (glibc: at its DT_NEEDED position if some
object names it, else last).
"""

from __future__ import annotations

from enum import Enum

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.elf.facts import ElfFacts
    from rootgen.sysroot.port import Found


# S_ISUID, S_ISGID: who runs such a program is somebody else than it runs as (AT_SECURE).
SETS_IDS = 0o6000


class How(Enum):
    """By which rule of ``ld.so(8)`` an object was found."""

    PROGRAM = "program"
    INTERPRETER = "interpreter"
    PATH = "path"
    RPATH = "RPATH"
    LIBRARY_PATH = "LD_LIBRARY_PATH"
    RUNPATH = "RUNPATH"
    CACHE = "ld.so.cache"
    CONFIGURATION = "ld.so.conf"
    PATH_FILE = "ld-musl path file"
    DEFAULT = "default directory"


class NeedKind(Enum):
    """What made an object ask for another one."""

    NEEDED = "DT_NEEDED"
    AUXILIARY = "DT_AUXILIARY"
    FILTER = "DT_FILTER"
    INTERPRETER = "PT_INTERP"
    PRELOAD = "ld.so.preload"
    DLOPEN = ".note.dlopen"


class Mapped(NamedTuple):
    """One object in the process.

    ``path`` is the name it was opened by (the loader's ``l_name``, what ldd
    prints); ``found.path`` the real file. ``via`` is the search path element
    that had it, tokens expanded, or "" where there was no search.
    """

    path: str
    found: Found
    facts: ElfFacts
    how: How
    via: str = ""


class Need(NamedTuple):
    """One name asked for: indexes into ``Load.objects``; ``target`` None if not found."""

    requester: int
    name: str
    kind: NeedKind
    target: int | None


class Missing(NamedTuple):
    """A name that no rule found: who asked, what for, and where was searched."""

    requester: int
    name: str
    kind: NeedKind
    searched: tuple[str, ...]
    why: str = "not found"


class Outcome(NamedTuple):
    """What a search came to: the object, or where was searched and why there is none.

    ``fatal``: the loader would end the process here, so no other place counts.
    """

    mapped: Mapped | None
    searched: tuple[str, ...] = ()
    why: str = "not found"
    fatal: bool = False


class Load(NamedTuple):
    """One program's process: objects in load order, who asked for what, what lacks.

    ``objects[0]`` is the program itself. A static program has no other.
    """

    objects: tuple[Mapped, ...]
    needs: tuple[Need, ...]
    missing: tuple[Missing, ...]
