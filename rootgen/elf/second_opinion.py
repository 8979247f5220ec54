"""The facts of a file by pyelftools: the one door to it.

It costs about 4 ms a file where ``reader`` needs 0.05, so nothing on the path
of a command comes through here: tests compare the two over whole systems.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from elftools.common.exceptions import ELFError
from elftools.common.utils import parse_cstring_from_stream
from elftools.construct.core import ConstructError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_D_TAG, ENUM_E_MACHINE, ENUM_E_TYPE, ENUM_EI_OSABI
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.segments import InterpSegment, NoteSegment

from rootgen.elf.facts import AbiNote, ElfFacts
from rootgen.elf.versions import VersionNeed, Versions
from rootgen.errors import ElfError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

# pyelftools names the operating systems of the note; these are their numbers (LSB core, 10.8).
_SYSTEMS = {
    "ELF_NOTE_OS_LINUX": 0,
    "ELF_NOTE_OS_GNU": 1,
    "ELF_NOTE_OS_SOLARIS2": 2,
    "ELF_NOTE_OS_FREEBSD": 3,
    "ELF_NOTE_OS_NETBSD": 4,
    "ELF_NOTE_OS_SYLLABLE": 5,
}


def second_facts(stream: BinaryIO, where: str) -> ElfFacts:
    """Return the facts of the ELF file in ``stream``, as pyelftools reads it.

    Unlike ``reader.read_facts`` this is unbounded: for files that are
    trusted to be sound. Raises ElfError for what pyelftools refuses.
    """
    try:
        return _facts(ELFFile(stream))
    except (ELFError, ConstructError, AssertionError) as error:
        message = f"{where}: {error}"
        raise ElfError(message) from error


def _facts(file: ELFFile) -> ElfFacts:
    header, ident = file.header, file.header.e_ident
    facts = ElfFacts(
        64 if file.elfclass == 64 else 32,  # noqa: PLR2004 - the class is its own name
        "little" if file.little_endian else "big",
        _number(ident.EI_OSABI, ENUM_EI_OSABI),
        ident.EI_ABIVERSION,
        _number(header.e_machine, ENUM_E_MACHINE),
        header.e_flags,
        _number(header.e_type, ENUM_E_TYPE),
    )
    for segment in file.iter_segments():
        if isinstance(segment, InterpSegment) and facts.interpreter is None:
            if segment["p_filesz"] == 0:
                message = "an interpreter name of 0 bytes"
                raise ELFError(message)
            # get_interp_name decodes the name as UTF-8, which it need not be.
            name = parse_cstring_from_stream(file.stream, segment["p_offset"])
            facts = facts._replace(interpreter=os.fsdecode(name or b""))
        elif isinstance(segment, NoteSegment) and facts.abi_note is None:
            facts = facts._replace(abi_note=_abi_note(segment))
        elif isinstance(segment, DynamicSegment):
            facts = _with_dynamic(facts, file, segment)
    return facts


def _number(name: Any, names: Mapping[str, int]) -> int:
    # What pyelftools has no name for it gives as the number that it is.
    return name if isinstance(name, int) else names[name]


def _abi_note(segment: NoteSegment) -> AbiNote | None:
    for note in segment.iter_notes():
        if note["n_type"] == "NT_GNU_ABI_TAG" and note["n_name"] == "GNU":
            tag = note["n_desc"]
            system = _number(tag.abi_os, _SYSTEMS)
            return AbiNote(system, tag.abi_major, tag.abi_minor, tag.abi_tiny)
    return None


def _with_dynamic(facts: ElfFacts, file: ELFFile, segment: DynamicSegment) -> ElfFacts:
    # _iter_tags: iter_tags decodes each name as UTF-8, which names need not be.
    tags = [(_number(tag.d_tag, ENUM_D_TAG), tag.d_val) for tag in segment._iter_tags()]  # noqa: SLF001
    _, strings = segment.get_table_offset("DT_STRTAB")
    last = dict(tags)

    def string(offset: int) -> str:
        if strings is None:
            message = "names without a string table"
            raise ELFError(message)
        return os.fsdecode(parse_cstring_from_stream(file.stream, strings + offset) or b"")

    def all_of(name: str) -> tuple[str, ...]:
        return tuple(string(value) for tag, value in tags if tag == ENUM_D_TAG[name])

    def one_of(name: str) -> str | None:
        value = last.get(ENUM_D_TAG[name])
        return None if value is None else string(value)

    return facts._replace(
        dynamic=True,
        needed=all_of("DT_NEEDED"),
        soname=one_of("DT_SONAME"),
        rpath=one_of("DT_RPATH"),
        runpath=one_of("DT_RUNPATH"),
        dt_flags=last.get(ENUM_D_TAG["DT_FLAGS"], 0),
        dt_flags_1=last.get(ENUM_D_TAG["DT_FLAGS_1"], 0),
        auxiliary=all_of("DT_AUXILIARY"),
        filter=all_of("DT_FILTER"),
    )


def second_versions(stream: BinaryIO, where: str) -> Versions:
    """Return the symbol versions of the ELF file in ``stream``, by its section headers.

    Unbounded, as ``second_facts``. Raises ElfError for what pyelftools refuses.
    """
    try:
        return _versions(ELFFile(stream))
    except (ELFError, ConstructError, AssertionError) as error:
        message = f"{where}: {error}"
        raise ElfError(message) from error


def _versions(file: ELFFile) -> Versions:
    needs: list[VersionNeed] = []
    defines: tuple[str, ...] | None = None
    for section in file.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for need, wanted in section.iter_versions():
                for one in wanted:
                    weak, number = bool(one["vna_flags"] & 2), one["vna_other"] & 0x7FFF
                    needs.append(VersionNeed(need.name or "", one.name, weak, number))
        elif isinstance(section, GNUVerDefSection):
            defines = tuple(next(names).name for _, names in section.iter_versions())
    return Versions(tuple(needs), defines)
