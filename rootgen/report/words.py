"""Sizes and names as words."""

from __future__ import annotations

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")
_THOUSAND = 1000


def printable(name: str) -> str:
    """Return ``name`` fit for a terminal: what is no printable character is escaped.

    A path of a hostile root may hold escape sequences that rewrite the
    screen, or bytes that are no UTF-8.
    """
    if name.isprintable():
        return name
    return "".join(one if one.isprintable() else _escaped(one) for one in name)


def size_words(size: int) -> str:
    """Return ``size`` bytes for people, in decimal units: ``4.2 MB``."""
    if size < _THOUSAND:
        return f"{size} B"
    amount = float(size)
    for unit in _UNITS:
        amount /= _THOUSAND
        # 999.95 would be shown as 1000.0
        if amount < _THOUSAND - 0.05 or unit == _UNITS[-1]:
            return f"{amount:.1f} {unit}"
    raise AssertionError  # the last unit takes everything


def count_words(count: int, noun: str, plural: str = "") -> str:
    """Return ``1 program``, ``2 programs``."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def _escaped(character: str) -> str:
    code = ord(character)
    # A surrogate of os.fsdecode stands for one byte.
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
