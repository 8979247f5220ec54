"""Reading the dynamic facts of an ELF file: a few reads, bounded whatever the file says.

Follows the System V gABI, chapters 4 and 5, and glibc ``elf/get-dynamic-info.h``
where the gABI leaves a choice (the last of a repeated tag wins, but for
those that may repeat).
"""

from __future__ import annotations

import os
from struct import Struct
from typing import TYPE_CHECKING

from rootgen.elf.facts import AbiNote, ElfFacts
from rootgen.errors import ElfError
from rootgen.named import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal

    from rootgen.elf.facts import ByteOrder

    ReadAt = Callable[[int, int], bytes]

MAGIC = b"\x7fELF"

# One read of this size holds the headers, interpreter and notes of almost every file.
_HEAD = 4096
# Bounds on what a file may make us read, and keep. Real files stay far below: the most
# program headers seen are 15, the most dynamic entries 300, the longest string a RUNPATH
# of 2 KiB.
_READ_LIMIT = 1 << 22
_SEGMENTS_LIMIT = 4096
_DYNAMIC_LIMIT = 1 << 18
_NOTES_LIMIT = 1 << 16
_STRING_LIMIT = 1 << 16
_NAMES_LIMIT = 1 << 20
# How much of the string table is read for a name: a table that is small as a whole; of
# the megabytes of a large one a little, or, for a long name, all that a name may have.
_STRINGS_WINDOW = 1 << 16
_NAME_WINDOW = 1 << 12

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_PN_XNUM = 0xFFFF
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH = 1, 5, 10, 14, 15
_DT_RUNPATH, _DT_FLAGS, _DT_FLAGS_1 = 29, 30, 0x6FFFFFFB
_DT_AUXILIARY, _DT_FILTER = 0x7FFFFFFD, 0x7FFFFFFF
_NT_GNU_ABI_TAG = 1


class _Layout(NamedTuple):
    """How one class and byte order lays its structures out."""

    elf_class: Literal[32, 64]
    byte_order: ByteOrder
    header: Struct  # e_type … e_shnum
    segment: Struct
    section: Struct  # sh_name … sh_info: sh_info of section 0 holds the real e_phnum
    dynamic: Struct
    # Where p_type, p_offset, p_vaddr, p_filesz and p_align stand in an unpacked segment.
    segment_fields: tuple[int, int, int, int, int]


def _layout(elf_class: Literal[32, 64], byte_order: ByteOrder) -> _Layout:
    sign = "<" if byte_order == "little" else ">"
    if elf_class == 64:  # noqa: PLR2004 - the class is its own name
        shapes = ("HHIQQQIHHHHH", "IIQQQQQQ", "IIQQQQII", "qQ")
        fields = (0, 2, 3, 5, 7)
    else:
        shapes = ("HHIIIIIHHHHH", "IIIIIIII", "IIIIIIII", "iI")
        fields = (0, 1, 2, 4, 7)
    header, segment, section, dynamic = (Struct(sign + shape) for shape in shapes)
    return _Layout(elf_class, byte_order, header, segment, section, dynamic, fields)


_LAYOUTS = {
    (1, 1): _layout(32, "little"),
    (1, 2): _layout(32, "big"),
    (2, 1): _layout(64, "little"),
    (2, 2): _layout(64, "big"),
}


class _Segment(NamedTuple):
    """One program header, as far as we need it."""

    type: int
    offset: int
    address: int
    size: int
    alignment: int


class _Image:
    """A file being read: its layout, its first bytes, and errors that name it."""

    __slots__ = ("_left", "_read_at", "head", "layout", "where")

    def __init__(self, read_at: ReadAt, where: str) -> None:
        self._read_at = read_at
        self._left = _READ_LIMIT - _HEAD
        self.where = where
        self.head = read_at(_HEAD, 0)
        self.layout = self._check_ident()

    def error(self, why: str) -> ElfError:
        return ElfError(f"{self.where}: {why}")

    def read(self, size: int, offset: int, what: str) -> bytes:
        """Read exactly ``size`` bytes or raise ElfError."""
        data = self.read_some(size, offset, what)
        if len(data) < size:
            end = offset + size
            raise self.error(f"truncated: {what} should end at byte {end}, past the end of file")
        return data

    def read_some(self, size: int, offset: int, what: str) -> bytes:
        """Read ``size`` bytes, or what there is of them up to the end of the file."""
        end = offset + size
        if end <= len(self.head):
            return self.head[offset:end]
        if end >= 1 << 63:
            raise self.error(f"{what} would end at byte {end}, past any file")
        self._left -= size
        if self._left < 0:
            raise self.error(f"headers and names that take more than {_READ_LIMIT} bytes to read")
        return self._read_at(size, offset)

    def _check_ident(self) -> _Layout:
        head = self.head
        if head[:4] != MAGIC:
            raise self.error("not an ELF file")
        if len(head) < 16:  # noqa: PLR2004 - EI_NIDENT
            raise self.error("truncated in the ELF identification")
        layout = _LAYOUTS.get((head[4], head[5]))
        if layout is None:
            raise self.error(f"unknown ELF class {head[4]} or data order {head[5]}")
        if head[6] != 1:
            raise self.error(f"unknown ELF version {head[6]}")
        return layout


