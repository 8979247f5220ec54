"""The closure as a networkx graph: the one door to networkx, for what asks for analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.closure.graph import Closure


def graph_of(closure: Closure) -> networkx.MultiDiGraph[str]:
    """Return the closure as a graph: nodes are real paths, each edge holds its ``Edge``."""
    graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    graph.add_nodes_from(closure.files)
    for edge in closure.edges:
        graph.add_edge(edge.source, edge.target, edge=edge)
    return graph


def chains(
    pairs: Iterable[tuple[str, str]], sources: Iterable[str], target: str
) -> list[list[str]]:
    """Return every shortest chain from any of ``sources`` to ``target``, sorted.

    ``pairs`` are (from, to) edges. Only the chains of the nearest sources
    are kept; the list is empty where there is none.
    """
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from(pairs)
    found: list[list[str]] = []
    for source in sources:
        if source == target:
            return [[target]]
        if source in graph and target in graph and networkx.has_path(graph, source, target):
            found.extend(networkx.all_shortest_paths(graph, source, target))
    shortest = min(map(len, found), default=0)
    return sorted(chain for chain in found if len(chain) == shortest)


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


def _reached(graph: networkx.DiGraph[str], roots: Iterable[str]) -> set[str]:
    reached: set[str] = set()
    for root in roots:
        if root in graph and root not in reached:
            reached.add(root)
            reached.update(networkx.descendants(graph, root))
    return reached
