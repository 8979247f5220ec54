"""Files as the reader sees them: real ``pread``, counted, over an image with patches."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from rootgen.elf.reader import read_facts
from rootgen.elf.second_opinion import second_facts
from rootgen.errors import ElfError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.elf.facts import ElfFacts


class CountedFile:
    """A file of ``data`` behind a real descriptor; counts what is asked of it."""

    def __init__(self, data: bytes) -> None:
        """Keep ``data`` in an anonymous file."""
        self.asked = 0
        self.reads = 0
        self._descriptor = os.memfd_create("image")
        os.pwrite(self._descriptor, data, 0)

    def __enter__(self) -> CountedFile:
        """Return the file."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        os.close(self._descriptor)

    def read_at(self, size: int, offset: int) -> bytes:
        """Read as ``os.pread`` does, errors for impossible offsets included."""
        self.asked += size
        self.reads += 1
        return os.pread(self._descriptor, size, offset)


class PatchedFile:
    """A file of the host with bytes written over it, and cut at ``length``."""

    def __init__(self, path: str, patches: Mapping[int, bytes], length: int) -> None:
        """Open ``path``."""
        self.asked = 0
        self._patches = patches
        self._length = length
        self._descriptor = os.open(path, os.O_RDONLY)

    def __enter__(self) -> PatchedFile:
        """Return the file."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        os.close(self._descriptor)

    def read_at(self, size: int, offset: int) -> bytes:
        """Read at most ``size`` bytes at ``offset``, patches applied."""
        self.asked += size
        data = bytearray(os.pread(self._descriptor, size, offset))
        for at, value in self._patches.items():
            for number, byte in enumerate(value):
                if 0 <= at + number - offset < len(data):
                    data[at + number - offset] = byte
        return bytes(data[: max(0, self._length - offset)])


def facts_of(data: bytes) -> ElfFacts:
    """Return what our reader says of ``data``."""
    with CountedFile(data) as file:
        return read_facts(file.read_at, "image")


def second_facts_of(data: bytes) -> ElfFacts:
    """Return what pyelftools says of ``data``."""
    return second_facts(io.BytesIO(data), "image")


def refusal_of(data: bytes) -> str:
    """Return the message that our reader refuses ``data`` with; "" where it does not."""
    try:
        facts_of(data)
    except ElfError as error:
        return str(error)
    return ""


def patchable_spots(path: str) -> list[int]:
    """Return the offsets of words in the headers and tables of ``path``: what readers follow."""
    from elftools.elf.elffile import ELFFile

    spots = list(range(0, 900, 4))
    with open(path, "rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if section.name.startswith(
                (".gnu.version_", ".dynamic", ".gnu.hash", ".note", ".hash")
            ):
                end = section["sh_offset"] + min(section["sh_size"], 800)
                spots += range(section["sh_offset"], end, 4)
    return spots
