"""Symbol versions that a process lacks (glibc ``elf/dl-version.c``).

Each object's DT_VERNEED is held against the DT_VERDEF of the object that its
file name stands for in the process. musl knows no symbol versions.
"""

from __future__ import annotations

import posixpath
from enum import Enum

from rootgen.closure.once import read_once
from rootgen.elf.versions import Versions, read_versions
from rootgen.ldso.load import How, NeedKind
from rootgen.ldso.musl import is_musl
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.ldso.load import Load, Mapped
    from rootgen.sysroot.port import Sysroot


class Lack(Enum):
    """What is wrong with a version: only the first ends the program."""

    MISSING = "missing"
    WEAK = "weak"
    UNVERSIONED = "unversioned"


class VersionLack(NamedTuple):
    """A version that ``requester`` wants and ``provider``, a path in the process, lacks."""

    requester: str
    provider: str
    version: str
    lack: Lack


def musl_loader(load: Load) -> str:
    """Return the path of musl's loader where it is that one that makes the process, else ""."""
    own = load.objects[0].facts.interpreter
    paths = [mapped.path for mapped in load.objects if mapped.how is How.INTERPRETER]
    return next((path for path in (own, *paths) if path is not None and is_musl(path)), "")


class VersionReader:
    """The versions of one root's files, each read once."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._read = read_once(sysroot, read_versions)

    def versions(self, mapped: Mapped) -> Versions:
        """Return the versions of one object; raise ElfError where they are malformed."""
        return self._read(mapped) if mapped.facts.dynamic else Versions()

    def lacking(self, load: Load) -> tuple[VersionLack, ...]:
        """Return what the objects of ``load`` want and do not find, in the loader's order.

        Nothing is said of a library that lacks as a whole: that is known.
        """
        if musl_loader(load):
            return ()
        named = named_objects(load)
        found: list[VersionLack] = []
        for mapped in load.objects:
            for need in self.versions(mapped).needs:
                provider = named.get(need.file)
                if provider is None:
                    continue
                defines = self.versions(provider).defines
                if defines is None:
                    lack = Lack.UNVERSIONED
                elif need.version in defines:
                    continue
                else:
                    lack = Lack.WEAK if need.weak else Lack.MISSING
                found.append(VersionLack(mapped.path, provider.path, need.version, lack))
        return tuple(found)


def named_objects(load: Load) -> dict[str, Mapped]:
    """Return each object by what it is known by in the process (``_dl_name_match_p``)."""
    named: dict[str, Mapped] = {}
    for need in load.needs:
        if need.target is not None:
            named.setdefault(need.name, load.objects[need.target])
            if need.kind is NeedKind.INTERPRETER:
                named.setdefault(posixpath.basename(need.name), load.objects[need.target])
    for mapped in load.objects:
        named.setdefault(mapped.path, mapped)
        if mapped.facts.soname is not None:
            named.setdefault(mapped.facts.soname, mapped)
    return named
