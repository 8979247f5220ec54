"""The closure of programs as a graph: every file they load, and the reason for each edge."""

from __future__ import annotations

from enum import Enum

from rootgen.ldso.load import How
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Found, Link


class EdgeKind(Enum):
    """What made one file bring another."""

    NEEDED = "DT_NEEDED"
    AUXILIARY = "DT_AUXILIARY"
    FILTER = "DT_FILTER"
    INTERPRETER = "PT_INTERP"
    PRELOAD = "ld.so.preload"
    DLOPEN = ".note.dlopen"
    SCRIPT = "#!"


class Edge(NamedTuple):
    """``source`` brings ``target``; both are real paths.

    ``name`` is what was asked for (a DT_NEEDED string, a PT_INTERP path, a
    ``#!`` word), ``opened`` the path it was found by, ``how`` and ``via``
    the search rule and the path element (``ldso.load.How``).
    """

    source: str
    target: str
    kind: EdgeKind
    name: str
    opened: str
    how: str = ""
    via: str = ""


class ClosureFile(NamedTuple):
    """One file of the closure: where it really is, and its ELF facts (None: a script)."""

    found: Found
    facts: ElfFacts | None


class Program(NamedTuple):
    """One program asked for: the name as given, the path it was found at, the real path."""

    name: str
    opened: str
    path: str


class LinkUse(NamedTuple):
    """A symbolic link that a lookup went through, and the real path it led to."""

    link: Link
    leads_to: str


class Lacking(NamedTuple):
    """A name that was not found: the chain of paths from the program to the requester."""

    chain: tuple[str, ...]
    name: str
    kind: EdgeKind
    searched: tuple[str, ...]
    why: str


class Closure(NamedTuple):
    """What programs load: files by real path, edges, links gone through, what lacks.

    ``unexamined`` are programs that are neither ELF nor a script with an
    interpreter line (data asked for by name).
    """

    programs: tuple[Program, ...]
    files: Mapping[str, ClosureFile]
    edges: tuple[Edge, ...]
    links: tuple[LinkUse, ...]
    lacking: tuple[Lacking, ...]


def edges_of(load: Load) -> Iterator[Edge]:
    """Return an edge for each need of a process that found its object, in the loader's order."""
    for need in load.needs:
        if need.target is None:
            continue
        source, target = load.objects[need.requester], load.objects[need.target]
        how = "" if target.how is How.INTERPRETER else target.how.value
        kind = EdgeKind(need.kind.value)
        yield Edge(
            source.found.path, target.found.path, kind, need.name, target.path, how, target.via
        )
