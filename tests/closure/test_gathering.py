"""The graph of what programs load: its edges, the links gone through, what lacks."""

from __future__ import annotations

import pytest

from rootgen.closure.graph import EdgeKind
from rootgen.closure.resolve import Gathering, close
from rootgen.errors import ElfError, MissingError, RootgenError
from rootgen.ldso.system import System
from rootgen.sysroot.memory import draw
from tests.elf.image import DT_NEEDED, Recipe, build

_LOADER = "/lib64/ld-linux-x86-64.so.2"


def _elf(*needed: str, interpreter: str | None = None) -> bytes:
    names = tuple((DT_NEEDED, name.encode()) for name in needed)
    loader = None if interpreter is None else interpreter.encode()
    return build(Recipe(interpreter=loader, dynamic=names)).data


ROOT = draw(
    r"""
lib64 -> usr/lib64
bin -> usr/bin
usr/
  bin/
    awk -> mawk
    script = #!/usr/bin/env awk\n
    nested = #!/bin/script\n
    lost = #!/usr/bin/env nothing\n
    away = #!/opt/tool\n
    one = #!/usr/bin/two\n
    two = #!/usr/bin/one\n
    text = hello
    broken = \x7fELF\x02\x01\x01
""",
    {
        "/usr/lib64/ld-linux-x86-64.so.2": _elf(),
        "/usr/lib64/libc.so.6": _elf("ld-linux-x86-64.so.2"),
        "/usr/lib64/libbad.so": _elf("libgone.so.1", "libc.so.6"),
        "/usr/bin/mawk": _elf("libc.so.6", interpreter=_LOADER),
        "/usr/bin/env": _elf("libc.so.6", interpreter=_LOADER),
        "/usr/bin/bad": _elf("libbad.so", interpreter=_LOADER),
        "/usr/bin/by-bad": b"#!/usr/bin/bad\n",
        "/usr/bin/static": build(Recipe(type=2)).data,
        "/usr/bin/no-loader": _elf("libc.so.6", interpreter="/lib/ld-none.so"),
    },
)


def _gathered(*names: str) -> Gathering:
    gathering = Gathering(System(ROOT))
    for name in names:
        gathering.add(name, f"/usr/bin/{name}")
    return gathering


def _edges(*names: str) -> set[tuple[str, str, str, str]]:
    return {
        (edge.source, edge.target, edge.kind.value, edge.name)
        for edge in _gathered(*names).closure().edges
    }


def test_a_program() -> None:
    """Each edge says who brings what, by which field and which word."""
    loader, libc = "/usr/lib64/ld-linux-x86-64.so.2", "/usr/lib64/libc.so.6"
    assert _edges("mawk") == {
        ("/usr/bin/mawk", loader, "PT_INTERP", _LOADER),
        ("/usr/bin/mawk", libc, "DT_NEEDED", "libc.so.6"),
        (libc, loader, "DT_NEEDED", "ld-linux-x86-64.so.2"),
    }
    assert _edges("static") == set()


def test_a_script() -> None:
    """A script brings its interpreter, and what env starts, each with its own libraries."""
    edges = _edges("nested")
    scripts = {edge[:3] for edge in edges if edge[2] == "#!"}
    assert scripts == {
        ("/usr/bin/nested", "/usr/bin/script", "#!"),
        ("/usr/bin/script", "/usr/bin/env", "#!"),
        ("/usr/bin/script", "/usr/bin/mawk", "#!"),
    }
    assert edges >= _edges("mawk") | _edges("env")
    links = {(use.link.path, use.leads_to) for use in _gathered("nested").closure().links}
    assert ("/bin", "/usr/bin/script") in links
    assert ("/usr/bin/awk", "/usr/bin/mawk") in links


def test_adding_again_changes_nothing() -> None:
    """The same program twice, or in another order, is the same closure."""
    once, twice = _gathered("nested", "mawk").closure(), _gathered("mawk", "nested", "mawk")
    assert twice.closure().files.keys() == once.files.keys()
    assert set(twice.closure().edges) == set(once.edges)
    assert len(twice.closure().programs) == 2
    assert set(twice.loads()) >= {"/usr/bin/mawk"}


@pytest.mark.parametrize(
    ("name", "chain", "lacks", "kind", "why"),
    [
        (
            "bad",
            ("/usr/bin/bad", "/usr/lib64/libbad.so"),
            "libgone.so.1",
            EdgeKind.NEEDED,
            "not found",
        ),
        (
            "by-bad",
            ("/usr/bin/by-bad", "/usr/bin/bad", "/usr/lib64/libbad.so"),
            "libgone.so.1",
            EdgeKind.NEEDED,
            "not found",
        ),
        ("lost", ("/usr/bin/lost",), "nothing", EdgeKind.SCRIPT, "no such program: nothing"),
        ("away", ("/usr/bin/away",), "/opt/tool", EdgeKind.SCRIPT, "no such program: /opt/tool"),
    ],
)
def test_what_lacks(
    name: str, chain: tuple[str, ...], lacks: str, kind: EdgeKind, why: str
) -> None:
    """What no rule finds is kept, with the chain from the program to who asked."""
    (lacking,) = _gathered(name).closure().lacking
    assert (lacking.chain, lacking.name, lacking.kind, lacking.why) == (chain, lacks, kind, why)


def test_no_loader() -> None:
    """A program whose interpreter is not there lacks it."""
    lacking = _gathered("no-loader").closure().lacking
    assert ("/lib/ld-none.so", EdgeKind.INTERPRETER) in {(one.name, one.kind) for one in lacking}


def test_scripts_that_name_each_other() -> None:
    """Two scripts that are each other's interpreter are told, and do not go on for ever."""
    closure = _gathered("one").closure()
    assert {edge.target for edge in closure.edges} == {"/usr/bin/two"}
    (lacking,) = closure.lacking
    assert (lacking.chain, lacking.name) == (("/usr/bin/one", "/usr/bin/two"), "/usr/bin/one")
    assert lacking.why == "the scripts lead round in a circle"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("text", ElfError, "/usr/bin/text is neither an ELF file nor a script"),
        ("broken", ElfError, "/usr/bin/broken: truncated in the ELF identification"),
        ("nothing", MissingError, "no such program: /usr/bin/nothing"),
    ],
)
def test_no_program(name: str, error: type[RootgenError], message: str) -> None:
    """What is asked for and is no program is an error; brought as data, text is fine."""
    with pytest.raises(error) as caught:
        _gathered(name)
    assert caught.value.what == message


def test_lenient() -> None:
    """A text that a profile brings is data; a script among its files may lack its interpreter."""
    gathering = Gathering(System(ROOT))
    for name in ("text", "away", "lost"):
        gathering.add(name, f"/usr/bin/{name}", lenient=True)
    assert not gathering.closure().lacking
    assert "/usr/bin/text" in gathering.closure().files


def test_close() -> None:
    """`close` is the closure of pairs of a name and a path."""
    closure = close(System(ROOT), [("awk", "/bin/awk"), ("static", "/usr/bin/static")])
    assert [(one.name, one.opened, one.path) for one in closure.programs] == [
        ("awk", "/bin/awk", "/usr/bin/mawk"),
        ("static", "/usr/bin/static", "/usr/bin/static"),
    ]
