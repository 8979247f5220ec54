"""Whatever bytes a file holds: facts or ElfError, within bounds."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.elf.reader import read_facts
from rootgen.errors import ElfError
from tests.elf.image import Recipe, build
from tests.elf.reading import CountedFile, PatchedFile
from tests.laws.strategies import recipes

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_READ_LIMIT = 1 << 22
_HOSTILE = [0, 1, 2, 7, 0x7FFF, 0xFFFF, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]


def _values() -> SearchStrategy[bytes]:
    """Return what to write over a field: edges of every width, or any bytes."""
    edge = st.builds(
        lambda value, width, order: (value % (1 << 8 * width)).to_bytes(width, order),
        st.sampled_from(_HOSTILE) | st.integers(0, 2**20),
        st.sampled_from([1, 2, 4, 8]),
        st.sampled_from(["little", "big"]),
    )
    return edge | st.binary(min_size=1, max_size=16)


def _patches(size: int) -> SearchStrategy[dict[int, bytes]]:
    # Headers first: a flipped byte of code proves nothing.
    at = st.integers(0, min(size, 700)) | st.integers(0, min(size, 160)).map(lambda at: at * 4)
    return st.dictionaries(at, _values(), min_size=1, max_size=6)


def _read(file: CountedFile | PatchedFile) -> None:
    started = time.process_time()
    refusal = "image: "
    try:
        read_facts(file.read_at, "image")
    except ElfError as error:
        refusal = str(error)
    assert refusal.startswith("image: ")
    assert file.asked <= _READ_LIMIT
    assert time.process_time() - started < 10


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_magic(tail: bytes) -> None:
    """Bytes that begin like ELF are read or refused."""
    with CountedFile(b"\x7fELF\x02\x01\x01" + tail) as file:
        _read(file)


@given(recipes(), st.data())
def test_mutated_images(recipe: Recipe, data: st.DataObject) -> None:
    """A sound image with fields overwritten, then cut, is read or refused."""
    image = bytearray(build(recipe).data)
    for at, value in data.draw(_patches(len(image))).items():
        image[at : at + len(value)] = value
    length = data.draw(st.just(len(image)) | st.integers(0, len(image)))
    with CountedFile(bytes(image[:length])) as file:
        _read(file)


@given(recipes(), recipes(), st.integers(0, 600), st.integers(0, 600))
def test_spliced_images(one: Recipe, other: Recipe, at: int, come_from: int) -> None:
    """The beginning of one image with the rest of another is read or refused."""
    with CountedFile(build(one).data[:at] + build(other).data[come_from:]) as file:
        _read(file)


_PROGRAM = os.path.realpath(sys.executable)
_SIZE = os.path.getsize(_PROGRAM)


@pytest.mark.parametrize("path", [_PROGRAM, os.path.realpath("/bin/sh")])
@given(patches=_patches(700), length=st.just(1 << 40) | st.integers(0, _SIZE))
def test_mutated_programs(path: str, patches: dict[int, bytes], length: int) -> None:
    """A real program with its headers overwritten is read or refused."""
    with PatchedFile(path, patches, length) as file:
        _read(file)
