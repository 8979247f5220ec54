"""The parts of ``rootgen deps`` that ask the graph; imported where they are asked for."""

from __future__ import annotations

from rootgen.api.deps_graph import chains_to, dependents, graph, retained
from rootgen.cli.output import output_palette, write_json, write_lines, write_notes
from rootgen.named import TYPE_CHECKING
from rootgen.report.deps_graph import (
    chain_lines,
    chains_json,
    dependent_json,
    dependent_line,
    retained_json,
    retained_lines,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.api.deps import DepsResult, Resolver


def show(resolver: Resolver, results: Sequence[DepsResult], form: str, why: str | None) -> None:
    """Write a drawing, the chains to ``why``, or what each object retains."""
    if form in {"dot", "mermaid"}:
        from rootgen.report.graph import dot_lines, mermaid_lines

        draw = dot_lines if form == "dot" else mermaid_lines
        write_lines(draw(graph(resolver, results)))
    elif why is not None:
        _show_chains(resolver, results, form, why)
    else:
        found = retained(resolver, results)
        if form == "json":
            write_json({"rootgen": 1, "command": "deps", "dominators": retained_json(found)})
        else:
            write_lines(retained_lines(found, output_palette()))


def _show_chains(resolver: Resolver, results: Sequence[DepsResult], form: str, why: str) -> None:
    found = chains_to(resolver, results, why)
    if form == "json":
        targets = [
            {"target": one.target, "path": one.path, "chains": chains_json(one.chains)}
            for one in found
        ]
        write_json({"rootgen": 1, "command": "deps", "why": why, "targets": targets})
        return
    colours = output_palette()
    for one in found:
        write_lines(chain_lines(one.path, one.chains, colours))
        if one.more:
            write_notes([f"{one.target}: there are more chains as short"])


def reverse(
    resolver: Resolver, files: Sequence[str], library: str, directories: Sequence[str], form: str
) -> int:
    """Write which programs need ``library``; 1 where none does."""
    found = dependents(resolver, library, files=files, directories=directories)
    count = 0
    if form == "json":
        programs = [dependent_json(one.path, one.names) for one in found]
        count = len(programs)
        write_json({"rootgen": 1, "command": "deps", "reverse": library, "programs": programs})
    else:
        colours = output_palette()
        for count, one in enumerate(found, 1):  # noqa: B007 - how many there were
            names = one.names if form == "tree" else ()
            write_lines([dependent_line(one.path, names, colours)])
    if not count:
        write_notes([f"nothing needs {library}"])
    return 0 if count else 1
