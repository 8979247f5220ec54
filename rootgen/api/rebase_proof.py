"""The increments of an image over another base: what it comes to, and whether it all holds."""

from __future__ import annotations

from rootgen.api.bases import kept_base
from rootgen.errors import MissingError, RootgenError, SysrootError
from rootgen.image.platform import platform_words
from rootgen.image.stack import read_layers
from rootgen.layer.apply import apply_layer
from rootgen.layer.read import Whiteout
from rootgen.layer.reliance import Weight, reliances
from rootgen.ldso.system import System
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.plan.proven import Proven, load_of, started_scripts
from rootgen.rootfs.kept import Kept
from rootgen.sysroot.port import Kind
from rootgen.sysroot.program import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rootgen.api.images import Image
    from rootgen.closure.shortfall import Shortfall
    from rootgen.image.descriptor import Platform
    from rootgen.image.store import Store
    from rootgen.layer.read import Archive
    from rootgen.named import Progress
    from rootgen.plan.base import Base
    from rootgen.plan.entry import Entry
    from rootgen.profile.model import ImageConfig


# What the whole says of itself is written anew.
_OWN = (MANIFEST_PATH,)
_FILES = {EntryKind.FILE, EntryKind.HARDLINK}
_EXECUTABLE = 0o111


class Remark(NamedTuple):
    """What is to be said of ``path``, which ``layer`` has: what made that, or the base's name.

    ``others`` are programs of which the same could be said: they come to the
    same object, and lack what that lacks.
    """

    path: str
    what: str
    layer: str
    others: tuple[str, ...] = ()


class Checked(NamedTuple):
    """A program of the increments: what of the new base it starts with, in the loader's order."""

    path: str
    layer: str
    of_base: tuple[str, ...]


class Proof(NamedTuple):
    """What was asked and found: with ``refusals``, the increments stay where they are.

    ``base_programs`` counts those of the new base that were proven again.
    """

    checked: tuple[Checked, ...] = ()
    base_programs: int = 0
    refusals: tuple[Remark, ...] = ()
    remarks: tuple[Remark, ...] = ()


class Stacks(NamedTuple):
    """An image over its own base, and its increments over another one.

    ``brought`` has what made the layer that each path of the increments is of.
    """

    old_base: Base
    old: Base
    new_base: Base
    new: Base
    brought: Mapping[str, str]


class Increments(NamedTuple):
    """The layers above a base, from the bottom; ``names`` say what made each."""

    archives: tuple[Archive, ...]
    names: tuple[str, ...]


class LayersRead:
    """Layers of images of an open store, each read once, and the files of all of them kept."""

    def __init__(self, store: Store, progress: Progress | None) -> None:
        """Read nothing yet."""
        self._store = store
        self._progress = progress
        self._known: dict[str, Archive] = {}
        self.kept = Kept()

    def archives(self, image: Image) -> tuple[Archive, ...]:
        """Return the layers of an image from the bottom; raise ImageError, LayerError."""
        diff_ids = image.config.diff_ids
        pairs = zip(image.manifest.layers, diff_ids, strict=True)
        lacking = [(layer, diff_id) for layer, diff_id in pairs if diff_id not in self._known]
        read = read_layers(self._store, lacking, progress=self._progress, keep=self.kept.keep)
        for archive in read:
            self.kept.settle(archive)
            self._known[f"sha256:{archive.sha256}"] = archive
        return tuple(self._known[diff_id] for diff_id in diff_ids)

    def base(self, name: str, archives: Sequence[Archive]) -> Base:
        """Return what ``archives`` make, one over the other; raise LayerError, PlanError."""
        plan = Plan()
        for archive in archives:
            plan = apply_layer(plan, archive)
        return kept_base(name, plan, self.kept)


def stack(
    old_base: Base, new_base: Base, increments: Increments, kept: Kept
) -> tuple[Stacks | None, Proof]:
    """Lay ``increments`` over both bases; None where they would do something else over the new one.

    Raises LayerError, PlanError.
    """
    old, new = old_base.plan, new_base.plan
    remarks: list[Remark] = []
    for archive, name in zip(*increments, strict=True):
        found = list(reliances(archive, old, new, ignoring=_OWN))
        conflicts = tuple(
            Remark(one.path, one.what, name) for one in found if one.weight is Weight.CONFLICT
        )
        if conflicts:
            return None, Proof(refusals=conflicts, remarks=tuple(remarks))
        remarks += [Remark(one.path, one.what, name) for one in found]
        old, new = apply_layer(old, archive), apply_layer(new, archive)
    before = kept_base(old_base.name, old, kept)
    after = kept_base(new_base.name, new, kept)
    # The manifest that is in the increments is of the old whole.
    mine = {*before.programs} - {*old_base.programs}
    after = after._replace(programs=tuple(sorted({*new_base.programs, *mine})))
    brought = dict(_brought(increments, after))
    return Stacks(old_base, before, new_base, after, brought), Proof(remarks=tuple(remarks))


