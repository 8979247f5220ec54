"""Colour, where it is wanted: https://no-color.org, terminals only."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Palette(NamedTuple):
    """The sequences to write before and after (ECMA-48, SGR); all empty: no colour."""

    bold: str = ""
    dim: str = ""
    red: str = ""
    green: str = ""
    yellow: str = ""
    reset: str = ""


PLAIN = Palette()
_COLOURED = Palette("\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m")


def palette(environ: Mapping[str, str], *, terminal: bool) -> Palette:
    """Return the colours for a stream: none unless it is a terminal that has them.

    ``NO_COLOR``, set to anything but nothing, and ``TERM=dumb`` say no.
    """
    wanted = terminal and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    return _COLOURED if wanted else PLAIN
