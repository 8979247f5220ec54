"""What is rare is read within bounds, too, whatever the bytes say."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.elf.notes import read_dlopen_notes, read_isa_needed
from rootgen.elf.symbols import read_symbols
from rootgen.elf.versions import read_versions
from rootgen.errors import ElfError
from tests.elf.reading import PatchedFile, patchable_spots

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.elf.image import ReadAt

# Each reader, and how many bytes it may ask for.
READERS: dict[str, tuple[Callable[[ReadAt, str], object], int]] = {
    "versions": (read_versions, 1 << 22),
    "dlopen notes": (read_dlopen_notes, 1 << 20),
    "ISA level": (read_isa_needed, 1 << 20),
    "symbols": (read_symbols, 1 << 28),
}
PROGRAM = os.path.realpath(sys.executable)
SPOTS = patchable_spots(PROGRAM)
_EDGES = [0, 1, 2, 7, 0x7FFF, 0xFFFF, 2**31, 2**32 - 1]


def _values() -> st.SearchStrategy[bytes]:
    edge = st.builds(
        lambda value, width: (value % (1 << 8 * width)).to_bytes(width, "little"),
        st.sampled_from(_EDGES) | st.integers(0, 2**20),
        st.sampled_from([1, 2, 4, 8]),
    )
    return edge | st.binary(min_size=1, max_size=16)


@pytest.mark.parametrize("name", READERS)
@given(
    patches=st.dictionaries(st.sampled_from(SPOTS), _values(), min_size=1, max_size=6),
    length=st.just(1 << 40) | st.integers(0, os.path.getsize(PROGRAM)),
)
def test_patched(name: str, patches: dict[int, bytes], length: int) -> None:
    """A real program with its tables overwritten, and perhaps cut, is read or refused."""
    read, limit = READERS[name]
    started = time.process_time()
    refusal = "image: "
    with PatchedFile(PROGRAM, patches, length) as file:
        try:
            read(file.read_at, "image")
        except ElfError as error:
            refusal = str(error)
        assert file.asked <= limit
    assert refusal.startswith("image: ")
    assert time.process_time() - started < 10
