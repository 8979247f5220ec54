"""Plans divided into layers that are shared by images, and stay as they are from build to build.

What cannot be parted is an *atom*: a file, its other names, the symbolic links
that lead to it, with the directories that they are in. Atoms that are for the
same (``role``) and that the same images have are a *group*. Groups become
layers, then the largest atoms alone, as long as there is room; what is left of
an image is its last layer. docs/layering.md argues why.
"""

from __future__ import annotations

import os

from rootgen.layer.role import Role, role_of
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind, ReasonKind
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rootgen.plan.entry import Entry

# A layer costs its directories again and a request of its own: smaller files are not worth it.
_LARGE = 256 << 10
_REST = "rest"


class Part(NamedTuple):
    """What one layer is to hold: ``label`` names it from build to build, ``words`` for people."""

    label: str
    words: str
    plan: Plan


class Previous(NamedTuple):
    """How it was divided before: the labels of the layers, and the paths that were there."""

    labels: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()


NOTHING = Previous()


class _Atom(NamedTuple):
    """``path`` is its file's first name; ``images`` are the Plans that have the same, by index."""

    path: str
    role: Role
    images: tuple[int, ...]
    size: int


class _Layer(NamedTuple):
    """A layer that there may be; ``alone``: it is one large file's."""

    label: str
    words: str
    atoms: tuple[_Atom, ...]
    alone: bool = False

    @property
    def images(self) -> tuple[int, ...]:
        return self.atoms[0].images

    @property
    def role(self) -> Role:
        return self.atoms[0].role

    @property
    def size(self) -> int:
        return sum(atom.size for atom in self.atoms)

    @property
    def weight(self) -> int:
        """The bytes that images share by it; of a file alone, all that need not be sent again."""
        return self.size * (len(self.images) - (not self.alone))


def split(
    plans: Sequence[Plan], names: Sequence[str], count: int, previous: Previous = NOTHING
) -> tuple[tuple[Part, ...], ...]:
    """Return for each of ``plans`` its parts, ``count`` of them at most, the lowest first.

    The plans are images to be built together, called ``names``; their files
    have digests. The parts of a plan unite to it, and share nothing but
    directories; each has the directories that its entries are in. Where one
    file's content changed since ``previous``, and no path, one part differs.
    """
    divided = [_atoms(plan) for plan in plans]
    atoms = _united(plans, divided)
    layers = [*_groups(atoms, names), *_alone(atoms, names, previous)]
    layers.sort(key=lambda one: _urgency(one, previous))
    chosen = _chosen(layers, [count - 1] * len(plans))
    return tuple(
        tuple(_parts(index, plan, own, chosen))
        for index, (plan, own) in enumerate(zip(plans, divided, strict=True))
    )


def _atoms(plan: Plan) -> dict[str, list[Entry]]:
    """Return what cannot be parted, by the path of its file; directories are of none."""
    atoms: dict[str, list[Entry]] = {}
    for entry in plan.entries():
        if entry.kind is not EntryKind.DIRECTORY:
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


def _united(plans: Sequence[Plan], divided: Sequence[dict[str, list[Entry]]]) -> list[_Atom]:
    """Return the atoms of all plans, each once for all that have the same."""
    same: dict[tuple[str, tuple[Entry, ...]], list[int]] = {}
    for index, (plan, atoms) in enumerate(zip(plans, divided, strict=True)):
        for path, entries in atoms.items():
            whole = (*entries, *_above(entries, plan))
            key = tuple(one._replace(reasons=(), content=None) for one in whole)
            same.setdefault((path, key), []).append(index)
    united = []
    for (path, key), images in same.items():
        role = min(_role(path, divided[index][path]) for index in images)
        united.append(_Atom(path, role, tuple(images), sum(one.size for one in key)))
    return united


def _role(path: str, entries: Sequence[Entry]) -> Role:
    return role_of(next((one for one in entries if one.path == path), entries[0]))


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


