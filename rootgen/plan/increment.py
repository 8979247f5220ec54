"""What a wish needs over a base, and nothing that the base has.

The rule: what was asked for by name is that of the root being read; what it
needs is the base's, where that satisfies it: its names are found, and the
symbol versions and symbols that it wants are there. Where they are not, the
increment brings another in its place, and every program of the base that
would meet it is proven again.
"""

from __future__ import annotations

from rootgen.closure.shortfall import Comparison, Shortfall, What
from rootgen.errors import PlanError, RootgenError, SysrootError
from rootgen.ldso.cache import CACHE_PATH
from rootgen.ldso.system import System
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.assemble import Assembly, Wish, assemble
from rootgen.plan.entry import EntryKind, Reason, ReasonKind
from rootgen.plan.ground import Instead, ground_of, joined_cache
from rootgen.plan.loader_cache import cached_names, loader_entries
from rootgen.plan.proof import divergences
from rootgen.plan.proven import Proven, load_of
from rootgen.plan.united import united_plan, with_entries
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from rootgen.plan.as_sysroot import Union
    from rootgen.plan.base import Base
    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan
    from rootgen.plan.united import United
    from rootgen.sysroot.port import OpenFile, Sysroot

    Digest = Callable[[Sysroot, str], str]

_ASKED = {ReasonKind.REQUESTED, ReasonKind.PROFILE, ReasonKind.ADDED}
# Each round brings something more of a finite root; real ones need two or three.
_ROUNDS = 64
_TOLD = 8
_DIRECTORY = EntryKind.DIRECTORY


class Exchange(NamedTuple):
    """A file of the base that the increment brings another of, and why."""

    path: str
    why: str


class Increment(NamedTuple):
    """``plan`` is what is brought, with the directories it is in; ``united`` base and it together.

    ``root`` reads the contents of both.
    """

    plan: Plan
    united: Plan
    programs: tuple[str, ...]
    assembly: Assembly
    root: PlanSysroot
    exchanged: tuple[Exchange, ...]


def increment_of(wish: Wish, base: Base, digest: Digest) -> Increment:
    """Return what ``wish`` needs over ``base``.

    ``digest`` gives the SHA-256 of a file of a root. What is lacking in all
    is in ``assembly.closure.lacking``. Raises PlanError where the base's
    libraries do not satisfy and cannot be replaced, and as ``assemble``.
    """
    return _Increasing(wish, base, digest).run()


