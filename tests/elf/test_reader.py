"""What the reader says of sound files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from rootgen.elf.facts import AbiNote, ElfFacts
from rootgen.elf.reader import is_elf, read_facts
from tests.elf.image import (
    DT_AUXILIARY,
    DT_FILTER,
    DT_FLAGS,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    Recipe,
    build,
)
from tests.elf.reading import CountedFile, facts_of, second_facts_of

if TYPE_CHECKING:
    from rootgen.elf.facts import ByteOrder

EVERYTHING = Recipe(
    interpreter=b"/lib64/ld-linux-x86-64.so.2",
    flags=7,
    os_abi=3,
    abi_version=1,
    dynamic=(
        (DT_NEEDED, b"liba.so.1"),
        (DT_SONAME, b"me.so"),
        (DT_NEEDED, b"libb.so.2"),
        (DT_RPATH, b"/rpath"),
        (DT_RUNPATH, b"$ORIGIN/../lib:/opt"),
        (DT_FLAGS, 8),
        (DT_FLAGS_1, 0x8000001),
        (DT_AUXILIARY, b"aux.so"),
        (DT_FILTER, b"filter.so"),
    ),
)


@pytest.mark.parametrize("elf_class", [32, 64])
@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("gap", [0, 5000])
def test_every_class_and_order(
    elf_class: Literal[32, 64], byte_order: ByteOrder, gap: int, *, extended: bool
) -> None:
    """One recipe in four layouts, near and far from the headers, gives the same facts."""
    system = (0, 5, 4, 3)
    note = b"".join(word.to_bytes(4, byte_order) for word in system)
    recipe = replace(
        EVERYTHING,
        elf_class=elf_class,
        byte_order=byte_order,
        gap=gap,
        extended_numbering=extended,
        notes=((b"other\0", 1, b"12345"), (b"GNU\0", 1, note)),
    )
    data = build(recipe).data
    facts = facts_of(data)
    assert facts == second_facts_of(data)
    assert facts == ElfFacts(
        elf_class,
        byte_order,
        os_abi=3,
        abi_version=1,
        machine=62,
        flags=7,
        type=3,
        interpreter="/lib64/ld-linux-x86-64.so.2",
        dynamic=True,
        needed=("liba.so.1", "libb.so.2"),
        soname="me.so",
        rpath="/rpath",
        runpath="$ORIGIN/../lib:/opt",
        dt_flags=8,
        dt_flags_1=0x8000001,
        auxiliary=("aux.so",),
        filter=("filter.so",),
        abi_note=AbiNote(0, 5, 4, 3),
    )


def test_no_dynamic_section() -> None:
    """A static program has no dynamic facts; one that is dynamic and needs nothing has none too."""
    static, bare = facts_of(build(Recipe()).data), facts_of(build(Recipe(dynamic=())).data)
    assert (static.dynamic, static.needed, static.soname) == (False, (), None)
    assert bare == static._replace(dynamic=True)


def test_the_last_of_a_repeated_tag_wins() -> None:
    """elf/get-dynamic-info.h keeps one slot for each tag but for those that may repeat."""
    twice = ((DT_SONAME, b"one"), (DT_SONAME, b"two"), (DT_RUNPATH, b"/a"), (DT_RUNPATH, b"/b"))
    facts = facts_of(build(Recipe(dynamic=twice)).data)
    assert (facts.soname, facts.runpath) == ("two", "/b")


def test_names_are_bytes() -> None:
    """A name that is no UTF-8 survives, as os.fsdecode has it."""
    facts = facts_of(build(Recipe(dynamic=((DT_NEEDED, b"lib\xff\xe9.so"), (DT_SONAME, b"")))).data)
    assert facts.needed == ("lib\udcff\udce9.so",)
    assert facts.soname == ""


@pytest.mark.parametrize("size", [4000, 5000, 40_000, 65_000])
def test_long_names(size: int) -> None:
    """A name may be as long as 64 KiB, wherever it stands in the string table."""
    long = b"/x" * (size // 2)
    data = build(Recipe(dynamic=((DT_RUNPATH, long), (DT_NEEDED, b"last.so")))).data
    assert facts_of(data) == second_facts_of(data)


def test_scattered_names_cost_little() -> None:
    """Forty names a hundred KiB apart are read by a few KiB each, not by the whole table."""
    dynamic = []
    for number in range(40):
        dynamic += [(1000, b"symbol" * 17_000), (DT_NEEDED, b"lib%d.so" % number)]
    data = build(Recipe(dynamic=tuple(dynamic))).data
    with CountedFile(data) as file:
        facts = read_facts(file.read_at, "image")
        assert file.asked < 300_000
    assert facts == second_facts_of(data)


def test_a_usual_file_takes_three_reads() -> None:
    """Headers in one read, then the dynamic section and the strings."""
    with CountedFile(build(replace(EVERYTHING, gap=50_000)).data) as file:
        read_facts(file.read_at, "image")
        assert file.reads == 3


def test_is_elf() -> None:
    """Four bytes tell."""
    assert is_elf(b"\x7fELF")
    assert not any(map(is_elf, [b"", b"\x7fEL", b"#!/bin/sh", b"ELF\x7f"]))
