"""Plans divided into layers that are shared by images, and stay as they are from build to build.

What cannot be parted is an *atom*: a file, its other names, the symbolic links
that lead to it, with the directories that they are in. Atoms that change
together (``unit``) and that the same images have are a *unit*. There are more
units than an image can have layers: two layers become one, again and again,
each time the two that cost least together, in bytes stored and bytes sent
again. docs/layering.md argues why.
"""

from __future__ import annotations

import os
from itertools import combinations

from rootgen.layer.unit import Unit, unit_of
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind, ReasonKind
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rootgen.plan.entry import Entry

    Previous = Sequence[Sequence[frozenset[str]]]

# Of an image's layers, so many of the lightest are tried with each other.
_TRIED = 24
# What a unit that is a layer by itself is worth, in times that its bytes are sent: an image that is
# not known here may have the same; less so where several are known. Measured (docs/layering.md).
_BY_ITSELF, _AMONG_SEVERAL = 10, 3
_TOLD = 3


class Part(NamedTuple):
    """What one layer is to hold: ``units`` name it from build to build, ``words`` for people."""

    units: frozenset[str]
    words: str
    plan: Plan


class _Piece(NamedTuple):
    """A unit as it is in some of the images; ``atoms`` are the paths of its files."""

    name: str
    atoms: tuple[str, ...]
    size: int
    rate: int


class _Layer(NamedTuple):
    """Pieces that ``images`` (indexes) have as one; ``fresh``: there was none of it before."""

    pieces: tuple[_Piece, ...]
    images: frozenset[int]
    fresh: bool
    size: int
    rate: int

    def name(self) -> str:
        """Return the name of its first unit, which no other layer of an image has."""
        return self.pieces[0].name


def split(
    plans: Sequence[Plan],
    names: Sequence[str],
    count: int,
    previous: Previous = (),
    origins: Sequence[Mapping[str, str]] = (),
) -> tuple[tuple[Part, ...], ...]:
    """Return for each of ``plans`` its parts, ``count`` of them at most, the lowest first.

    The plans are images to be built together, called ``names``; their files
    have digests. ``origins`` says of each plan's files what each was built
    from, as far as that is known; ``previous`` what units each layer had
    before. The parts of a plan unite to it, and share nothing but
    directories; each has the directories that its entries are in. Where one
    file's content changed, one part differs.
    """
    divided = [_atoms(plan) for plan in plans]
    pieces = _pieces(plans, names, divided, origins or [{}] * len(plans))
    layers = _few(_begun(pieces, previous), len(plans), count)
    # An engine unpacks anew what lies over a layer that changed.
    layers.sort(key=lambda one: (-len(one.images), one.rate, one.name(), sorted(one.images)))
    return tuple(
        tuple(_part(one, plan, own) for one in layers if index in one.images)
        for index, (plan, own) in enumerate(zip(plans, divided, strict=True))
    )


def _atoms(plan: Plan) -> dict[str, list[Entry]]:
    """Return what cannot be parted, by the path of its file; a directory if nothing is in it."""
    atoms: dict[str, list[Entry]] = {}
    above = {entry.path.rpartition("/")[0] or "/" for entry in plan.entries() if entry.path != "/"}
    for entry in plan.entries():
        if entry.kind is not EntryKind.DIRECTORY or entry.path not in above:
            atoms.setdefault(_file_of(entry, plan), []).append(entry)
    return atoms


def _file_of(entry: Entry, plan: Plan) -> str:
    """Return the path of the file that an entry is a name of, or leads to; else its own."""
    if entry.kind is EntryKind.HARDLINK:
        return entry.target
    if entry.kind is EntryKind.SYMLINK:
        leads = {one.by for one in entry.reasons if one.kind is ReasonKind.LINK}
        to = plan.get(min(leads)) if len(leads) == 1 else None
        text = os.path.join(os.path.dirname(entry.path), entry.target)
        way = plan.get(os.path.normpath(text))
        # A link of a whole directory (/bin, /lib64) is no file's own.
        if to is not None and not (way is not None and way.kind is EntryKind.DIRECTORY):
            if to.kind is EntryKind.HARDLINK:
                return to.target
            if to.kind is EntryKind.FILE:
                return to.path
    return entry.path


def _pieces(
    plans: Sequence[Plan],
    names: Sequence[str],
    divided: Sequence[dict[str, list[Entry]]],
    origins: Sequence[Mapping[str, str]],
) -> dict[_Piece, frozenset[int]]:
    """Return the units of all plans, and which plans have each."""
    # Reasons are no part of a layer's bytes; where content comes from is said by its digest.
    same: dict[tuple[str, tuple[Entry, ...]], list[int]] = {}
    for index, (plan, atoms) in enumerate(zip(plans, divided, strict=True)):
        for path, entries in atoms.items():
            whole = (*entries, *_above(entries, plan))
            key = tuple(one._replace(reasons=(), content=None) for one in whole)
            same.setdefault((path, key), []).append(index)
    units: dict[tuple[Unit, tuple[int, ...]], list[tuple[str, int]]] = {}
    for (path, key), images in same.items():
        files = ((index, _main(path, divided[index][path])) for index in images)
        unit = min(unit_of(one, origins[index].get(path, "")) for index, one in files)
        size = sum(one.size for one in key)
        units.setdefault((unit, tuple(images)), []).append((path, size))
    pieces = {}
    for (unit, whose), members in units.items():
        at = f"@{','.join(names[index] for index in whose)}" if len(names) > 1 else ""
        paths = tuple(path for path, _ in members)
        piece = _Piece(f"{unit.name}{at}", paths, sum(size for _, size in members), unit.rate)
        pieces[piece] = frozenset(whose)
    return pieces


