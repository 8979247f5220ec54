"""Rows of cells as aligned lines."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def table_lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Align ``rows`` beneath ``head``, which has a name for each column."""
    table = [tuple(head), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
