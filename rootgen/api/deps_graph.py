"""What ``deps`` tells of the graph: the chains to an object, what it retains, who needs it."""

from __future__ import annotations

import posixpath
from itertools import pairwise

from rootgen.closure.graph import Closure, Edge
from rootgen.closure.united import Process, unite
from rootgen.elf.reader import is_elf
from rootgen.errors import ElfError, MissingError, RootgenError, SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sysroot.port import Kind
from rootgen.sysroot.program import SEARCH_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rootgen.api.deps import DepsResult, Resolver
    from rootgen.closure.view import Retained
    from rootgen.ldso.load import Load

# Of chains as short there may be more than atoms: these are given.
_MOST = 1000


class Chains(NamedTuple):
    """The shortest ways from one target to an object: none where it does not load it.

    Each is a list of edges, empty where the target is that object itself.
    ``more``: there are more than could be counted out.
    """

    target: str
    path: str
    chains: tuple[tuple[Edge, ...], ...]
    more: bool = False


class Dependent(NamedTuple):
    """A program that needs a library: the names that lead there, the last its own."""

    path: str
    names: tuple[str, ...]


def graph(resolver: Resolver, results: Iterable[DepsResult]) -> Closure:
    """Return what all ``results`` load as one graph."""
    processes = (Process(one.target, one.path, one.script, one.load) for one in results)
    return unite(resolver.root, processes)


def chains_to(resolver: Resolver, results: Sequence[DepsResult], name: str) -> list[Chains]:
    """Return the shortest chains from each of ``results`` to ``name``, a soname or a path.

    Raises MissingError, with the nearest names, where no target has it.
    """
    found = [_chains(resolver, one, name) for one in results]
    if any(one.chains for one in found):
        return found
    from difflib import get_close_matches  # only on the way to an error

    known = {
        other
        for one in results
        for mapped in one.load.objects
        for other in _names(mapped.path, mapped.facts.soname)
    }
    near = get_close_matches(name[:256], sorted(known), n=3, cutoff=0.6)
    who = results[0].target if len(results) == 1 else f"none of the {len(results)} targets"
    what = f"{who} loads no {name}" if len(results) > 1 else f"{who} does not load {name}"
    raise MissingError(what, hint=f"did you mean {', '.join(near)}?" if near else "")


def _names(path: str, soname: str | None) -> set[str]:
    return {posixpath.basename(path), soname or posixpath.basename(path)}


def _chains(resolver: Resolver, result: DepsResult, name: str) -> Chains:
    from rootgen.closure.view import chains  # networkx costs 140 ms

    closure = graph(resolver, [result])
    edges: dict[tuple[str, str], Edge] = {}
    for edge in closure.edges:
        edges.setdefault((edge.source, edge.target), edge)
    wanted = _wanted(resolver, closure, result.load, name)
    for lacking in closure.lacking:
        if name in {lacking.name, posixpath.basename(lacking.name)}:
            source = lacking.chain[-1]
            edge = Edge(source, lacking.name, lacking.kind, lacking.name, "", lacking.why)
            edges.setdefault((source, lacking.name), edge)
            wanted[lacking.name] = None
    start = closure.programs[0].path
    found: list[tuple[Edge, ...]] = []
    for goal in wanted:
        ways = chains(list(edges), [start], goal, most=_MOST + 1)
        found.extend(tuple(edges[pair] for pair in pairwise(way)) for way in ways)
    return Chains(result.target, result.path, tuple(found[:_MOST]), len(found) > _MOST)


def _wanted(resolver: Resolver, closure: Closure, load: Load, name: str) -> dict[str, None]:
    """Return the real paths of the objects that ``name`` may mean."""
    wanted: dict[str, None] = {}
    if "/" in name:
        there = resolver.root.lookup(resolver.path_within(name))
        if there is not None and there.path in closure.files:
            wanted[there.path] = None
    for index in _matching(load, name):
        wanted[load.objects[index].found.path] = None
    return wanted


def _matching(load: Load, name: str) -> set[int]:
    """Return the objects that are ``name``: by path, by SONAME, by what they were asked for as."""
    found = {need.target for need in load.needs if need.name == name and need.target is not None}
    for index, mapped in enumerate(load.objects):
        real = mapped.found.path
        known = {mapped.path, real, posixpath.basename(real), posixpath.basename(mapped.path)}
        if name in known or name == mapped.facts.soname:
            found.add(index)
    return found


def retained(resolver: Resolver, results: Sequence[DepsResult]) -> list[Retained]:
    """Return what would leave the closure of ``results`` with each object, the most bytes first."""
    from rootgen.closure.view import dominators  # networkx costs 140 ms

    closure = graph(resolver, results)
    return dominators(
        [(edge.source, edge.target) for edge in closure.edges],
        [program.path for program in closure.programs],
        {path: file.found.node.size for path, file in closure.files.items()},
    )


def dependents(
    resolver: Resolver,
    library: str,
    *,
    files: Sequence[str] = (),
    directories: Sequence[str] = (),
) -> Iterator[Dependent]:
    """Give each program that needs ``library``, directly or not.

    Programs are ``files``, or those of ``directories`` (default: the root's
    PATH). A program of a directory is an ELF file that may be executed; each is given once, however
    many directories lead to it. Raises SysrootError for what is no directory.
    """
    real = library
    if "/" in library:
        there = resolver.root.lookup(resolver.path_within(library))
        if there is None:
            raise MissingError(f"no such library: {library}")
        real = there.path
    for path, load in _loads(resolver, files, directories):
        goals = _matching(load, real) - {0}
        if goals:
            yield Dependent(path, _way(load, goals))


def _loads(
    resolver: Resolver, files: Sequence[str], directories: Sequence[str]
) -> Iterator[tuple[str, Load]]:
    if files:
        for file in files:
            result = resolver.resolve(file)
            yield result.path, result.load
        return
    for path in _programs(resolver, directories):
        try:
            yield path, resolver.load(path)
        except (ElfError, SysrootError):
            # Malformed, or for reading by its owner alone: nothing can be said of it.
            continue


def _programs(resolver: Resolver, directories: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for directory in directories or SEARCH_PATH:
        there = resolver.root.lookup(resolver.path_within(directory))
        if there is None or there.node.kind is not Kind.DIRECTORY:
            if directories:
                raise SysrootError(f"{directory} is no directory")
            continue
        for name in resolver.root.names(there.path):
            found = resolver.root.lookup(f"{there.path.rstrip('/')}/{name}")
            if found is None or found.node.kind is not Kind.FILE or not found.node.mode & 0o111:
                continue
            if found.path not in seen and _is_program(resolver, found.path):
                seen.add(found.path)
                yield f"{directory.rstrip('/')}/{name}"


def _is_program(resolver: Resolver, path: str) -> bool:
    try:
        with resolver.root.open(path) as file:
            return is_elf(file.pread(4, 0))
    except RootgenError:
        return False


def _way(load: Load, goals: set[int]) -> tuple[str, ...]:
    """Return the names on a shortest way from the program to one of ``goals``."""
    below: dict[int, list[tuple[int, str]]] = {}
    for need in load.needs:
        if need.target is not None:
            below.setdefault(need.requester, []).append((need.target, need.name))
    ways: dict[int, tuple[str, ...]] = {0: ()}
    queue = [0]
    for index in queue:
        for target, name in below.get(index, ()):
            if target not in ways:
                ways[target] = (*ways[index], name)
                queue.append(target)
            if target in goals:
                return ways[target]
    return ()
