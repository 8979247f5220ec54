"""The line that says how far work is: only where somebody sees it, and only where it takes long."""

from __future__ import annotations

import io
from itertools import count

import pytest

from rootgen.report.progress import ProgressLine, bar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (0, 10, "copying  [------------------------]   0%"),
        (5, 10, "copying  [############------------]  50%"),
        (11, 10, "copying  [########################] 100%"),
        (61_308_416, 0, "copying  61.3 MB"),
    ],
)
def test_bar(done: int, total: int, shown: str) -> None:
    """A share of the total, or how many bytes where nobody knows that."""
    assert bar("copying", done, total) == shown


def test_after_a_second() -> None:
    """Nothing at first, then ten times a second at the most; erased at the end."""
    now = [0.0]
    stream = _Terminal()
    with ProgressLine(stream, {"TERM": "xterm"}, lambda: now[0]) as line:
        for sixteenths in range(20):
            now[0] = sixteenths / 16
            line("reading", sixteenths, 0)
    shown = stream.getvalue().split("\r\x1b[K")
    assert shown == ["", "reading  16 B", "reading  18 B", ""]


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}])
def test_where_nobody_sees_it(environ: dict[str, str]) -> None:
    """On no terminal, or one that cannot rewrite a line, there is none."""
    for stream in (_Terminal(), io.StringIO()):
        terms = environ if isinstance(stream, _Terminal) else {"TERM": "xterm"}
        with ProgressLine(stream, terms, count(0.0, 5.0).__next__) as line:
            line("reading", 1, 2)
        assert stream.getvalue() == ""
