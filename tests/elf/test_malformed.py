"""Files that are broken, one way each: the whole message is the value."""

from __future__ import annotations

from struct import pack

import pytest

from rootgen.elf.reader import read_facts
from rootgen.errors import ElfError
from tests.elf.image import (
    BASE,
    DT_NEEDED,
    DT_SONAME,
    DT_STRSZ,
    DT_STRTAB,
    PT_NOTE,
    Recipe,
    build,
)
from tests.elf.reading import CountedFile, facts_of, refusal_of, second_facts_of

SOUND = build(
    Recipe(
        interpreter=b"/lib/ld.so",
        notes=((b"GNU\0", 1, bytes(16)),),
        dynamic=((DT_NEEDED, b"liba.so"), (DT_SONAME, b"me")),
    )
)
INTERP, NOTE, DYNAMIC = (SOUND.parts["segments"] + number * 56 for number in (1, 2, 3))
HUGE = 2**64 - 1
PAST = "past the end of file"


def _pair(number: int, tag: int, value: int) -> bytes:
    return SOUND.patched(SOUND.parts["dynamic"] + number * 16, pack("<QQ", tag, value))


def _header(at: int, form: str, value: int) -> bytes:
    return SOUND.patched(at, pack(form, value))


def _segment(at: int, field: int, value: int) -> bytes:
    """Patch field 2 (offset), 3 (address) or 5 (size) of the program header at ``at``."""
    return SOUND.patched(at + field * 8 - 8, pack("<Q", value))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"\x7fEL", "not an ELF file"),
        (b"\x7fELF", "truncated in the ELF identification"),
        (SOUND.data[:15], "truncated in the ELF identification"),
        (SOUND.data[:40], "truncated: the ELF header should end at byte 62, past the end of file"),
        (
            SOUND.data[:100],
            "truncated: the program header table should end at byte 288, past the end of file",
        ),
        (
            SOUND.data[: SOUND.parts["dynamic"] + 8],
            "truncated: the dynamic section should end at byte 416, past the end of file",
        ),
        (SOUND.data[:-3], "the name at 9 of the string table has no end"),
        (_header(4, "<B", 3), "unknown ELF class 3 or data order 1"),
        (_header(5, "<B", 0), "unknown ELF class 2 or data order 0"),
        (_header(6, "<B", 0), "unknown ELF version 0"),
        (_header(54, "<H", 32), "program headers of 32 bytes, not 56"),
        (_header(56, "<H", 5000), "5000 program headers, more than 4096"),
        (
            _header(32, "<Q", HUGE),
            "the program header table would end at byte 18446744073709551839, past any file",
        ),
        (
            _header(32, "<Q", 1 << 40),
            f"truncated: the program header table should end at byte {(1 << 40) + 224}, {PAST}",
        ),
        (
            _header(56, "<H", 0xFFFF),
            "the number of program headers is in section 0, and there is none",
        ),
        (
            SOUND.patched(40, pack("<Q", 10) + SOUND.data[48:56] + b"\xff\xff"),
            "4294901816 program headers, more than 4096",
        ),
        (_segment(INTERP, 5, 0), "an interpreter name of 0 bytes"),
        (_segment(INTERP, 5, 4097), "an interpreter name of 4097 bytes"),
        (_segment(INTERP, 5, 4), "the interpreter name has no end"),
        (
            _segment(INTERP, 2, HUGE),
            "the interpreter name would end at byte 18446744073709551626, past any file",
        ),
        (
            _segment(NOTE, 2, HUGE),
            "the notes would end at byte 18446744073709551647, past any file",
        ),
        (
            _segment(NOTE, 5, HUGE),
            "truncated: the notes should end at byte 65840, past the end of file",
        ),
        (_segment(DYNAMIC, 5, HUGE), "a dynamic section of 18446744073709551615 bytes"),
        (
            _segment(DYNAMIC, 2, 1 << 62),
            f"truncated: the dynamic section should end at byte {(1 << 62) + 80}, {PAST}",
        ),
        (_pair(0, DT_NEEDED, 12), "a name at 12, past the 12 bytes of strings"),
        (_pair(0, DT_NEEDED, HUGE), f"a name at {HUGE}, past the 12 bytes of strings"),
        (_pair(2, DT_STRTAB, 5), "names without a string table in any loaded segment"),
        (_pair(2, DT_STRTAB, HUGE), "names without a string table in any loaded segment"),
        (_pair(2, 0, 0), "names without a string table in any loaded segment"),
        (_pair(3, DT_STRSZ, 0), "a name at 1, past the 0 bytes of strings"),
        (_pair(3, DT_STRSZ, 4), "the name at 1 of the string table has no end"),
    ],
)
def test_message(data: bytes, message: str) -> None:
    """Each names the file, the part and the numbers that contradict each other."""
    assert refusal_of(data) == f"image: {message}"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_pair(3, DT_STRSZ, HUGE), id="a string table larger than its segment"),
        pytest.param(_segment(DYNAMIC, 5, 79), id="a dynamic section cut within an entry"),
        pytest.param(SOUND.patched(SOUND.parts["notes"], b"\xff" * 8), id="a note with huge sizes"),
        pytest.param(_header(16, "<H", 0xFE00), id="an unknown type"),
    ],
)
def test_what_does_no_harm_is_read(data: bytes) -> None:
    """What the loader would not look at is no reason to refuse a file."""
    assert facts_of(data).needed == ("liba.so",)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", SOUND.data[:100], _segment(INTERP, 5, 0)])
