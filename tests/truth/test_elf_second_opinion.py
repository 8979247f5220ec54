"""Our reader against pyelftools over every ELF file of the machine."""

from __future__ import annotations

import functools
import os
import stat
import zlib
from typing import TYPE_CHECKING

import pytest

from rootgen.elf.reader import MAGIC, read_facts
from rootgen.elf.second_opinion import second_facts
from rootgen.errors import ElfError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.elf.facts import ElfFacts

# Each chunk is a test of its own, so that xdist can deal them out.
_CHUNKS = 4
_COMMON = ("/usr/bin", "/usr/sbin", "/usr/libexec")


@functools.cache
def _elf_files(top: str) -> tuple[str, ...]:
    """Return the real paths of the readable ELF files beneath ``top``."""
    found: list[str] = []
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            if not stat.S_ISREG(os.lstat(path).st_mode) or not os.access(path, os.R_OK):
                continue
            with open(path, "rb") as file:
                if file.read(4) == MAGIC:
                    found.append(path)
    return tuple(found)


def _chunk(path: str) -> int:
    return zlib.crc32(os.fsencode(path)) % _CHUNKS


def _agree(path: str) -> str:
    """Return how the two readings differ; "" where they do not."""
    with open(path, "rb") as file:
        ours = _told(lambda: read_facts(lambda size, at: os.pread(file.fileno(), size, at), path))
        theirs = _told(lambda: second_facts(file, path))
    return "" if ours == theirs else f"{path}\n  ours   {ours}\n  theirs {theirs}"


def _told(read: Callable[[], ElfFacts]) -> str:
    try:
        return repr(read())
    except ElfError as error:
        return str(error)


def _compare(paths: list[str], record: Callable[[str, object], None], what: str) -> None:
    differing = [line for line in map(_agree, paths) if line]
    record("figure", f"facts of {what}: {len(paths)} files, as pyelftools reads them")
    assert len(paths) > 20
    assert not differing, "\n".join(differing)


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_programs(chunk: int, record_property: Callable[[str, object], None]) -> None:
    """Every program of /usr/bin, /usr/sbin and /usr/libexec says the same to both."""
    paths = [path for top in _COMMON for path in _elf_files(top)]
    chosen = [path for path in paths if _chunk(path) == chunk]
    _compare(chosen, record_property, f"programs ({chunk + 1} of {_CHUNKS})")


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_libraries(chunk: int, record_property: Callable[[str, object], None]) -> None:
    """Every ELF file of /usr/lib says the same to both."""
    chosen = [path for path in _elf_files("/usr/lib") if _chunk(path) == chunk]
    _compare(chosen, record_property, f"libraries ({chunk + 1} of {_CHUNKS})")


@pytest.mark.long
def test_everything(record_property: Callable[[str, object], None]) -> None:
    """Every ELF file beneath /usr says the same to both."""
    _compare(list(_elf_files("/usr")), record_property, "everything beneath /usr")