def _groups(atoms: Iterable[_Atom], names: Sequence[str]) -> Iterator[_Layer]:
    """Give what is for the same, and what the same images have; one's own files are the rest."""
    groups: dict[tuple[Role, tuple[int, ...]], list[_Atom]] = {}
    for atom in atoms:
        if atom.role is not Role.OWN or len(atom.images) > 1:
            groups.setdefault((atom.role, atom.images), []).append(atom)
    for (role, images), members in groups.items():
        whose = _whose(images, names)
        words = f"{role.words} of {whose}" if whose else role.words
        yield _Layer(f"{role.name.lower()}:{whose}", words, tuple(members))


def _whose(images: Sequence[int], names: Sequence[str]) -> str:
    """Say which of several images a layer is of."""
    return ",".join(names[index] for index in images) if len(names) > 1 else ""


def _alone(atoms: Iterable[_Atom], names: Sequence[str], previous: Previous) -> Iterator[_Layer]:
    """Give large files; of those that were there before, only what was alone then.

    Not those of the C library: its files change together, and are worth one layer.
    """
    for atom in atoms:
        if atom.role is Role.LIBC:
            continue
        label = f"file:{_whose(atom.images, names)}:{atom.path}"
        fresh = atom.size >= _LARGE and atom.path not in previous.paths
        # A label is JSON, which others read: no name that is not UTF-8.
        if (fresh or label in previous.labels) and atom.path.isprintable():
            yield _Layer(label, atom.path, (atom,), alone=True)


def _urgency(one: _Layer, previous: Previous) -> tuple[bool, int, int, int, str]:
    """Return what layers are chosen by: as before; groups, files, small groups; what saves most."""
    kind = 1 if one.alone else 2 * (one.size < _LARGE)
    return one.label not in previous.labels, kind, -one.weight, one.role, one.label


def _chosen(layers: Iterable[_Layer], room: list[int]) -> list[_Layer]:
    """Return the layers that there is room for in all their images, without what is elsewhere.

    A file is not taken from a group of which it is all that is left.
    """
    groups: dict[tuple[Role, tuple[int, ...]], set[_Atom]] = {}
    taken: set[_Atom] = set()
    chosen: list[_Layer] = []
    for one in layers:
        key = (one.role, one.images)
        left = groups.get(key, set()) - taken if one.alone else set(one.atoms) - taken
        if any(room[image] == 0 for image in one.images) or len(left) == one.alone:
            continue
        for image in one.images:
            room[image] -= 1
        chosen.append(one)
        if one.alone:
            taken.update(one.atoms)
        else:
            groups[key] = left
    kept = (
        one if one.alone else one._replace(atoms=tuple(a for a in one.atoms if a not in taken))
        for one in chosen
    )
    return sorted(kept, key=lambda one: (-len(one.images), one.role, not one.alone, one.label))


def _parts(
    index: int, plan: Plan, atoms: dict[str, list[Entry]], chosen: Sequence[_Layer]
) -> Iterator[Part]:
    """Give the parts of one image: its layers, and the rest, with directories of no file."""
    rest = dict(atoms)
    for layer in chosen:
        if index in layer.images:
            entries = [entry for atom in layer.atoms for entry in rest.pop(atom.path)]
            yield Part(layer.label, layer.words, Plan([*_above(entries, plan), *entries]))
    left = [entry for entries in rest.values() for entry in entries]
    above = {entry.path for entry in _above((e for own in atoms.values() for e in own), plan)}
    directories = [
        entry
        for entry in plan.entries()
        if entry.kind is EntryKind.DIRECTORY and entry.path not in above
    ]
    if left or directories:
        roles = sorted({_role(path, entries) for path, entries in rest.items()})
        words = ", ".join(role.words for role in roles) or "directories"
        every = {entry.path: entry for entry in (*directories, *left)}
        every |= {entry.path: entry for entry in _above(list(every.values()), plan)}
        yield Part(_REST, words, Plan(every.values()))