def test_the_second_opinion_refuses_too(data: bytes) -> None:
    """Errors of pyelftools come through its door as ElfError, with the file's name."""
    with pytest.raises(ElfError, match=r"^image: "):
        second_facts_of(data)


def test_a_string_table_past_any_file() -> None:
    """A segment whose offset is near 2**64 is refused before the kernel is asked."""
    load = SOUND.parts["segments"]
    data = SOUND.patched(load + 8, pack("<QQQQ", HUGE - 4096, BASE, BASE, 1 << 20))
    refusal = refusal_of(data)
    assert refusal.startswith("image: the string table would end at byte 18446744073709")
    assert refusal.endswith(", past any file")


def test_many_long_names_do_not_fill_memory() -> None:
    """Ten thousand DT_NEEDED of the same 60 KB would be 600 MB of names."""
    data = build(
        Recipe(dynamic=((1000, b"x" * 60_000), *[(DT_NEEDED, 1) for _ in range(10_000)]))
    ).data
    assert refusal_of(data) == "image: names of more than 1048576 bytes together"


def test_names_far_apart_do_not_read_forever() -> None:
    """Ten thousand names that each need another window of the table are not worth 40 MB."""
    name = b"x" * 3000
    dynamic = ((1000, name), (1001, name * 40), (1002, b"y"))
    ends = (1, 1 + 3001 + 120_001 - 10)
    needed = tuple((DT_NEEDED, ends[number % 2]) for number in range(10_000))
    data = build(Recipe(dynamic=(*dynamic, *needed))).data
    with CountedFile(data) as file:
        with pytest.raises(ElfError, match=r"more than \d+ bytes"):
            read_facts(file.read_at, "image")
        assert file.asked <= 1 << 22


def test_four_thousand_note_segments_are_read_once() -> None:
    """64 KiB of notes are enough, in however many segments they come."""
    header = SOUND.data[:56] + pack("<H", 4096) + SOUND.data[58:64]
    note = pack("<IIQQQQQQ", PT_NOTE, 4, 1 << 18, BASE, BASE, 1 << 16, 1 << 16, 4)
    data = header + note * 4096 + bytes(1 << 17)
    with CountedFile(data) as file:
        assert read_facts(file.read_at, "image").abi_note is None
        assert file.asked < 400_000


def test_every_cut_is_refused() -> None:
    """A file cut at any byte is refused with a message; nothing else is raised."""
    for length in range(len(SOUND.data)):
        assert refusal_of(SOUND.data[:length]).startswith("image: "), length