def prove(stacks: Stacks, start: ImageConfig, platforms: tuple[Platform, Platform]) -> Proof:
    """Return what was found when every program of ``stacks.new`` was resolved.

    ``start`` is how the image is started, ``platforms`` what the image and
    the new base are for.
    """
    brought = (stacks.old.plan.get(path) for path in stacks.brought)
    own = Proven(
        stacks.old.root, Plan(one for one in brought if one is not None and one.kind in _FILES)
    )
    # A variant is what programs may use, and the loader's checks are about that.
    if own.loads() and platforms[0][:2] != platforms[1][:2]:
        path = next(iter(own.loads()))
        mine, other = map(platform_words, platforms)
        what = f"is for {mine}; {stacks.new_base.name} is for {other}"
        return Proof(refusals=(Remark(path, what, stacks.brought[path]),))
    base = Proven(stacks.new_base.root, stacks.new_base.plan)
    refusals = (
        *_shortfall_remarks(_own_shortfalls(own, stacks), stacks),
        *_shortfall_remarks(_base_shortfalls(base, stacks), stacks),
        *_start_lost(stacks, start),
    )
    links = tuple(_links_lost(stacks))
    return Proof(
        tuple(_checked(own, stacks)),
        len(base.loads()) + len(base.scripts()),
        (*refusals, *(one for one, program in links if program)),
        tuple(one for one, program in links if not program),
    )


def _own_shortfalls(own: Proven, stacks: Stacks) -> list[Shortfall]:
    return own.shortfalls(stacks.new.root, _same(stacks.old.plan, stacks.new.plan))


def _base_shortfalls(base: Proven, stacks: Stacks) -> list[Shortfall]:
    """Return what the increments take from the new base's programs, and did not from the old's."""
    same = _same(stacks.new_base.plan, stacks.new.plan)
    found = base.shortfalls(stacks.new.root, same)
    if not found:
        return []
    before = Proven(stacks.old_base.root, stacks.old_base.plan)
    same = _same(stacks.old_base.plan, stacks.old.plan)
    known = {one.words() for one in before.shortfalls(stacks.old.root, same)}
    return [one for one in found if one.words() not in known]


def _same(one: Plan, other: Plan) -> Callable[[str], bool]:
    """Return what tells of a path whether both Plans have the same file there."""

    def is_same(path: str) -> bool:
        mine, theirs = one.get(path), other.get(path)
        return (
            mine is not None and theirs is not None and _digest(mine, one) == _digest(theirs, other)
        )

    return is_same


def _digest(entry: Entry, plan: Plan) -> str:
    return plan[entry.target].sha256 if entry.kind is EntryKind.HARDLINK else entry.sha256


def _shortfall_remarks(found: list[Shortfall], stacks: Stacks) -> Iterator[Remark]:
    """Say what lacks, once for each object that wants it, and whose it is that has it not."""
    base = stacks.new_base.name
    alike: dict[tuple[object, ...], list[Shortfall]] = {}
    for short in found:
        wanting = _real(short.chain[-1], stacks)
        alike.setdefault((wanting, short.what, short.library, short.name), []).append(short)
    for shorts in alike.values():
        short, words = shorts[0], shorts[0].words()
        if short.provider:
            words += f" (it is of {stacks.brought.get(_real(short.provider, stacks), base)})"
        path = short.chain[0]
        others = tuple(one.chain[0] for one in shorts[1:])
        yield Remark(path, words, stacks.brought.get(path, base), others)


def _real(path: str, stacks: Stacks) -> str:
    found = stacks.new.root.lookup(path)
    return path if found is None else found.path


def _start_lost(stacks: Stacks, start: ImageConfig) -> Iterator[Remark]:
    """Tell where what the image starts with is not there any more."""
    for name in (start.entrypoint or start.command)[:1]:
        if "/" in name and not name.startswith("/"):
            continue  # from a directory that is known when it is started
        try:
            find_program(stacks.old.root, name, explain=False)
        except (MissingError, SysrootError):
            continue
        try:
            find_program(stacks.new.root, name, explain=False)
        except (MissingError, SysrootError) as error:
            yield Remark(name, f"is what the image starts with: {error.what}", stacks.new.name)


def _links_lost(stacks: Stacks) -> Iterator[tuple[Remark, bool]]:
    """Give the links of the increments that lead nowhere now, and whether it was to a program."""
    for path, layer in stacks.brought.items():
        entry = stacks.old.plan.get(path)
        if entry is None or entry.kind is not EntryKind.SYMLINK:
            continue
        found = stacks.old.root.lookup(path)
        if found is None or stacks.new.root.lookup(path) is not None:
            continue
        what = f"leads to {found.path}, which is not there in the new base"
        program = found.node.kind is Kind.FILE and bool(found.node.mode & _EXECUTABLE)
        yield Remark(path, what, layer), program


def _checked(own: Proven, stacks: Stacks) -> Iterator[Checked]:
    system = System(stacks.new.root)
    for path in own.loads():
        load = load_of(system, path)
        objects = () if isinstance(load, RootgenError) else load.objects[1:]
        yield _of_base(path, (one.found.path for one in objects), stacks)
    for path, interpreters in started_scripts(stacks.new.root, own.scripts())[0].items():
        yield _of_base(path, interpreters, stacks)


def _of_base(path: str, paths: Iterable[str], stacks: Stacks) -> Checked:
    of_base = tuple(one for one in paths if one not in stacks.brought)
    return Checked(path, stacks.brought[path], of_base)


def _brought(increments: Increments, whole: Base) -> Iterator[tuple[str, str]]:
    """Give each path that is there and the increments' own, and what made its layer."""
    for archive, name in zip(*increments, strict=True):
        for member in archive.members:
            if isinstance(member, Whiteout) or member.entry.kind is EntryKind.DIRECTORY:
                continue
            path = member.entry.path
            if path not in whole.plan:
                # Put where links lead.
                parent, _, base = path.rpartition("/")
                found = whole.root.lookup(parent or "/")
                path = path if found is None else f"{found.path.rstrip('/')}/{base}"
            if path in whole.plan and path not in _OWN:
                yield path, name
