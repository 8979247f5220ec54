"""ELF files made by hand: any class and data order, no assembler or linker needed."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Literal

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH = 0, 1, 5, 10, 14, 15
DT_HASH, DT_SYMTAB = 4, 6
_SYMBOL_SIZE = 24
_READ, _READ_WRITE = 4, 6
DT_RUNPATH, DT_FLAGS, DT_FLAGS_1 = 29, 30, 0x6FFFFFFB
DT_AUXILIARY, DT_FILTER = 0x7FFFFFFD, 0x7FFFFFFF
PN_XNUM = 0xFFFF

# Where the file is mapped: addresses are not offsets, so that mixing them up shows.
BASE = 0x10000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image says; ``dynamic`` None: no PT_DYNAMIC at all.

    A dynamic value that is bytes is put into the string table and replaced
    by its offset. ``notes`` are (name, type, data). ``gap`` bytes stand
    before the dynamic section, so that it may lie far from the headers. With
    ``hash_table``, of no symbol, as musl's loader wants one.
    """

    elf_class: Literal[32, 64] = 64
    byte_order: Literal["little", "big"] = "little"
    machine: int = 62
    type: int = 3
    flags: int = 0
    os_abi: int = 0
    abi_version: int = 0
    interpreter: bytes | None = None
    dynamic: tuple[tuple[int, int | bytes], ...] | None = None
    notes: tuple[tuple[bytes, int, bytes], ...] = ()
    gap: int = 0
    extended_numbering: bool = False
    hash_table: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """An image, and where its parts stand: for tests that break one of them."""

    data: bytes
    parts: dict[str, int]

    def patched(self, at: int, value: bytes) -> bytes:
        """Return the image with ``value`` written over offset ``at``."""
        return self.data[:at] + value + self.data[at + len(value) :]


@dataclass(frozen=True, slots=True)
class _Shapes:
    header: Struct
    segment: Struct
    section: Struct
    pair: Struct
    word: Struct
    count: Struct


def _shapes(recipe: Recipe) -> _Shapes:
    sign = "<" if recipe.byte_order == "little" else ">"
    if recipe.elf_class == 64:
        shapes = ("16sHHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ", "III", "I")
    else:
        shapes = ("16sHHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "II", "III", "I")
    return _Shapes(*(Struct(sign + shape) for shape in shapes))


def build(recipe: Recipe) -> Built:
    """Return the image of ``recipe``: headers, interpreter, notes, gap, dynamic, strings."""
    shapes = _shapes(recipe)
    strings, dynamic = _dynamic(recipe)
    wanted: list[tuple[str, int, bytes]] = []
    if recipe.interpreter is not None:
        wanted.append(("interpreter", PT_INTERP, recipe.interpreter + b"\0"))
    if recipe.notes:
        wanted.append(("notes", PT_NOTE, _notes(recipe, shapes)))
    size = len(dynamic) * shapes.pair.size
    if recipe.dynamic is not None:
        wanted.append(("dynamic", PT_DYNAMIC, bytes(size)))
    count = len(wanted) + 1
    at = shapes.header.size + (shapes.section.size if recipe.extended_numbering else 0)
    parts = {"section": shapes.header.size, "segments": at}
    at += count * shapes.segment.size
    body = bytearray()
    table: list[tuple[int, int, int]] = []
    for name, kind, data in wanted:
        body += bytes(-(at + len(body)) % 8 + (recipe.gap if name == "dynamic" else 0))
        parts[name] = at + len(body)
        table.append((kind, parts[name], len(data)))
        body += data
    if recipe.hash_table:
        body += bytes(-(at + len(body)) % 8)
        parts["symbols"] = at + len(body)
        body += bytes(_SYMBOL_SIZE)
        parts["hash"] = at + len(body)
        # One bucket, and the chain of the symbol that every table starts with.
        body += b"".join(shapes.count.pack(number) for number in (1, 1, 0, 0))
    parts["strings"] = at + len(body)
    body += strings
    total = at + len(body)
    values = {DT_STRTAB: BASE + parts["strings"], DT_STRSZ: len(strings)}
    if recipe.hash_table:
        values |= {DT_HASH: BASE + parts["hash"], DT_SYMTAB: BASE + parts["symbols"]}
    start = parts.get("dynamic", at) - at
    for number, (tag, value) in enumerate(dynamic):
        pair = shapes.pair.pack(tag, values.get(tag, value) if value == 0 else value)
        body[start + number * len(pair) : start + (number + 1) * len(pair)] = pair
    segments = b"".join(_segment(recipe, shapes, *row) for row in [(PT_LOAD, 0, total), *table])
    return Built(_header(recipe, shapes, count) + segments + bytes(body), parts)


def _dynamic(recipe: Recipe) -> tuple[bytes, list[tuple[int, int]]]:
    strings = b"\0"
    pairs: list[tuple[int, int]] = []
    for tag, value in recipe.dynamic or ():
        if isinstance(value, bytes):
            pairs.append((tag, len(strings)))
            strings += value + b"\0"
        else:
            pairs.append((tag, value))
    if recipe.dynamic is not None:
        # Filled in by build, once the place is known.
        pairs += [(DT_HASH, 0), (DT_SYMTAB, 0)] if recipe.hash_table else []
        pairs += [(DT_STRTAB, 0), (DT_STRSZ, 0), (DT_NULL, 0)]
    return strings, pairs


def _notes(recipe: Recipe, shapes: _Shapes) -> bytes:
    data = b""
    for name, kind, description in recipe.notes:
        data += shapes.word.pack(len(name), len(description), kind)
        data += name + bytes(-len(name) % 4) + description + bytes(-len(description) % 4)
    return data


def _header(recipe: Recipe, shapes: _Shapes, count: int) -> bytes:
    ident = b"\x7fELF" + bytes(
        (
            1 if recipe.elf_class == 32 else 2,
            1 if recipe.byte_order == "little" else 2,
            1,
            recipe.os_abi,
            recipe.abi_version,
        )
    )
    extended = recipe.extended_numbering
    at = shapes.header.size
    phoff = at + (shapes.section.size if extended else 0)
    header = shapes.header.pack(
        ident,
        recipe.type,
        recipe.machine,
        1,
        0,
        phoff,
        at if extended else 0,
        recipe.flags,
        shapes.header.size,
        shapes.segment.size,
        PN_XNUM if extended else count,
        shapes.section.size if extended else 0,
        1 if extended else 0,
        0,
    )
    section = shapes.section.pack(0, 0, 0, 0, 0, 0, 0, count, 0, 0) if extended else b""
    return header + section


def _segment(recipe: Recipe, shapes: _Shapes, kind: int, offset: int, size: int) -> bytes:
    address = BASE + offset
    align = 0x1000 if kind == PT_LOAD else 4
    # Writable as data is: before 2.35 glibc relocates the dynamic section where it stands.
    flags = _READ_WRITE if kind == PT_LOAD else _READ
    if recipe.elf_class == 64:
        return shapes.segment.pack(kind, flags, offset, address, address, size, size, align)
    return shapes.segment.pack(kind, offset, address, address, size, size, flags, align)
