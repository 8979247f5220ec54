"""Writing: data on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys

from rootgen.named import TYPE_CHECKING
from rootgen.report.colour import palette

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rootgen.report.colour import Palette


def write_lines(lines: Iterable[str]) -> None:
    """Write ``lines`` to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def write_notes(lines: Iterable[str]) -> None:
    """Write ``lines`` to standard error, each as a message of ours."""
    sys.stdout.flush()
    sys.stderr.writelines(f"rootgen: {line}\n" for line in lines)


def write_errors(lines: Iterable[str]) -> None:
    """Write ``lines`` to standard error, as they are: another program's words."""
    sys.stdout.flush()
    sys.stderr.writelines(f"{line}\n" for line in lines)


def write_json(document: Mapping[str, object]) -> None:
    """Write ``document`` to standard output, indented."""
    import json

    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def output_palette() -> Palette:
    """Return the colours of standard output."""
    return palette(os.environ, terminal=sys.stdout.isatty())