def is_elf(prefix: bytes) -> bool:
    """Tell whether a file that begins with ``prefix`` claims to be ELF."""
    return prefix[:4] == MAGIC


def read_facts(read_at: ReadAt, where: str) -> ElfFacts:
    """Read the facts of the file behind ``read_at(size, offset)``.

    ``where`` names the file in errors. Reads at most 4 MiB, and a real file
    needs a thousandth of that, whatever the headers say. Raises ElfError for what is not ELF,
    truncated, or contradicts itself.
    """
    image = _Image(read_at, where)
    layout = image.layout
    fields = layout.header.unpack(image.read(layout.header.size, 16, "the ELF header"))
    kind, machine, _version, _entry, phoff, shoff, flags, _ehsize, phentsize, phnum, *_ = fields
    segments = _read_segments(image, phoff, shoff, phentsize, phnum)
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
    dynamic = next((one for one in segments if one.type == _PT_DYNAMIC), None)
    return facts if dynamic is None else _read_dynamic(image, facts, segments, dynamic)


def _read_segments(
    image: _Image, phoff: int, shoff: int, phentsize: int, phnum: int
) -> list[_Segment]:
    layout = image.layout
    if phnum == _PN_XNUM:
        if shoff == 0:
            raise image.error("the number of program headers is in section 0, and there is none")
        section = layout.section.unpack(image.read(layout.section.size, shoff, "section 0"))
        phnum = section[7]
    if phnum == 0:
        return []
    if phentsize != layout.segment.size:
        raise image.error(f"program headers of {phentsize} bytes, not {layout.segment.size}")
    if phnum > _SEGMENTS_LIMIT:
        raise image.error(f"{phnum} program headers, more than {_SEGMENTS_LIMIT}")
    table = image.read(phnum * phentsize, phoff, "the program header table")
    kind, offset, address, size, alignment = layout.segment_fields
    return [
        _Segment(raw[kind], raw[offset], raw[address], raw[size], raw[alignment])
        for raw in layout.segment.iter_unpack(table)
        if raw[kind] <= _PT_NOTE
    ]


def _read_interpreter(image: _Image, segments: Iterable[_Segment]) -> str | None:
    for segment in segments:
        if segment.type == _PT_INTERP:
            # fs/binfmt_elf.c, load_elf_binary: 2 to PATH_MAX bytes, the last one zero.
            if not 2 <= segment.size <= 4096:  # noqa: PLR2004
                # Debugging information split off a program keeps its headers, with nothing behind.
                raise image.error(f"an interpreter name of {segment.size} bytes")
            name = image.read(segment.size, segment.offset, "the interpreter name")
            if name[-1:] != b"\0":
                raise image.error("the interpreter name has no end")
            return os.fsdecode(name[: name.index(b"\0")])
    return None


def _read_abi_note(image: _Image, segments: Iterable[_Segment]) -> AbiNote | None:
    sign = "<" if image.layout.byte_order == "little" else ">"
    words = Struct(sign + "III")
    tag = Struct(sign + "IIII")
    left = _NOTES_LIMIT
    for segment in segments:
        if segment.type != _PT_NOTE:
            continue
        size = min(segment.size, left)
        left -= size
        notes = image.read(size, segment.offset, "the notes")
        alignment = 8 if segment.alignment == 8 else 4  # noqa: PLR2004 - elf/dl-load.c, NOTE_ALIGN
        at = 0
        while at + words.size <= len(notes):
            name_size, data_size, kind = words.unpack_from(notes, at)
            name = notes[at + 12 : at + 12 + name_size]
            data_at = at + _aligned(12 + name_size, alignment)
            if kind == _NT_GNU_ABI_TAG and name == b"GNU\0" and data_size >= tag.size:
                data = notes[data_at : data_at + tag.size]
                return AbiNote(*tag.unpack(data)) if len(data) == tag.size else None
            at = data_at + _aligned(data_size, alignment)
    return None


