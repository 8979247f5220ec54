"""The symbol reader on images made by hand: tables that would cost much are refused in little."""

from __future__ import annotations

import time
from struct import pack

import pytest

from rootgen.elf.symbols import Defined, Symbols, Wanted, read_symbols
from rootgen.errors import ElfError
from tests.elf.image import BASE, DT_NULL, DT_STRSZ, DT_STRTAB, Recipe, build
from tests.elf.reading import CountedFile

DT_HASH, DT_SYMTAB, DT_VERSYM = 4, 6, 0x6FFFFFF0


def symbols(
    table: list[tuple[int, int, int, int]], strings: bytes, versions: tuple[int, ...] = ()
) -> Symbols:
    """Read an image with ``table`` of (name, info, section, value) behind what it has anyway."""
    count = len(table)
    extra = bytearray(pack("<IIII", 1, count, 0, 0))
    for name, info, section, value in table:
        extra += pack("<IBBHQQ", name, info, 0, section, value, 0)
    extra += b"".join(pack("<H", number) for number in versions)
    at = len(extra)
    extra += strings
    place = len(build(_recipe(0, count, at, len(strings), bool(versions))).data)
    recipe = _recipe(BASE + place, count, at, len(strings), bool(versions))
    data = bytearray(build(recipe).data)
    assert len(data) == place
    data += extra
    # The one PT_LOAD that there is reaches to the end.
    header = data.index(pack("<II", 1, 6), 64)
    data[header + 32 : header + 48] = pack("<QQ", len(data), len(data))
    with CountedFile(bytes(data)) as file:
        return read_symbols(file.read_at, "image")


def _recipe(start: int, count: int, strings: int, size: int, versioned: bool) -> Recipe:
    dynamic: list[tuple[int, int | bytes]] = [(DT_HASH, start), (DT_SYMTAB, start + 16)]
    if versioned:
        dynamic.append((DT_VERSYM, start + 16 + 24 * count))
    # What the image adds for its own strings comes behind the end.
    own = ((DT_STRTAB, start + strings), (DT_STRSZ, size), (DT_NULL, 0))
    return Recipe(dynamic=(*dynamic, *own))


NOTHING = (0, 0, 0, 0)


def test_wanted_and_defined() -> None:
    """Weak and local ones are wanted of nobody; what has no value is no definition."""
    strings = b"\0open\0weak\0mine\0"
    table = [
        NOTHING,
        (1, 0x12, 0, 0),
        (6, 0x22, 0, 0),
        (11, 0x12, 1, 8),
        (11, 0x02, 1, 8),
        (6, 0x12, 1, 0),
    ]
    read = symbols(table, strings)
    assert read.wanted == (Wanted(b"open"),)
    assert dict(read.defined) == {b"mine": [Defined(-1)]}


def test_versions() -> None:
    """The bit for hidden and the number are told apart."""
    read = symbols([NOTHING, (1, 0x12, 1, 8), (1, 0x12, 1, 9)], b"\0name\0", (0, 0x8002, 3))
    assert read.defined[b"name"] == [Defined(2, None, hidden=True), Defined(3)]


@pytest.mark.parametrize(
    ("table", "strings", "why"),
    [
        ([NOTHING, (9, 0x12, 0, 0)], b"\0name\0", "without an end"),
        ([NOTHING, (1, 0x12, 0, 0)], b"\0name", "without an end"),
        ([NOTHING, (1, 0x12, 0, 0)], b"\0" + b"n" * 70_000 + b"\0", "too long"),
        ([NOTHING, *[(1, 0x12, 1, 8)] * 3000], b"\0" + b"n" * 60_000 + b"\0", "too long"),
    ],
)
def test_names_that_are_none(
    table: list[tuple[int, int, int, int]], strings: bytes, why: str
) -> None:
    """A name ends within what a name may have, and all of them together are bounded."""
    with pytest.raises(ElfError, match=f"^image: .*{why}"):
        symbols(table, strings)


def test_one_name_many_times() -> None:
    """A hundred thousand definitions of one name take no longer than of as many names."""
    started = time.process_time()
    read = symbols([NOTHING, *[(1, 0x12, 1, 8)] * 100_000], b"\0name\0")
    assert len(read.defined[b"name"]) == 100_000
    assert time.process_time() - started < 5
