"""A file being read: its layout, its segments and its strings, all reads bounded.

What ``reader`` and the readers of what is rare (``versions``, ``notes``,
``symbols``) share. Follows the System V gABI, chapters 4 and 5.
"""

from __future__ import annotations

import os
from struct import Struct

from rootgen.errors import ElfError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
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
_STRING_LIMIT = 1 << 16
_NAMES_LIMIT = 1 << 20
# How much of the string table is read for a name: a table that is small as a whole; of
# the megabytes of a large one a little, or, for a long name, all that a name may have.
_STRINGS_WINDOW = 1 << 16
_NAME_WINDOW = 1 << 12

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
_PN_XNUM = 0xFFFF
DT_STRTAB, DT_STRSZ = 5, 10


class Layout(NamedTuple):
    """How one class and byte order lays its structures out."""

    elf_class: Literal[32, 64]
    byte_order: ByteOrder
    header: Struct  # e_type … e_shnum
    segment: Struct
    section: Struct  # sh_name … sh_info: sh_info of section 0 holds the real e_phnum
    dynamic: Struct
    note: Struct  # n_namesz, n_descsz, n_type
    # Where p_type, p_offset, p_vaddr, p_filesz and p_align stand in an unpacked segment.
    segment_fields: tuple[int, int, int, int, int]


def _layout(elf_class: Literal[32, 64], byte_order: ByteOrder) -> Layout:
    sign = "<" if byte_order == "little" else ">"
    if elf_class == 64:  # noqa: PLR2004 - the class is its own name
        shapes = ("HHIQQQIHHHHH", "IIQQQQQQ", "IIQQQQII", "qQ")
        fields = (0, 2, 3, 5, 7)
    else:
        shapes = ("HHIIIIIHHHHH", "IIIIIIII", "IIIIIIII", "iI")
        fields = (0, 1, 2, 4, 7)
    header, segment, section, dynamic = (Struct(sign + shape) for shape in shapes)
    note = Struct(sign + "III")
    return Layout(elf_class, byte_order, header, segment, section, dynamic, note, fields)


_LAYOUTS = {
    (1, 1): _layout(32, "little"),
    (1, 2): _layout(32, "big"),
    (2, 1): _layout(64, "little"),
    (2, 2): _layout(64, "big"),
}


class Segment(NamedTuple):
    """One program header, as far as we need it."""

    type: int
    offset: int
    address: int
    size: int
    alignment: int


class Image:
    """A file being read: its layout, its first bytes, and errors that name it."""

    __slots__ = ("_left", "_limit", "_read_at", "head", "layout", "where")

    def __init__(self, read_at: ReadAt, where: str, limit: int = _READ_LIMIT) -> None:
        """Read the identification; no more than ``limit`` bytes will be read in all."""
        self._read_at = read_at
        self._limit = limit
        self._left = limit - _HEAD
        self.where = where
        self.head = read_at(_HEAD, 0)
        self.layout = self._check_ident()

    def error(self, why: str) -> ElfError:
        """Return the error that says ``why`` of this file."""
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
            raise self.error(f"headers and names that take more than {self._limit} bytes to read")
        return self._read_at(size, offset)

    def _check_ident(self) -> Layout:
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


def read_header(image: Image) -> tuple[int, ...]:
    """Return the fields of the ELF header behind its identification, e_type first."""
    layout = image.layout
    return layout.header.unpack(image.read(layout.header.size, 16, "the ELF header"))


def read_segments(image: Image, header: tuple[int, ...]) -> list[Segment]:
    """Return the program headers that matter here, in their order."""
    layout = image.layout
    _, _, _, _, phoff, shoff, _, _, phentsize, phnum, *_ = header
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
        Segment(raw[kind], raw[offset], raw[address], raw[size], raw[alignment])
        for raw in layout.segment.iter_unpack(table)
        if raw[kind] <= PT_NOTE
    ]


def read_dynamic_table(image: Image, segments: list[Segment]) -> bytes | None:
    """Return the bytes of the dynamic section, a whole number of entries; None where none is."""
    dynamic = next((one for one in segments if one.type == PT_DYNAMIC), None)
    if dynamic is None:
        return None
    if dynamic.size > _DYNAMIC_LIMIT:
        raise image.error(f"a dynamic section of {dynamic.size} bytes")
    size = dynamic.size - dynamic.size % image.layout.dynamic.size
    return image.read(size, dynamic.offset, "the dynamic section")


def read_dynamic_tags(image: Image, segments: list[Segment]) -> dict[int, int]:
    """Return the value of each dynamic tag, the last of those that are repeated."""
    tags: dict[int, int] = {}
    for tag, value in image.layout.dynamic.iter_unpack(read_dynamic_table(image, segments) or b""):
        if tag == 0:
            break
        tags[tag] = value
    return tags


def read_notes(
    image: Image, segments: Iterable[Segment], limit: int
) -> Iterator[tuple[bytes, int, bytes]]:
    """Give name, type and data of each note, of those in the first ``limit`` bytes of notes.

    The data is shorter than the note says where the file is.
    """
    words = image.layout.note
    for segment in segments:
        if segment.type != PT_NOTE:
            continue
        size = min(segment.size, limit)
        limit -= size
        notes = image.read(size, segment.offset, "the notes")
        alignment = 8 if segment.alignment == 8 else 4  # noqa: PLR2004 - elf/dl-load.c, NOTE_ALIGN
        at = 0
        while at + words.size <= len(notes):
            name_size, data_size, kind = words.unpack_from(notes, at)
            data_at = at + aligned(12 + name_size, alignment)
            yield notes[at + 12 : at + 12 + name_size], kind, notes[data_at : data_at + data_size]
            at = data_at + aligned(data_size, alignment)


def place_of(segments: list[Segment], address: int) -> tuple[int, int] | None:
    """Return where in the file ``address`` is, and how many bytes of its segment follow."""
    for segment in segments:
        inside = address - segment.address
        if segment.type == PT_LOAD and 0 <= inside < segment.size:
            return segment.offset + inside, segment.size - inside
    return None


def aligned(value: int, alignment: int) -> int:
    """Return ``value`` rounded up to a multiple of ``alignment``, a power of two."""
    return (value + alignment - 1) & -alignment


class Strings:
    """The dynamic string table, read in one window as far as it is asked for."""

    __slots__ = ("_at", "_image", "_left", "_limit", "_size", "_window", "_window_at")

    def __init__(
        self,
        image: Image,
        segments: list[Segment],
        tags: dict[int, int],
        limit: int = _NAMES_LIMIT,
    ) -> None:
        """Find the table; names of more than ``limit`` bytes together are refused."""
        self._image = image
        self._window = b""
        self._window_at = 0
        self._at = -1
        self._left = self._limit = limit
        self._size = tags.get(DT_STRSZ, _STRING_LIMIT)
        address = tags.get(DT_STRTAB)
        if address is None:
            return
        place = place_of(segments, address)
        if place is not None:
            self._at = place[0]
            self._size = min(self._size, place[1])

    def all(self, pairs: list[tuple[int, int]], tag: int) -> tuple[str, ...]:
        """Return the string of every pair that has ``tag``."""
        return tuple([self.at(value) for one, value in pairs if one == tag])

    def one(self, tags: dict[int, int], tag: int) -> str | None:
        """Return the string of ``tag``, or None where the object has none."""
        return self.at(tags[tag]) if tag in tags else None

    def at(self, offset: int) -> str:
        """Return the string at ``offset`` of the table."""
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
            raise self._image.error(f"names of more than {self._limit} bytes together")
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
