"""Differences of Plans, and the drift of a tree, as lines and as JSON."""

from __future__ import annotations

from rootgen.layer.difference import FIELD_WORDS
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.colour import PLAIN
from rootgen.report.make import entry_json
from rootgen.report.words import count_words, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rootgen.layer.difference import Change, Difference
    from rootgen.plan.entry import Entry
    from rootgen.report.colour import Palette

# Their values say something to a person; of the others only that they changed.
_SHOWN = {"kind", "mode", "uid", "gid", "target", "device", "size"}


class Lack(NamedTuple):
    """A name that a program of a tree needs and does not find there."""

    program: str
    name: str
    why: str


class CheckReport(NamedTuple):
    """What ``check`` found of the tree ``root``.

    ``unheld`` are paths with what is there: sockets, mounts, directories
    that may not be read.
    """

    root: str
    digest: str
    programs: int
    entries: int
    change: Difference
    unheld: Sequence[tuple[str, str]]
    lacks: Sequence[Lack]

    def is_clean(self) -> bool:
        """Tell whether nothing was found."""
        return self.change.is_empty() and not self.unheld and not self.lacks


def difference_lines(change: Difference, palette: Palette = PLAIN) -> Iterator[str]:
    """Say what is gone (``-``), new (``+``) and different (``~``), each in the order of paths."""
    for entry in change.removed:
        yield f"{palette.red}- {printable(entry.path)}{palette.reset}"
    for entry in change.added:
        yield f"{palette.green}+ {printable(entry.path)}{palette.reset} ({entry.kind.value})"
    for one in change.changed:
        details = ", ".join(_detail(one, field) for field in one.fields)
        yield f"{palette.yellow}~ {printable(one.after.path)}{palette.reset}: {details}"


def difference_json(change: Difference) -> Mapping[str, object]:
    """Return what ``diff --json`` and ``check --json`` say of a difference."""
    return {
        "added": [entry_json(entry) for entry in change.added],
        "removed": [entry_json(entry) for entry in change.removed],
        "changed": [
            {
                "path": one.after.path,
                "fields": list(one.fields),
                "before": entry_json(one.before),
                "after": entry_json(one.after),
            }
            for one in change.changed
        ],
    }


def check_lines(report: CheckReport, palette: Palette = PLAIN) -> Iterator[str]:
    """Say what ``check`` found; one line where that is nothing."""
    yield from difference_lines(report.change, palette)
    for path, what in report.unheld:
        yield f"{palette.yellow}? {printable(path)}{palette.reset}: {printable(what)}"
    for lack in report.lacks:
        line = f"! {printable(lack.program)}: {printable(lack.name)}"
        yield f"{palette.red}{line}{palette.reset}: {printable(lack.why)}"
    if report.is_clean():
        programs = count_words(report.programs, "program")
        entries = count_words(report.entries, "entry", "entries")
        told = f"{entries} unchanged, {programs} complete"
        yield f"{printable(report.root)}: {told}"


def check_json(report: CheckReport) -> Mapping[str, object]:
    """Return the document of ``check --json``."""
    return {
        "rootgen": 1,
        "command": "check",
        "root": report.root,
        "digest": report.digest,
        "clean": report.is_clean(),
        **difference_json(report.change),
        "unheld": [{"path": path, "what": what} for path, what in report.unheld],
        "missing": [
            {"program": lack.program, "name": lack.name, "why": lack.why} for lack in report.lacks
        ],
    }


def _detail(change: Change, field: str) -> str:
    word = FIELD_WORDS.get(field, field)
    if field not in _SHOWN:
        return word
    return f"{word} {_value(change.before, field)} → {_value(change.after, field)}"


def _value(entry: Entry, field: str) -> str:
    match field:
        case "kind":
            return entry.kind.value
        case "mode":
            return f"{entry.mode:04o}"
        case "device":
            return f"{entry.device[0]}:{entry.device[1]}"
        case _:
            return printable(str(getattr(entry, field))) or "nothing"
