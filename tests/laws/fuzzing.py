"""A plain mutation fuzzer: sound inputs, broken at random, tried one after the other.

Thousands of inputs a second on one core, where a law of hypothesis tries
hundreds: what needs luck rather than thought is looked for here.
"""

from __future__ import annotations

import base64
import os
import random
import signal
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from rootgen.errors import RootgenError

# More of the processor than any input may take; what is honest takes a thousandth.
SECONDS = 5
_EDGES = (0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, 1 << 31, 1 << 62, 1 << 63)
_INTEGERS = tuple(value + step for value in _EDGES for step in (-1, 0, 1))


class Seed(NamedTuple):
    """A sound input, and where in it changes tell most: (start, end), often several."""

    data: bytes
    hot: tuple[tuple[int, int], ...] = ()


class Tally(NamedTuple):
    """How many inputs were read, and how many refused."""

    read: int
    refused: int

    def __str__(self) -> str:
        """Return the figure."""
        return f"{self.read + self.refused:,} inputs fuzzed: {self.read:,} read"


class Mutator:
    """Breaks inputs, in the same ways for the same number."""

    def __init__(self, seeds: Sequence[Seed], words: Sequence[bytes], number: int) -> None:
        """Break ``seeds``; ``words`` are what their language is made of."""
        self._seeds = seeds
        self._words = words
        self._random = random.Random(number)
        self._ways: tuple[Callable[[bytearray, Seed], None], ...] = (
            *(self._flip, self._write_byte, self._write_integer, self._write_integer),
            *(self._write_word, self._insert_word, self._truncate, self._remove, self._repeat),
            self._splice,
        )

    def next(self) -> bytes:
        """Return another broken input."""
        seed = self._random.choice(self._seeds)
        data = bytearray(seed.data)
        for _ in range(self._random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            self._random.choice(self._ways)(data, seed)
        return bytes(data)

    def _at(self, data: bytearray, seed: Seed) -> int:
        start, end = self._random.choice(seed.hot) if seed.hot else (0, len(data))
        return min(start + int(self._random.random() * (end - start)), max(0, len(data) - 1))

    def _flip(self, data: bytearray, seed: Seed) -> None:
        if data:
            data[self._at(data, seed)] ^= 1 << self._random.randrange(8)

    def _write_byte(self, data: bytearray, seed: Seed) -> None:
        if data:
            data[self._at(data, seed)] = self._random.randrange(256)

    def _write_integer(self, data: bytearray, seed: Seed) -> None:
        width = self._random.choice((1, 2, 4, 4, 8, 8))
        order: Literal["little", "big"] = self._random.choice(("little", "big"))
        value = self._random.choice(_INTEGERS)
        if self._random.random() < 0.3:
            value = self._random.randrange(len(data) + 2)
        at = self._at(data, seed) // width * width
        data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)

    def _write_word(self, data: bytearray, seed: Seed) -> None:
        word = self._random.choice(self._words)
        at = self._at(data, seed)
        data[at : at + len(word)] = word

    def _insert_word(self, data: bytearray, seed: Seed) -> None:
        at = self._at(data, seed)
        data[at:at] = self._random.choice(self._words)

    def _truncate(self, data: bytearray, seed: Seed) -> None:
        del data[self._at(data, seed) :]

    def _remove(self, data: bytearray, seed: Seed) -> None:
        at = self._at(data, seed)
        del data[at : at + self._random.randrange(1, 64)]

    def _repeat(self, data: bytearray, seed: Seed) -> None:
        at = self._at(data, seed)
        data[at:at] = data[at : at + self._random.randrange(1, 64)] * self._random.randrange(1, 5)

    def _splice(self, data: bytearray, seed: Seed) -> None:
        other = self._random.choice(self._seeds)
        come_from = self._at(bytearray(other.data), other)
        data[self._at(data, seed) :] = other.data[come_from:]


def fuzz(
    read: Callable[[bytes], object], error: type[RootgenError], mutator: Mutator, count: int
) -> Tally:
    """Have ``read`` read ``count`` inputs; each gives a value or raises ``error``, in time.

    Anything else fails, with the input in a form that ``decode`` reads: keep
    it as a named case.
    """
    refused = 0
    with _alarm():
        for _ in range(count):
            data = mutator.next()
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            try:
                read(data)
            except error:
                refused += 1
            except BaseException as other:
                message = f"{type(other).__name__}: {other}: decode({encode(data)!r})"
                raise AssertionError(message) from other
    return Tally(count - refused, refused)


def encode(data: bytes) -> str:
    """Return ``data`` as a word to keep in a test."""
    return base64.b85encode(zlib.compress(data, 9)).decode()


def decode(word: str) -> bytes:
    """Return what ``encode`` was given."""
    return zlib.decompress(base64.b85decode(word))


def number(chunk: int, *, anew: bool) -> int:
    """Return what the dice of one chunk begin with: the same always, or another each time."""
    return int.from_bytes(os.urandom(8), "big") if anew else chunk


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        del number, frame
        message = f"more than {SECONDS} seconds"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
