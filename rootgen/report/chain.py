"""Why a path is in a tree: the chains from programs to it, and what would go with it."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.colour import PLAIN
from rootgen.report.make import entry_json
from rootgen.report.reason import reason_words
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rootgen.plan.entry import Entry, Reason
    from rootgen.report.colour import Palette

# Of chains, and of what would go; the rest is counted.
_TOLD = 10


class Step(NamedTuple):
    """One path of a chain, and the reason that the step before gives for it."""

    path: str
    reason: Reason


class Why(NamedTuple):
    """Everything that is known of one path.

    ``asked`` is the path as it was given, ``links`` the symbolic links that
    it leads through, ``entry`` what is at the end; ``goes`` would no longer
    be wanted if that went.
    """

    asked: str
    links: Sequence[Entry]
    entry: Entry
    chains: Sequence[Sequence[Step]]
    goes: Sequence[Entry]


def why_lines(why: Why, palette: Palette = PLAIN) -> Iterator[str]:
    """Draw the chains, each from what was asked for down to the path."""
    for link in why.links:
        yield f"{printable(link.path)} -> {printable(link.target)}"
    entry = why.entry
    size = f", {size_words(entry.size)}" if entry.size else ""
    yield f"{palette.bold}{printable(entry.path)}{palette.reset} ({entry.kind.value}{size})"
    for chain in why.chains[:_TOLD]:
        for depth, step in enumerate(chain):
            corner = "    " * (depth - 1) + "└── " if depth else ""
            reason = f"{palette.dim}{reason_words(step.reason)}{palette.reset}"
            yield f"  {corner}{printable(step.path)}  {reason}"
    if len(why.chains) > _TOLD:
        yield f"  … and {len(why.chains) - _TOLD} more chains as short"
    others = len(entry.reasons) - len({chain[-1].reason for chain in why.chains})
    if others > 0:
        yield f"{count_words(others, 'more reason')} for it: see --json"
    yield from _goes_lines(why.goes)


def why_json(why: Why) -> Mapping[str, object]:
    """Return the document of ``why --json``."""
    return {
        "rootgen": 1,
        "command": "why",
        "asked": why.asked,
        "links": [{"path": link.path, "target": link.target} for link in why.links],
        "entry": entry_json(why.entry),
        "chains": [
            [
                {
                    "path": step.path,
                    "kind": step.reason.kind.value,
                    "by": step.reason.by,
                    "detail": step.reason.detail,
                }
                for step in chain
            ]
            for chain in why.chains
        ],
        "goes_with_it": [entry.path for entry in why.goes],
    }


def _goes_lines(goes: Sequence[Entry]) -> Iterator[str]:
    if not goes:
        yield "nothing else would go with it"
        return
    size = sum(entry.size for entry in goes)
    yield f"with it would go ({count_words(len(goes), 'path')}, {size_words(size)}):"
    for entry in goes[:_TOLD]:
        yield f"  {printable(entry.path)}"
    if len(goes) > _TOLD:
        yield f"  … and {len(goes) - _TOLD} more"
