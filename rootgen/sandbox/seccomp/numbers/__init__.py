"""System call numbers, a table for each architecture; only a machine's own are ever imported."""

from __future__ import annotations


def parse_numbers(table: str) -> dict[str, int]:
    """Return name → number of a table: lines of a number and the names counted on from there."""
    numbers: dict[str, int] = {}
    for line in table.split("\n"):
        first, *names = line.split() or ("0",)
        numbers.update(zip(names, range(int(first), int(first) + len(names)), strict=True))
    return numbers
