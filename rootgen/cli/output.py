"""Writing: data on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys

from rootgen.named import TYPE_CHECKING
from rootgen.report.colour import palette

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    from rootgen.report.colour import Palette


def write_lines(lines: Iterable[str]) -> None:
    """Write ``lines`` to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def write_notes(lines: Iterable[str]) -> None:
    """Write ``lines`` to standard error, each as a message of ours."""
    write_errors(f"rootgen: {line}" for line in lines)


def write_errors(lines: Iterable[str]) -> None:
    """Write ``lines`` to standard error, as they are: another program's words."""
    sys.stdout.flush()
    complain("".join(f"{line}\n" for line in lines))


def complain(text: str) -> None:
    """Write ``text`` to standard error; where it cannot be written it is lost.

    What is done goes on and ends as it would have, its exit status too: there
    is nowhere that this could be told.
    """
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        forget(sys.stderr)


def write_aside(line: str) -> None:
    """Write a message of ours to standard error that nobody is to wait for, nor to fail of."""
    from rootgen.linux.note import write_note

    sys.stdout.flush()
    write_note(f"rootgen: {line}\n".encode(sys.stderr.encoding, sys.stderr.errors or "replace"))


def forget(stream: TextIO) -> None:
    """Write no more to ``stream``: what is buffered would raise again whenever it is flushed."""
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, stream.fileno())
    os.close(null)


def write_json(document: Mapping[str, object]) -> None:
    """Write ``document`` to standard output, indented."""
    import json

    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def output_palette() -> Palette:
    """Return the colours of standard output."""
    return palette(os.environ, terminal=sys.stdout.isatty())
