"""DOT and Mermaid: what is drawn, and that no name breaks out of its label."""

from __future__ import annotations

import re
from types import MappingProxyType

import pytest

from rootgen.closure.graph import Closure, ClosureFile, Edge, EdgeKind, Lacking, Program
from rootgen.report.graph import dot_lines, mermaid_lines
from rootgen.sysroot.port import Found, Kind, Node

_NODE = Node(Kind.FILE, 0o755, 0, 0, 10, 0, (1, 1))
_HOSTILE = ['a"];evil', "back\\slash", "a]b", "<b>&amp;", "#quot;", "line\nbreak", "`md`", "\udcff"]


def closure(library: str = "/lib/liba.so", gone: str = "libgone.so") -> Closure:
    """Return one program, its interpreter, a library and a library that lacks."""
    paths = ["/bin/prog", library, "/lib/ld.so"]
    files = {path: ClosureFile(Found(path, _NODE), None) for path in paths}
    edges = (
        Edge("/bin/prog", "/lib/ld.so", EdgeKind.INTERPRETER, "/lib/ld.so", "/lib/ld.so"),
        Edge("/bin/prog", library, EdgeKind.NEEDED, "liba.so", library),
        Edge("/bin/prog", library, EdgeKind.NEEDED, "liba.so.1", library),
    )
    lacking = tuple(
        Lacking((path,), gone, EdgeKind.NEEDED, (), "not found") for path in ("/bin/prog", library)
    )
    programs = (Program("prog", "/bin/prog", "/bin/prog"),)
    return Closure(programs, MappingProxyType(files), edges, (), lacking)


def test_dot() -> None:
    """Each node and arrow once; labelled where it is no DT_NEEDED; what lacks is dashed."""
    assert list(dot_lines(closure())) == [
        "digraph deps {",
        "  rankdir=LR;",
        "  node [shape=box, style=rounded];",
        '  n0 [label="/bin/prog", style=bold];',
        '  n1 [label="/lib/liba.so"];',
        '  n2 [label="/lib/ld.so"];',
        '  n3 [label="libgone.so (missing)", style=dashed, color=red, fontcolor=red];',
        '  n0 -> n2 [label="PT_INTERP"];',
        "  n0 -> n1;",
        "  n0 -> n3 [style=dashed, color=red];",
        "  n1 -> n3 [style=dashed, color=red];",
        "}",
    ]


def test_mermaid() -> None:
    """The same as a flowchart."""
    assert list(mermaid_lines(closure())) == [
        "flowchart LR",
        '  n0["/bin/prog"]:::program',
        '  n1["/lib/liba.so"]',
        '  n2["/lib/ld.so"]',
        '  n3["libgone.so (missing)"]:::missing',
        '  n0 -->|"PT_INTERP"| n2',
        "  n0 --> n1",
        "  n0 -.-> n3",
        "  n1 -.-> n3",
        "  classDef program stroke-width:3px",
        "  classDef missing stroke:red,color:red,stroke-dasharray:5",
    ]


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_names(name: str) -> None:
    """Whatever a name holds, there are as many lines, and the label is one string."""
    drawn = closure(f"/lib/{name}", name)
    dot, mermaid = list(dot_lines(drawn)), list(mermaid_lines(drawn))
    assert (len(dot), len(mermaid)) == (12, 11)
    assert all(line.isprintable() for line in [*dot, *mermaid])
    for line in dot[4], dot[6]:
        assert re.fullmatch(r'  n\d \[label="(?:[^"\\]|\\["\\])*"(, \w+=\w+)*\];', line)
    for line in mermaid[2], mermaid[4]:
        assert re.fullmatch(r'  n\d\["(?:[^"#&<>`;\[\]\\]|#\d+;)*"\](:::missing)?', line)
