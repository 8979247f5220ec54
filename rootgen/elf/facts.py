"""What one ELF file says of itself, as far as loading it is concerned.

Facts are named tuples, not dataclasses: defining a frozen, slotted dataclass
costs 1 ms at import and 0.7 us at each creation where a named tuple costs
0.15 ms and 0.25 us, and both are on the path of every command.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Literal

    ByteOrder = Literal["little", "big"]

# e_type (System V gABI, chapter 4, "ELF Header")
ET_REL = 1
ET_EXEC = 2
ET_DYN = 3
ET_CORE = 4


class AbiNote(NamedTuple):
    """NT_GNU_ABI_TAG: the oldest kernel that the object runs on (LSB core, section 10.8)."""

    os: int
    major: int
    minor: int
    patch: int


class ElfFacts(NamedTuple):
    """The dynamic facts of one ELF file.

    Strings keep undecodable bytes as surrogates (``os.fsdecode``). A file
    with no PT_DYNAMIC (static, or ET_REL) has ``dynamic`` false and every
    dynamic field empty.
    """

    elf_class: Literal[32, 64]
    byte_order: ByteOrder
    os_abi: int
    abi_version: int
    machine: int
    flags: int
    type: int
    interpreter: str | None = None
    dynamic: bool = False
    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    dt_flags: int = 0
    dt_flags_1: int = 0
    auxiliary: tuple[str, ...] = ()
    filter: tuple[str, ...] = ()
    abi_note: AbiNote | None = None
