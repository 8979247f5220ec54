"""What the numbers of an ELF header are called by people who use them.

The names are those of ``uname -m`` and of multiarch triplets; for what has
none there, the e_machine name of the gABI registry in lower case.
"""

from __future__ import annotations

from rootgen.elf.facts import ET_CORE, ET_DYN, ET_EXEC, ET_REL
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.elf.facts import ElfFacts

# e_machine (gABI registry; include/uapi/linux/elf-em.h) where class and order do not matter.
_MACHINES = {
    2: "sparc",
    3: "i386",
    4: "m68k",
    15: "parisc",
    18: "sparc",
    20: "powerpc",
    40: "arm",
    42: "sh4",
    43: "sparc64",
    50: "ia64",
    62: "x86_64",
    93: "arc",
    94: "xtensa",
    183: "aarch64",
    189: "microblaze",
    195: "arc",
    247: "bpf",
    252: "csky",
    0x9026: "alpha",
}
# The same number, by class.
_BY_CLASS = {
    22: {32: "s390", 64: "s390x"},
    243: {32: "riscv32", 64: "riscv64"},
    258: {32: "loongarch32", 64: "loongarch64"},
}
_LITTLE_MIPS = {32: "mipsel", 64: "mips64el"}
_BIG_MIPS = {32: "mips", 64: "mips64"}
_BIG_ARM = {40: "armeb", 183: "aarch64_be"}
_EM_MIPS, _EM_PPC64, _EM_X86_64 = 8, 21, 62

_TYPES = {
    ET_REL: "an object file for the linker",
    ET_EXEC: "an executable",
    ET_DYN: "a shared object",
    ET_CORE: "a core dump",
}


def machine_name(facts: ElfFacts) -> str:
    """Return what people call the machine that ``facts`` are for: ``x86_64``, ``ppc64le``."""
    machine, elf_class, little = facts.machine, facts.elf_class, facts.byte_order == "little"
    if machine == _EM_MIPS:
        return (_LITTLE_MIPS if little else _BIG_MIPS)[elf_class]
    if machine == _EM_PPC64:
        return "ppc64le" if little else "ppc64"
    if machine == _EM_X86_64 and elf_class == 32:  # noqa: PLR2004 - the class is its own name
        return "x32"
    if machine in _BY_CLASS:
        return _BY_CLASS[machine][elf_class]
    if not little and machine in _BIG_ARM:
        return _BIG_ARM[machine]
    return _MACHINES.get(machine, f"machine {machine}")


def type_name(facts: ElfFacts) -> str:
    """Return what the file is, in words: ``an executable``, ``a shared object``."""
    return _TYPES.get(facts.type, f"ELF type {facts.type}")