class _Increasing:
    """One increment on its way to what changes nothing any more."""

    def __init__(self, wish: Wish, base: Base, digest: Digest) -> None:
        self._records = wish.records  # of what is brought, at the end: not of what the base has
        self._wish = wish = wish._replace(records=False)
        self._base = base
        self._digest = digest
        self._alone = assemble(_lenient(wish))
        self._instead = Instead(wish.sysroot, wish.host, _asked(self._alone.plan))
        self._same: dict[str, bool] = {}
        self._proven = Proven(base.root, base.plan)

    def run(self) -> Increment:
        for _ in range(_ROUNDS):
            root = ground_of(
                self._base, self._wish.sysroot, self._wish.host, self._instead.entries()
            )
            assembly = assemble(self._wish._replace(sysroot=root))
            short = self._shortfalls(assembly, root)
            if short:
                self._replace(short)
                continue
            found = united_plan(self._wish, self._base, assembly, self._instead, root, self._digest)
            found, target = self._cached(found, assembly, root)
            changed = {entry.path for entry in found.plan.entries() if entry.kind is not _DIRECTORY}
            broken = self._proven.shortfalls(target, _outside(changed), self._is_of_both)
            if not broken:
                if self._records:
                    found, target, assembly = self._recorded(found, assembly, root)
                exchanged = tuple(
                    Exchange(path, why)
                    for path, why in sorted(self._instead.why.items())
                    if path in changed
                )
                programs = {one.opened for one in assembly.closure.programs}
                programs.update(self._base.programs)
                return Increment(
                    found.plan, found.united, tuple(sorted(programs)), assembly, target, exchanged
                )
            self._replace_together(broken)
        raise PlanError("the increment and its base do not settle: each change asks for another")

    def _cached(self, found: United, assembly: Assembly, root: Union) -> tuple[United, PlanSysroot]:
        """Return the same with the ld.so.cache that the target needs, and the target.

        Raises PlanError where a program does not find in it what it found.
        """
        target = self._target(found, root)
        if not divergences(assembly.loads, target):
            return found, target
        entries = loader_entries(list(assembly.loads.values()), root)
        wanted = dict(cached_names(assembly.loads.values()))
        joined = joined_cache(self._base.root, root, wanted)
        if joined is not None:
            entries = (*(one for one in entries if one.path != CACHE_PATH), joined)
        found = with_entries(found, entries, self._base)
        target = self._target(found, root)
        remaining = divergences(assembly.loads, target)
        if remaining:
            one = remaining[0]
            raise PlanError(
                f"{one.program} would not load over the base what it should",
                why=tuple(
                    f"{one.name}: {one.wanted or 'nothing'} wanted, {one.got or 'nothing'} found"
                    for one in remaining[:_TOLD]
                ),
                hint="read programs from a root like the base: --sysroot",
            )
        return found, target

    def _recorded(
        self, found: United, assembly: Assembly, root: Union
    ) -> tuple[United, PlanSysroot, Assembly]:
        """Return the same with what scanners read of what is brought."""
        from rootgen.plan.records import records_over

        entries, skipped = records_over(
            self._base, found.plan, self._wish.sysroot, root, self._wish.epoch
        )
        found = with_entries(found, entries, self._base)
        assembly = assembly._replace(skipped=(*assembly.skipped, *skipped))
        return found, self._target(found, root), assembly

    def _target(self, found: United, root: Union) -> PlanSysroot:
        contents = _Contents(found.plan, root, self._base.root)
        return PlanSysroot(found.united, contents, self._wish.host)

    def _shortfalls(self, assembly: Assembly, root: Union) -> list[Shortfall]:
        """Return what the increment's programs lack because an object is the base's."""
        alone = System(self._wish.sysroot, configuration=True)
        comparing = Comparison(self._wish.sysroot, root, self._is_same, self._is_of_both)
        found: list[Shortfall] = []
        for opened, load in assembly.loads.items():
            if self._wish.sysroot.lookup(opened) is None:
                continue
            before = load_of(alone, opened)
            if not isinstance(before, RootgenError):
                found.extend(comparing.shortfalls(before, load))
        return found

    def _is_same(self, path: str) -> bool:
        """Tell whether base and source have the same at ``path``, or the base has nothing."""
        return (
            path in self._instead.entries()
            or self._base.plan.get(path) is None
            or self._is_of_both(path)
        )

    def _is_of_both(self, path: str) -> bool:
        """Tell whether base and source have the same file at ``path``."""
        if path not in self._same:
            mine, theirs = self._base.plan.get(path), self._wish.sysroot.node(path)
            self._same[path] = (
                mine is not None
                and theirs is not None
                and theirs.kind is Kind.FILE
                and mine.kind in {EntryKind.FILE, EntryKind.HARDLINK}
                and _file(mine, self._base.plan).size == theirs.size
                and _file(mine, self._base.plan).sha256 == self._digest(self._wish.sysroot, path)
            )
        return self._same[path]

    def _replace(self, short: list[Shortfall]) -> None:
        """Bring the source's own of what the base's does not satisfy; raise PlanError."""
        progress = False
        for one in short:
            reason = Reason(ReasonKind.NEEDED, one.chain[-1], one.name or one.library)
            for path in (one.provider, one.before):
                progress |= bool(path) and self._instead.take(path, reason, one.words())
        if not progress:
            raise self._refusal("the base's libraries do not satisfy the increment", short)

    def _replace_together(self, broken: list[Shortfall]) -> None:
        """Bring what was built together with what was replaced; refuse what is not safe."""
        progress = False
        for one in broken:
            if one.what is not What.BUILD:
                raise self._refusal("what the increment replaces would break the base", broken)
            reason = Reason(ReasonKind.NEEDED, one.provider, one.name)
            progress |= self._instead.take(one.chain[-1], reason, one.words())
        if not progress:
            raise self._refusal("what the increment replaces would break the base", broken)

    def _refusal(self, what: str, short: list[Shortfall]) -> PlanError:
        lines = list(dict.fromkeys(one.words() for one in short))
        lines += [f"{path} was to be replaced: {why}" for path, why in self._instead.why.items()]
        more = (f"… and {len(lines) - _TOLD} more",) if len(lines) > _TOLD else ()
        return PlanError(
            f"{what} ({self._base.name})",
            why=(*lines[:_TOLD], *more),
            hint="take a newer base, or read programs from a root like it: --sysroot",
        )


class _Contents:
    """Contents of base and increment together, by path."""

    def __init__(self, brought: Plan, root: Union, base: Sysroot) -> None:
        self._brought = brought
        self._root = root
        self._base = base

    def open(self, path: str) -> OpenFile:
        """Open the file at ``path``, whoever it is of."""
        return (self._root if path in self._brought else self._base).open(path)


def _outside(changed: Collection[str]) -> Callable[[str], bool]:
    return lambda path: path not in changed


def _file(entry: Entry, plan: Plan) -> Entry:
    return plan[entry.target] if entry.kind is EntryKind.HARDLINK else entry


def _lenient(wish: Wish) -> Wish:
    """Return what of ``wish`` the source alone has; the base may have the rest."""
    from rootgen.errors import MissingError
    from rootgen.sysroot.program import find_program

    programs = []
    for name in wish.programs:
        try:
            find_program(wish.sysroot, name, explain=False)
        except (MissingError, SysrootError):
            continue
        programs.append(name)
    profile = wish.profile._replace(
        programs=tuple(one._replace(optional=True) for one in wish.profile.programs),
        libraries=tuple(one._replace(optional=True) for one in wish.profile.libraries),
        files=tuple(one._replace(optional=True) for one in wish.profile.files),
    )
    return wish._replace(programs=tuple(programs), profile=profile)


def _asked(plan: Plan) -> dict[str, Entry]:
    """Return what was asked for by name, and the links that lead to it."""
    asked = {
        entry.path
        for entry in plan.entries()
        if entry.kind is not EntryKind.DIRECTORY
        and any(reason.kind in _ASKED for reason in entry.reasons)
    }
    links = {
        entry.path
        for entry in plan.entries()
        if entry.kind is EntryKind.SYMLINK
        and any(reason.kind is ReasonKind.LINK and reason.by in asked for reason in entry.reasons)
    }
    # A link of the whole directory (/bin, /lib64) is the base's own to decide.
    links = {path for path in links if path.count("/") > 1}
    names = {
        entry.path
        for entry in plan.entries()
        if entry.target in asked and entry.kind is EntryKind.HARDLINK
    }
    targets = {plan[path].target for path in asked if plan[path].kind is EntryKind.HARDLINK}
    return {path: plan[path] for path in sorted(asked | links | names | targets)}
