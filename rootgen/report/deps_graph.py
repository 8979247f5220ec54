"""Chains, what an object retains, and who needs it, as lines and as JSON."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.report.colour import PLAIN
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rootgen.closure.graph import Edge
    from rootgen.closure.view import Retained
    from rootgen.report.colour import Palette


def chain_lines(
    target: str, chains: Sequence[Sequence[Edge]], palette: Palette = PLAIN
) -> Iterator[str]:
    """Draw each chain from ``target`` down to the object that was asked about."""
    yield f"{palette.bold}{printable(target)}{palette.reset}"
    if not chains:
        yield f"└── {palette.dim}does not load it{palette.reset}"
    for chain in chains:
        for depth, edge in enumerate(chain):
            where = printable(edge.opened) or f"{palette.red}{printable(edge.how)}{palette.reset}"
            name = "" if edge.name == edge.opened else f"{printable(edge.name)} => "
            why = edge.kind.value + (f", {edge.how}" if edge.opened and edge.how else "")
            yield f"{'    ' * depth}└── {name}{where} {palette.dim}[{why}]{palette.reset}"


def chains_json(chains: Sequence[Sequence[Edge]]) -> list[object]:
    """Return the chains of one target, each a list of steps."""
    return [
        [
            {
                "requester": edge.source,
                "name": edge.name,
                "kind": edge.kind.value,
                "path": edge.opened or None,
                "how": edge.how,
            }
            for edge in chain
        ]
        for chain in chains
    ]


def retained_lines(retained: Sequence[Retained], palette: Palette = PLAIN) -> Iterator[str]:
    """Write a table: bytes and number of files that would go, and with which object."""
    sizes = [size_words(one.size) for one in retained]
    files = [count_words(one.files, "file") for one in retained]
    wide, broad = max(map(len, sizes), default=0), max(map(len, files), default=0)
    for size, count, one in zip(sizes, files, retained, strict=True):
        through = f" {palette.dim}(only through {printable(one.through)}){palette.reset}"
        where = printable(one.path) + (through if one.through else "")
        yield f"{size:>{wide}}  {count:>{broad}}  {where}"


def retained_json(retained: Sequence[Retained]) -> list[object]:
    """Return the same as JSON."""
    return [
        {
            "path": one.path,
            "through": one.through or None,
            "files": one.files,
            "bytes": one.size,
        }
        for one in retained
    ]


def dependent_line(path: str, names: Sequence[str], palette: Palette = PLAIN) -> str:
    """Say which program needs the library, and through what where it is not direct."""
    if len(names) < 2:  # noqa: PLR2004 - its own need, or its interpreter
        return printable(path)
    through = " → ".join(map(printable, names[:-1]))
    return f"{printable(path)} {palette.dim}[through {through}]{palette.reset}"


def dependent_json(path: str, names: Sequence[str]) -> Mapping[str, object]:
    """Return one program of ``deps --reverse``."""
    return {"path": path, "direct": len(names) == 1, "names": list(names)}
