"""Random values of our vocabulary, shared by the laws."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from rootgen.elf.facts import ET_CORE
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
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_NAMES = st.binary(max_size=24).map(lambda name: name.replace(b"\0", b"/"))
_STRING_TAGS = st.sampled_from(
    [DT_NEEDED, DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH, DT_AUXILIARY, DT_FILTER]
)
_WORDS = st.integers(0, 2**32 - 1)


def _dynamic() -> SearchStrategy[tuple[tuple[int, int | bytes], ...]]:
    string = st.tuples(_STRING_TAGS, _NAMES)
    number = st.tuples(st.sampled_from([DT_FLAGS, DT_FLAGS_1, 21, 24]), _WORDS)
    return st.lists(st.one_of(string, number), max_size=12).map(tuple)


def _notes() -> SearchStrategy[tuple[tuple[bytes, int, bytes], ...]]:
    tag = st.lists(st.integers(0, 5), min_size=4, max_size=4)
    note = st.one_of(
        st.tuples(
            st.just(b"GNU\0"),
            st.just(1),
            st.builds(lambda words: b"".join(word.to_bytes(4, "little") for word in words), tag),
        ),
        st.tuples(st.just(b"GNU\0"), st.just(3), st.binary(min_size=20, max_size=20)),
        st.tuples(st.just(b"stapsdt\0"), st.just(3), st.binary(max_size=9)),
    )
    return st.lists(note, max_size=3).map(tuple)


def recipes() -> SearchStrategy[Recipe]:
    """Return sound ELF images of every class and order, with any names."""
    return st.builds(
        Recipe,
        elf_class=st.sampled_from([32, 64]),
        byte_order=st.sampled_from(["little", "big"]),
        machine=st.sampled_from([3, 8, 20, 21, 22, 40, 62, 183, 243, 258, 0xFFF0]),
        type=st.sampled_from([1, 2, 3, 4]),
        flags=_WORDS,
        os_abi=st.sampled_from([0, 3, 9, 200]),
        abi_version=st.integers(0, 255),
        interpreter=st.none() | _NAMES.filter(bool),
        dynamic=st.none() | _dynamic(),
        notes=_notes(),
        gap=st.sampled_from([0, 0, 100, 5000]),
        extended_numbering=st.booleans(),
    ).map(_without_core_notes)


def _without_core_notes(recipe: Recipe) -> Recipe:
    # pyelftools takes the notes of a core dump for what a process was; nothing loads one.
    return replace(recipe, notes=()) if recipe.type == ET_CORE else recipe
