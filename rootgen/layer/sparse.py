"""Sparse files in archives: which pieces of a file are there, the rest being zeros.

GNU tar manual, "Storing Sparse Files": the old format has the map in header
blocks, PAX 0.0 and 0.1 in records, PAX 1.0 before the data.
"""

from __future__ import annotations

from itertools import pairwise

from rootgen.errors import LayerError
from rootgen.layer.fields import BLOCK, parse_number
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Exactly = Callable[[int], bytes]

# Pieces of one file; GNU tar makes one for each run of blocks that holds data.
_MOST = 1 << 20
_LONGEST_LINE = 20
_IN_HEADER, _IN_EXTENSION = 4, 21
_PAIR = 24


class Sparse(NamedTuple):
    """A file of ``size`` bytes, of which ``pieces`` (offset, length) are stored, in order."""

    size: int
    pieces: tuple[tuple[int, int], ...]


def old_gnu_map(block: bytes, read: Exactly, place: str) -> Sparse:
    """Return the map that the header ``block`` of type ``S`` begins; ``read`` gives the rest."""
    numbers = _pairs(block[386:], _IN_HEADER, place)
    more = block[482]
    while more:
        extension = read(BLOCK)
        numbers += _pairs(extension, _IN_EXTENSION, place)
        _check_count(len(numbers), place)
        more = extension[504]
    return _checked(parse_number(block[483:495], place), numbers, place)


def pax_map(
    records: Mapping[bytes, bytes], pairs: Sequence[int], read: Exactly, place: str
) -> Sparse | None:
    """Return the map that PAX ``records`` tell of; None where the file is not sparse.

    ``pairs`` are the offsets and lengths of format 0.0, whose records come
    more than once. In format 1.0 the map stands before the data: ``read``
    takes it from there, in whole blocks.
    """
    size = records.get(b"GNU.sparse.realsize", records.get(b"GNU.sparse.size"))
    if size is None:
        return None
    if records.get(b"GNU.sparse.major") == b"1":
        numbers = _read_map(read, place)
    elif b"GNU.sparse.map" in records:
        numbers = [_decimal(one, place) for one in records[b"GNU.sparse.map"].split(b",") if one]
    else:
        numbers = list(pairs)
    return _checked(_decimal(size, place), numbers, place)


def _read_map(read: Exactly, place: str) -> list[int]:
    """Read lines of decimal numbers: how many pairs, then each; padded to whole blocks."""
    buffer = b""
    at = 0

    def number() -> int:
        nonlocal buffer, at
        while (end := buffer.find(b"\n", at)) < 0:
            if len(buffer) - at > _LONGEST_LINE:
                raise LayerError(f"{place} has a map of a sparse file that is not numbers")
            buffer, at = buffer[at:] + read(BLOCK), 0
        value = _decimal(buffer[at:end], place)
        at = end + 1
        return value

    count = number()
    _check_count(2 * count, place)
    return [number() for _ in range(2 * count)]


def _pairs(data: bytes, count: int, place: str) -> list[int]:
    numbers: list[int] = []
    for start in range(0, count * _PAIR, _PAIR // 2):
        field = data[start : start + _PAIR // 2]
        if not field[0] and len(numbers) % 2 == 0:
            break
        numbers.append(parse_number(field, place))
    return numbers


def _check_count(count: int, place: str) -> None:
    if count > 2 * _MOST:
        raise LayerError(f"{place} is a sparse file of more than {_MOST} pieces")


def _checked(size: int, numbers: Sequence[int], place: str) -> Sparse:
    _check_count(len(numbers), place)
    pieces = tuple(zip(numbers[::2], numbers[1::2], strict=len(numbers) % 2 == 0))
    ends = [(0, 0), *pieces, (size, 0)]
    overlapping = any(start + length > after for (start, length), (after, _) in pairwise(ends))
    if len(numbers) % 2 or size < 0 or overlapping or any(min(piece) < 0 for piece in pieces):
        raise LayerError(f"{place} is a sparse file whose pieces do not fit it")
    return Sparse(size, pieces)


def _decimal(text: bytes, place: str) -> int:
    if not text.isdigit() or len(text) >= _LONGEST_LINE:
        raise LayerError(f"{place} has a number in its PAX records that is none: {text[:40]!r}")
    return int(text)
