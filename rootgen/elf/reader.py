"""Reading the dynamic facts of an ELF file: a few reads, bounded whatever the file says.

Follows the System V gABI, chapters 4 and 5, and glibc ``elf/get-dynamic-info.h``
where the gABI leaves a choice (the last of a repeated tag wins, but for
those that may repeat).
"""

from __future__ import annotations

import os

from rootgen.elf.facts import AbiNote, ElfFacts
from rootgen.elf.image import (
    MAGIC,
    PT_INTERP,
    Image,
    Segment,
    Strings,
    read_dynamic_table,
    read_header,
    read_notes,
    read_segments,
)
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.elf.image import ReadAt

_NOTES_LIMIT = 1 << 16

_DT_NEEDED, _DT_SONAME, _DT_RPATH = 1, 14, 15
_DT_RUNPATH, _DT_FLAGS, _DT_FLAGS_1 = 29, 30, 0x6FFFFFFB
_DT_AUXILIARY, _DT_FILTER = 0x7FFFFFFD, 0x7FFFFFFF
_NT_GNU_ABI_TAG = 1
_ABI_TAG_SIZE = 16

__all__ = ["MAGIC", "is_elf", "read_facts", "read_interpreter"]


def is_elf(prefix: bytes) -> bool:
    """Tell whether a file that begins with ``prefix`` claims to be ELF."""
    return prefix[:4] == MAGIC


def read_facts(read_at: ReadAt, where: str) -> ElfFacts:
    """Read the facts of the file behind ``read_at(size, offset)``.

    ``where`` names the file in errors. Reads at most 4 MiB, and a real file
    needs a thousandth of that, whatever the headers say. Raises ElfError for what is not ELF,
    truncated, or contradicts itself.
    """
    image = Image(read_at, where)
    layout = image.layout
    header = read_header(image)
    kind, machine, _version, _entry, _phoff, _shoff, flags, *_ = header
    segments = read_segments(image, header)
    facts = ElfFacts(
        layout.elf_class,
        layout.byte_order,
        image.head[7],
        image.head[8],
        machine,
        flags,
        kind,
        interpreter=_read_interpreter(image, segments),
        abi_note=_read_abi_note(image, segments),
    )
    table = read_dynamic_table(image, segments)
    return facts if table is None else _read_dynamic(image, facts, segments, table)


def read_interpreter(read_at: ReadAt, where: str) -> str | None:
    """Read of a file only what execve(2) does: its interpreter; None for a static program.

    Arguments and errors as for ``read_facts``.
    """
    image = Image(read_at, where)
    return _read_interpreter(image, read_segments(image, read_header(image)))


def _read_interpreter(image: Image, segments: Iterable[Segment]) -> str | None:
    for segment in segments:
        if segment.type == PT_INTERP:
            # fs/binfmt_elf.c, load_elf_binary: 2 to PATH_MAX bytes, the last one zero.
            if not 2 <= segment.size <= 4096:  # noqa: PLR2004
                # Debugging information split off a program keeps its headers, with nothing behind.
                raise image.error(f"an interpreter name of {segment.size} bytes")
            name = image.read(segment.size, segment.offset, "the interpreter name")
            if name[-1:] != b"\0":
                raise image.error("the interpreter name has no end")
            return os.fsdecode(name[: name.index(b"\0")])
    return None


def _read_abi_note(image: Image, segments: Iterable[Segment]) -> AbiNote | None:
    for name, kind, data in read_notes(image, segments, _NOTES_LIMIT):
        if kind == _NT_GNU_ABI_TAG and name == b"GNU\0" and len(data) >= _ABI_TAG_SIZE:
            order = image.layout.byte_order
            words = (int.from_bytes(data[at : at + 4], order) for at in range(0, 16, 4))
            return AbiNote(*words)
    return None


def _read_dynamic(image: Image, facts: ElfFacts, segments: list[Segment], table: bytes) -> ElfFacts:
    pairs: list[tuple[int, int]] = list(image.layout.dynamic.iter_unpack(table))
    tags = [tag for tag, _ in pairs]
    if 0 in tags:
        del pairs[tags.index(0) :]
    last = dict(pairs)
    strings = Strings(image, segments, last)
    return facts._replace(
        dynamic=True,
        needed=strings.all(pairs, _DT_NEEDED),
        soname=strings.one(last, _DT_SONAME),
        rpath=strings.one(last, _DT_RPATH),
        runpath=strings.one(last, _DT_RUNPATH),
        dt_flags=last.get(_DT_FLAGS, 0),
        dt_flags_1=last.get(_DT_FLAGS_1, 0),
        auxiliary=strings.all(pairs, _DT_AUXILIARY) if _DT_AUXILIARY in last else (),
        filter=strings.all(pairs, _DT_FILTER) if _DT_FILTER in last else (),
    )