def _aligned(value: int, alignment: int) -> int:
    return (value + alignment - 1) & -alignment


def _read_dynamic(
    image: _Image, facts: ElfFacts, segments: list[_Segment], dynamic: _Segment
) -> ElfFacts:
    entry = image.layout.dynamic
    if dynamic.size > _DYNAMIC_LIMIT:
        raise image.error(f"a dynamic section of {dynamic.size} bytes")
    table = image.read(
        dynamic.size - dynamic.size % entry.size, dynamic.offset, "the dynamic section"
    )
    last: dict[int, int] = {}
    many: list[tuple[int, int]] = []
    for tag, value in entry.iter_unpack(table):
        if tag == 0:
            break
        if tag in {_DT_NEEDED, _DT_AUXILIARY, _DT_FILTER}:
            many.append((tag, value))
        last[tag] = value
    strings = _Strings(image, segments, last)
    return facts._replace(
        dynamic=True,
        needed=strings.all(many, _DT_NEEDED),
        soname=strings.one(last, _DT_SONAME),
        rpath=strings.one(last, _DT_RPATH),
        runpath=strings.one(last, _DT_RUNPATH),
        dt_flags=last.get(_DT_FLAGS, 0),
        dt_flags_1=last.get(_DT_FLAGS_1, 0),
        auxiliary=strings.all(many, _DT_AUXILIARY),
        filter=strings.all(many, _DT_FILTER),
    )


class _Strings:
    """The dynamic string table, read in one window as far as it is asked for."""

    __slots__ = ("_at", "_image", "_left", "_size", "_window", "_window_at")

    def __init__(self, image: _Image, segments: list[_Segment], tags: dict[int, int]) -> None:
        self._image = image
        self._window = b""
        self._window_at = 0
        self._at = -1
        self._left = _NAMES_LIMIT
        self._size = tags.get(_DT_STRSZ, _STRING_LIMIT)
        address = tags.get(_DT_STRTAB)
        if address is None:
            return
        for segment in segments:
            inside = address - segment.address
            if segment.type == _PT_LOAD and 0 <= inside < segment.size:
                self._at = segment.offset + inside
                self._size = min(self._size, segment.size - inside)
                return

    def all(self, pairs: list[tuple[int, int]], tag: int) -> tuple[str, ...]:
        """Return the string of every pair that has ``tag``."""
        return tuple([self._string(value) for one, value in pairs if one == tag])

    def one(self, tags: dict[int, int], tag: int) -> str | None:
        """Return the string of ``tag``, or None where the object has none."""
        return self._string(tags[tag]) if tag in tags else None

    def _string(self, offset: int) -> str:
        if self._at < 0:
            raise self._image.error("names without a string table in any loaded segment")
        if not 0 <= offset < self._size:
            raise self._image.error(f"a name at {offset}, past the {self._size} bytes of strings")
        start = offset - self._window_at
        end = self._window.find(b"\0", start) if 0 <= start < len(self._window) else -1
        if end < 0:
            start, end = self._move_window(offset)
        self._left -= end - start
        if self._left < 0:
            raise self._image.error(f"names of more than {_NAMES_LIMIT} bytes together")
        return os.fsdecode(self._window[start:end])

    def _move_window(self, offset: int) -> tuple[int, int]:
        """Read the strings around ``offset``; return where in the window that name stands."""
        # Names stand close together as a rule: begin at the table's own beginning where
        # that reaches far enough.
        windows = [(offset, _NAME_WINDOW), (offset, _STRING_LIMIT)]
        if offset < _STRINGS_WINDOW // 2:
            windows = [(0, _STRINGS_WINDOW), (offset, _STRING_LIMIT)]
        for at, limit in windows:
            size = min(limit, self._size - at)
            self._window_at = at
            self._window = self._image.read_some(size, self._at + at, "the string table")
            end = self._window.find(b"\0", offset - at)
            if end >= 0:
                return offset - at, end
        raise self._image.error(f"the name at {offset} of the string table has no end")
