"""Objects of a process that a processor or kernel could not run, by what they say of themselves.

GNU_PROPERTY_X86_ISA_1_NEEDED against an x86-64 level: glibc 2.33 and later
refuses such an object ("CPU ISA level is lower than required").
NT_GNU_ABI_TAG against a kernel's release: glibc before 2.37 passes over such
a library, and ends such a program ("kernel too old").
"""

from __future__ import annotations

from rootgen.closure.once import read_once
from rootgen.elf.notes import read_isa_needed
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Sysroot

_EM_386, _EM_X86_64 = 3, 62
_LINUX = 0  # of an ABI note: ELF_NOTE_OS_LINUX
_DIGITS = 9


class TooNew(NamedTuple):
    """An object that needs ``level``, beyond the processor, or ``Linux 6.1``, beyond the kernel."""

    object: str
    level: str


class IsaReader:
    """What the files of one root need, each read once."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._read = read_once(sysroot, read_isa_needed)

    def beyond(self, load: Load, levels: tuple[str, ...]) -> tuple[TooNew, ...]:
        """Return the objects of ``load`` that need a level that is not among ``levels``.

        Every x86-64 processor has the first level. Raises ElfError for
        malformed notes' surroundings, as ``read_isa_needed``.
        """
        found: list[TooNew] = []
        for mapped in load.objects:
            if mapped.facts.machine not in {_EM_386, _EM_X86_64}:
                continue
            level = self._read(mapped)
            if level and level not in levels and level != "x86-64-v1":
                found.append(TooNew(mapped.path, level))
        return tuple(found)


def beyond_kernel(load: Load, release: tuple[int, ...]) -> tuple[TooNew, ...]:
    """Return the objects of ``load`` that need a newer kernel than ``release``: (5, 10)."""
    found: list[TooNew] = []
    for mapped in load.objects:
        note = mapped.facts.abi_note
        if note is None or note.os != _LINUX:
            continue
        oldest = (note.major, note.minor, note.patch)
        if oldest > (*release, 0, 0, 0)[:3]:
            found.append(TooNew(mapped.path, "Linux " + ".".join(map(str, oldest))))
    return tuple(found)


def parse_release(text: str) -> tuple[int, ...] | None:
    """Return the numbers of a kernel's release (``6.1.0-18-amd64``: 6, 1, 0); None for none."""
    numbers: list[int] = []
    for part in text.partition("-")[0].split(".")[:3]:
        if not part.isascii() or not part.isdigit() or len(part) > _DIGITS:
            return None
        numbers.append(int(part))
    return tuple(numbers)
