"""Processes that were resolved one by one, united into one Closure.

Unlike ``resolve``, which finds what programs load, this takes what is known:
``deps`` has asked with its own search path, processor and dlopen notes.
"""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType

from rootgen.closure.graph import (
    Closure,
    ClosureFile,
    Edge,
    EdgeKind,
    Lacking,
    LinkUse,
    Program,
    edges_of,
)
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Found, Sysroot


class Process(NamedTuple):
    """One target: its name, the path it was found at, the interpreters of a script, what loads."""

    name: str
    path: str
    script: tuple[str, ...]
    load: Load


def unite(sysroot: Sysroot, processes: Iterable[Process]) -> Closure:
    """Return the graph of all ``processes``: each file and each edge once."""
    programs: list[Program] = []
    files: dict[str, ClosureFile] = {}
    edges: dict[Edge, None] = {}
    lacking: dict[Lacking, None] = {}
    for process in processes:
        load = process.load
        for mapped in load.objects:
            files[mapped.found.path] = ClosureFile(mapped.found, mapped.facts)
        real = load.objects[0].found.path
        if process.script:
            real = _add_script(sysroot, process, files, edges)
        programs.append(Program(process.name, process.path, real))
        edges.update(dict.fromkeys(edges_of(load)))
        lacking.update(dict.fromkeys(_lacking(load)))
    links = dict.fromkeys(
        LinkUse(link, file.found.path) for file in files.values() for link in file.found.links
    )
    return Closure(
        tuple(programs), MappingProxyType(files), tuple(edges), tuple(links), tuple(lacking)
    )


def _add_script(
    sysroot: Sysroot, process: Process, files: dict[str, ClosureFile], edges: dict[Edge, None]
) -> str:
    """Add the script and what interprets it; return its real path."""
    found: list[tuple[str, Found]] = []
    for path in (process.path, *process.script):
        there = sysroot.lookup(path)
        if there is not None:
            found.append((path, there))
            files.setdefault(there.path, ClosureFile(there, None))
    for (_, before), (path, after) in pairwise(found):
        edges[Edge(before.path, after.path, EdgeKind.SCRIPT, path, path)] = None
    return found[0][1].path if found else process.path


def _lacking(load: Load) -> Iterable[Lacking]:
    for one in load.missing:
        chain = (load.objects[one.requester].found.path,)
        yield Lacking(chain, one.name, EdgeKind(one.kind.value), one.searched, one.why)
