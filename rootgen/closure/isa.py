"""Objects of a process that a processor could not run, by what they say of themselves.

GNU_PROPERTY_X86_ISA_1_NEEDED against an x86-64 level: glibc 2.33 and later
refuses such an object ("CPU ISA level is lower than required").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.elf.notes import read_isa_needed
from rootgen.named import NamedTuple

if TYPE_CHECKING:
    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Sysroot

_EM_386, _EM_X86_64 = 3, 62


class TooNew(NamedTuple):
    """An object that needs ``level``, which is beyond the processor."""

    object: str
    level: str


class IsaReader:
    """What the files of one root need, each read once."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._sysroot = sysroot
        self._levels: dict[str, str] = {}

    def beyond(self, load: Load, levels: tuple[str, ...]) -> tuple[TooNew, ...]:
        """Return the objects of ``load`` that need a level that is not among ``levels``.

        Every x86-64 processor has the first level. Raises ElfError for
        malformed notes' surroundings, as ``read_isa_needed``.
        """
        found: list[TooNew] = []
        for mapped in load.objects:
            if mapped.facts.machine not in {_EM_386, _EM_X86_64}:
                continue
            path = mapped.found.path
            if path not in self._levels:
                with self._sysroot.open(path) as file:
                    self._levels[path] = read_isa_needed(file.pread, path)
            level = self._levels[path]
            if level and level not in levels and level != "x86-64-v1":
                found.append(TooNew(mapped.path, level))
        return tuple(found)
