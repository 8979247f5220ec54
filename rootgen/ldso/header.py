"""What an object's ELF header must say for a process to take it (glibc elf/dl-load.c, open_verify).

Class and machine decide whether the search goes on, with the flags that the
machine's ``elf_machine_matches_host`` looks at; what fits so far, and is not
right all the same, ends the process.
"""

from __future__ import annotations

from rootgen.elf.facts import ET_EXEC
from rootgen.ldso.machine import (
    CLASS_32,
    EM_386,
    EM_ARM,
    EM_MIPS,
    EM_PPC,
    EM_PPC64,
    EM_RISCV,
    EM_SPARCV9,
    EM_X86_64,
    machine_of,
)
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.elf.facts import ElfFacts

_DF_1_PIE = 0x08000000
_OS_ABI_GNU = 3
_OS_ABIS = {0, _OS_ABI_GNU}
_OS_ABI_ARM = 64  # sysdeps/unix/sysv/linux/arm/ldsodefs.h, EXTRA_OSABI
# libc-abis: EI_ABIVERSION of ELFOSABI_GNU counts the features that it lists for the machine.
_ABI_VERSIONS = {
    EM_MIPS: 6,
    **dict.fromkeys((EM_386, EM_X86_64, EM_PPC, EM_PPC64, EM_RISCV, EM_SPARCV9), 4),
}
_USUAL_ABI_VERSIONS = 3

_EF_ARM_EABI_VERSION, _EF_ARM_EABI_5 = 0xFF000000, 0x05000000
_EF_ARM_ABI_FLOAT_SOFT, _EF_ARM_ABI_FLOAT_HARD = 0x200, 0x400
_EF_MIPS_ABI2, _EF_MIPS_FP64, _EF_MIPS_NAN2008 = 0x20, 0x200, 0x400
_EF_PPC64_ABI = 3
_EF_RISCV_FLOAT_ABI = 6


def fits(facts: ElfFacts, program: ElfFacts) -> bool:
    """Tell whether a file is of the process's kind; else the search goes on."""
    if facts.elf_class != program.elf_class:
        return False
    if facts.byte_order != program.byte_order:
        # The loader reads e_machine in its own data order, whatever the file's.
        machine = facts.machine
        return (machine >> 8 | (machine & 0xFF) << 8) == program.machine
    if facts.machine != program.machine:
        return False
    if facts.abi_note is not None and facts.abi_note.os != 0:
        return False
    return facts.flags == program.flags or _mix(facts, program)


def refusal(facts: ElfFacts, program: ElfFacts) -> str:
    """Say why the loader ends the process over a file that fits; "" where it maps it."""
    if facts.byte_order != program.byte_order:
        return f"ELF file data encoding not {program.byte_order}-endian"
    if facts.os_abi not in _OS_ABIS and (facts.machine, facts.os_abi) != (EM_ARM, _OS_ABI_ARM):
        return "ELF file OS ABI invalid"
    if facts.abi_version and not _knows_abi_version(facts):
        return "ELF file ABI version invalid"
    if facts.type == ET_EXEC:
        return "cannot dynamically load executable"
    if facts.dt_flags_1 & _DF_1_PIE:
        return "cannot dynamically load position-independent executable"
    return ""


def _knows_abi_version(facts: ElfFacts) -> bool:
    limit = _ABI_VERSIONS.get(facts.machine, _USUAL_ABI_VERSIONS)
    return facts.os_abi == _OS_ABI_GNU and facts.abi_version < limit


def _mix(facts: ElfFacts, program: ElfFacts) -> bool:
    """Tell whether objects with these two e_flags can be in one process."""
    machine, flags = facts.machine, facts.flags
    if machine == EM_ARM:
        # VALID_FLOAT_ABI: what says nothing of floats goes with either kind.
        hard = machine_of(program).name == "armhf"
        other = _EF_ARM_ABI_FLOAT_SOFT if hard else _EF_ARM_ABI_FLOAT_HARD
        return flags & _EF_ARM_EABI_VERSION != _EF_ARM_EABI_5 or not flags & other
    if machine == EM_MIPS:
        # o32 and n32, and old and new NaNs.
        kinds = _EF_MIPS_NAN2008 | (_EF_MIPS_ABI2 if facts.elf_class == CLASS_32 else 0)
        return not (flags ^ program.flags) & kinds and not flags & _EF_MIPS_FP64
    if machine == EM_PPC64:
        own = program.flags & _EF_PPC64_ABI or (1 if program.byte_order == "big" else 2)
        return flags & _EF_PPC64_ABI in {0, own}
    # LoongArch's loader does not look at its flags, though they tell floats as well.
    return machine != EM_RISCV or not (flags ^ program.flags) & _EF_RISCV_FLOAT_ABI
