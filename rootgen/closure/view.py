"""The closure as a networkx graph: the one door to networkx, for what asks for analysis."""

from __future__ import annotations

from itertools import islice

import networkx

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Retained(NamedTuple):
    """What would go with ``path``: how many files, itself included, and their bytes.

    ``through`` is the nearest other node without which it would go, "" for none.
    """

    path: str
    through: str
    files: int
    size: int


def chains(
    pairs: Iterable[tuple[str, str]], sources: Collection[str], target: str, most: int = 64
) -> list[list[str]]:
    """Return every shortest chain from any of ``sources`` to ``target``, sorted.

    ``pairs`` are (from, to) edges. Only the chains of the nearest sources
    are kept, and no more than ``most`` (there may be more than can be
    counted); the list is empty where there is none.
    """
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from(pairs)
    if target not in graph:
        return [[target]] if target in sources else []
    backwards = graph.reverse(copy=False)
    distances = dict(networkx.single_source_shortest_path_length(backwards, target))
    near = [source for source in sources if source in distances]
    nearest = min((distances[source] for source in near), default=0)
    found: list[list[str]] = []
    for source in near:
        if distances[source] == nearest and len(found) < most:
            paths = networkx.all_shortest_paths(graph, source, target)
            found.extend(islice(paths, most - len(found)))
    return sorted(found)


def only_through(
    pairs: Iterable[tuple[str, str]], sources: Iterable[str], target: str
) -> frozenset[str]:
    """Return what no source would reach any more if ``target`` went, ``target`` included.

    These are the nodes that ``target`` dominates in the graph with one root
    above all sources.
    """
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from(pairs)
    graph.add_nodes_from(sources)
    roots = [source for source in sources if source != target]
    before = _reached(graph, [*roots, target])
    graph.remove_node(target)
    return frozenset(before - _reached(graph, roots))


def dominators(
    pairs: Iterable[tuple[str, str]], sources: Iterable[str], sizes: Mapping[str, int]
) -> list[Retained]:
    """Return for each node that the sources reach what only it brings, the most bytes first.

    A node dominates another if every way from a source leads through it:
    what it dominates, ``only_through`` would give as well, is its subtree in
    the tree of immediate dominators (Cooper, Harvey and Kennedy, "A Simple,
    Fast Dominance Algorithm").
    """
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from(pairs)
    graph.add_edges_from(("", source) for source in sources)
    if "" not in graph:
        return []
    above = networkx.immediate_dominators(graph, "")
    # What the root's own entry is differs between versions of networkx.
    above.pop("", None)
    tree: networkx.DiGraph[str] = networkx.DiGraph()
    tree.add_edges_from((parent, path) for path, parent in above.items())
    counts = dict.fromkeys(tree, 1)
    totals = {path: sizes.get(path, 0) for path in tree}
    for path in networkx.dfs_postorder_nodes(tree, ""):
        if path:
            counts[above[path]] += counts[path]
            totals[above[path]] += totals[path]
    found = [Retained(path, above[path], counts[path], totals[path]) for path in above]
    return sorted(found, key=lambda one: (-one.size, one.path))


def _reached(graph: networkx.DiGraph[str], roots: Iterable[str]) -> set[str]:
    # One node above them all: each edge is followed once, however many roots there are.
    graph.add_edges_from(("", root) for root in roots)
    reached: set[str] = networkx.descendants(graph, "") if "" in graph else set()
    graph.remove_nodes_from([""])
    return reached
