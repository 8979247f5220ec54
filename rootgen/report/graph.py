"""A Closure as a drawing: DOT for Graphviz, Mermaid for pages of Markdown.

Nodes are numbered, so that a name is only ever a label, where each form has
its own way to escape what it takes for its own signs.
"""

from __future__ import annotations

from rootgen.closure.graph import EdgeKind
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.closure.graph import Closure


class _Node(NamedTuple):
    number: int
    label: str
    program: bool = False
    missing: bool = False


class _Arrow(NamedTuple):
    source: int
    target: int
    label: str = ""
    missing: bool = False


class _Drawing(NamedTuple):
    """What both forms draw: nodes in the order of the closure, what lacks behind them."""

    nodes: list[_Node]
    arrows: list[_Arrow]


def dot_lines(closure: Closure) -> Iterator[str]:
    """Write ``closure`` in the DOT language (https://graphviz.org/doc/info/lang.html)."""
    drawing = _draw(closure)
    yield "digraph deps {"
    yield "  rankdir=LR;"
    yield "  node [shape=box, style=rounded];"
    for node in drawing.nodes:
        look = ", style=bold" if node.program else ""
        look = ", style=dashed, color=red, fontcolor=red" if node.missing else look
        yield f'  n{node.number} [label="{_dot(node.label)}"{look}];'
    for arrow in drawing.arrows:
        attributes = [f'label="{_dot(arrow.label)}"'] if arrow.label else []
        attributes += ["style=dashed", "color=red"] if arrow.missing else []
        written = f" [{', '.join(attributes)}]" if attributes else ""
        yield f"  n{arrow.source} -> n{arrow.target}{written};"
    yield "}"


def mermaid_lines(closure: Closure) -> Iterator[str]:
    """Write ``closure`` as a flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    drawing = _draw(closure)
    yield "flowchart LR"
    for node in drawing.nodes:
        kind = ":::missing" if node.missing else ":::program" if node.program else ""
        yield f'  n{node.number}["{_mermaid(node.label)}"]{kind}'
    for arrow in drawing.arrows:
        line = "-.->" if arrow.missing else "-->"
        label = f'|"{_mermaid(arrow.label)}"|' if arrow.label else ""
        yield f"  n{arrow.source} {line}{label} n{arrow.target}"
    yield "  classDef program stroke-width:3px"
    yield "  classDef missing stroke:red,color:red,stroke-dasharray:5"


def _draw(closure: Closure) -> _Drawing:
    programs = {program.path for program in closure.programs}
    numbers = {path: number for number, path in enumerate(closure.files)}
    nodes = [_Node(number, path, path in programs) for path, number in numbers.items()]
    arrows = [
        _Arrow(numbers[edge.source], numbers[edge.target], _kind(edge.kind))
        for edge in closure.edges
    ]
    missing: dict[str, int] = {}
    for lacking in closure.lacking:
        number = missing.setdefault(lacking.name, len(numbers) + len(missing))
        if number == len(nodes):
            nodes.append(_Node(number, f"{lacking.name} (missing)", missing=True))
        arrows.append(_Arrow(numbers[lacking.chain[-1]], number, _kind(lacking.kind), True))  # noqa: FBT003 - the field of a tuple
    # An object may be asked for twice, by its path and by its SONAME: one arrow.
    return _Drawing(nodes, list(dict.fromkeys(arrows)))


def _kind(kind: EdgeKind) -> str:
    return "" if kind is EdgeKind.NEEDED else kind.value


def _dot(text: str) -> str:
    # escString: a backslash begins an escape; a quoted string ends at a quotation mark.
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


# What Mermaid or the HTML that it makes would take for its own, as its entity codes.
_ENTITIES = {character: f"#{ord(character)};" for character in '#"&<>;`\\[]{}|%'}


def _mermaid(text: str) -> str:
    return "".join(_ENTITIES.get(character, character) for character in printable(text))
