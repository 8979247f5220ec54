"""The interpreter of a program from its first bytes: the same as the reader's, or none."""

from __future__ import annotations

import os
import random

import pytest

from rootgen.elf.prefix import interpreter_in
from rootgen.elf.reader import is_elf, read_interpreter
from rootgen.errors import ElfError

_PLACES = ("/usr/bin", "/usr/sbin")
_PREFIX = 1024


def _programs() -> list[str]:
    paths = (os.path.join(place, name) for place in _PLACES for name in sorted(os.listdir(place)))
    return [path for path in paths if os.path.isfile(path)]


def _whole_answer(path: str) -> bytes | None:
    with open(path, "rb") as file:
        descriptor = file.fileno()
        if not is_elf(os.pread(descriptor, 4, 0)):
            return None
        found = read_interpreter(lambda size, offset: os.pread(descriptor, size, offset), path)
    return None if found is None else os.fsencode(found)


def test_programs_of_the_machine() -> None:
    """Every program: what it says the reader says, and of most it says something."""
    said = 0
    for path in _programs():
        with open(path, "rb") as file:
            found = interpreter_in(file.read(_PREFIX))
        if found is not None:
            said += 1
            assert found == (_whole_answer(path) or b""), path
        else:
            assert _whole_answer(path) is None or _has_it_elsewhere(path), path
    assert said > 100


def _has_it_elsewhere(path: str) -> bool:
    """Say whether the name of the loader lies behind the prefix, or the file is of 32 bits."""
    with open(path, "rb") as file:
        data = file.read()
    return data[4] != 2 or data.find(_whole_answer(path) or b"") > _PREFIX - 64


def _read_all(data: bytes) -> str | None:
    return read_interpreter(lambda size, at: data[at : at + size], "it")


@pytest.mark.parametrize("seed", range(20))
def test_mangled(seed: int) -> None:
    """Whatever the bytes are it answers, and never with what the reader would not say."""
    chance = random.Random(seed)
    with open("/bin/true", "rb") as file:
        whole = file.read(_PREFIX)
    for _ in range(200):
        data = bytearray(whole[: chance.randrange(len(whole) + 1)])
        for _ in range(chance.randrange(4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        found = interpreter_in(bytes(data))
        if found is None:
            continue
        try:
            other = _read_all(bytes(data))
        except ElfError:
            continue
        assert found.split(b"\0")[0] == os.fsencode(other or "")