def _main(path: str, entries: Sequence[Entry]) -> Entry:
    """Return the file of an atom; where that is not in the Plan, what names it."""
    return next((one for one in entries if one.path == path), entries[0])


def _above(entries: Iterable[Entry], plan: Plan) -> list[Entry]:
    """Return the directories that ``entries`` are in, as ``plan`` has them."""
    above: dict[str, Entry] = {}
    for entry in entries:
        path = entry.path
        while path != "/":
            path = path.rpartition("/")[0] or "/"
            if path in above:
                break
            there = plan.get(path)
            if there is not None:
                above[path] = there
    return list(above.values())


def _layer(pieces: Iterable[_Piece], images: frozenset[int], *, fresh: bool) -> _Layer:
    ordered = tuple(sorted(pieces))
    size = sum(piece.size for piece in ordered)
    return _Layer(ordered, images, fresh, size, sum(piece.rate for piece in ordered))


def _begun(pieces: dict[_Piece, frozenset[int]], previous: Previous) -> list[_Layer]:
    """Return the layers as they were, of what is still there, and each other unit by itself."""
    named = {piece.name: piece for piece in pieces}
    left = {piece: set(images) for piece, images in pieces.items()}
    had: dict[frozenset[str], set[int]] = {}
    for index, layers in enumerate(previous):
        for units in layers:
            had.setdefault(units, set()).add(index)
    begun = []
    for units, images in sorted(had.items(), key=lambda pair: sorted(pair[0])):
        there = [named[name] for name in units if name in named]
        there = [piece for piece in there if images <= left[piece]]
        for piece in there:
            left[piece] -= images
        if there:
            begun.append(_layer(there, frozenset(images), fresh=False))
    rest = ((piece, frozenset(images)) for piece, images in left.items() if images)
    return [*begun, *(_layer((piece,), images, fresh=True) for piece, images in rest)]


def _few(layers: list[_Layer], images: int, count: int) -> list[_Layer]:
    """Return the layers, of which those that cost least together are one, until they are few."""
    worth = _BY_ITSELF if images == 1 else _AMONG_SEVERAL
    while True:
        counts = [sum(index in one.images for one in layers) for index in range(images)]
        over = frozenset(index for index in range(images) if counts[index] > count)
        if not over:
            return layers
        most = max(sorted(over), key=lambda index: counts[index])
        pairs = _pairs([one for one in layers if most in one.images])
        first, second = min(pairs, key=lambda pair: _cost(pair, over, worth))
        layers = list(_joined(layers, first, second, over))


def _pairs(layers: list[_Layer]) -> Iterator[tuple[_Layer, _Layer]]:
    """Give the pairs to choose from: those of the lightest; what is new joins what there was.

    Their order is always the same: of several that cost the same the first is taken.
    """
    layers.sort(key=lambda one: (one.size * one.rate, one.name()))
    fresh = [one for one in layers if one.fresh]
    if fresh and len(fresh) < len(layers):
        return ((one, other) for one in fresh[:_TRIED] for other in layers if one is not other)
    return combinations(layers[:_TRIED], 2)


def _cost(pair: tuple[_Layer, _Layer], over: frozenset[int], worth: int) -> float:
    """Return how many bytes more it takes if two are one, for each layer that there is less.

    A layer is stored once, and sent again each time that one of its units changes.
    """
    first, second = pair
    both = first.images & second.images & over
    more = (first.size + second.size) * (1 + first.rate + second.rate)
    for one in pair:
        if one.images == both:
            more -= one.size * (1 + one.rate)
        if len(one.pieces) == 1:
            more += one.size * worth
    return more / len(both)


def _joined(
    layers: Iterable[_Layer], first: _Layer, second: _Layer, over: frozenset[int]
) -> Iterator[_Layer]:
    """Give the layers with two of them one, in those images that have both and too many."""
    both = first.images & second.images & over
    for one in layers:
        if one is not first and one is not second:
            yield one
        elif one.images != both:
            yield one._replace(images=one.images - both)
    fresh = first.fresh and second.fresh
    yield _layer((*first.pieces, *second.pieces), both, fresh=fresh)


def _part(layer: _Layer, plan: Plan, atoms: dict[str, list[Entry]]) -> Part:
    entries = [entry for piece in layer.pieces for path in piece.atoms for entry in atoms[path]]
    largest = sorted(layer.pieces, key=lambda piece: -piece.size)
    words = list(dict.fromkeys(piece.name.partition("@")[0] for piece in largest))
    more = f" and {len(words) - _TOLD} more" if len(words) > _TOLD else ""
    return Part(
        frozenset(piece.name for piece in layer.pieces),
        f"{', '.join(words[:_TOLD])}{more}",
        Plan([*_above(entries, plan), *entries]),
    )
