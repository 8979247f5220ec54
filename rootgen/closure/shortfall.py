"""What a process lacks in one root and does not in another: the test of every substitution.

An increment takes libraries from its base, a base is exchanged for a newer
one: in each case a program meets other objects than it was built, or proven,
with. It is held against what it had *before*: names that are not found,
symbol versions (glibc ``elf/dl-version.c``) and symbols that nobody defines,
and objects that belong together.
"""

from __future__ import annotations

import posixpath
from enum import Enum

from rootgen.closure.symbols import SymbolReader
from rootgen.closure.versions import Lack, VersionReader, named_objects
from rootgen.errors import ElfError, SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.ldso.load import Load, Mapped
    from rootgen.sysroot.port import Sysroot

# GLIBC_PRIVATE and its kind: what the objects of one build share, which no other build keeps.
_PRIVATE = "PRIVATE"


class What(Enum):
    """What is short."""

    PROGRAM = "program"
    LIBRARY = "library"
    VERSION = "version"
    SYMBOL = "symbol"
    BUILD = "build"


class Shortfall(NamedTuple):
    """One thing that a process lacks where it is now, and did not lack before.

    ``chain`` are the paths from the program to the object that wants it;
    ``library`` is the name that it asks for, ``provider`` the path that
    answers to it now ("": nothing does), ``name`` the version or the symbol,
    or why the program cannot be started at all. ``before`` is the path that
    answered before.
    """

    what: What
    chain: tuple[str, ...]
    library: str
    provider: str
    name: str
    before: str

    def words(self) -> str:
        """Say it in one line."""
        wants = f"{' → '.join(self.chain)} wants"
        match self.what:
            case What.PROGRAM:
                return f"{' → '.join(self.chain)} cannot be started: {self.name}"
            case What.LIBRARY:
                return f"{wants} {self.library}, which is not found"
            case What.VERSION:
                return f"{wants} {self.name} of {self.library}; {self.provider} has it not"
            case What.SYMBOL:
                return f"{wants} the symbol {self.name}; {self.provider or 'nothing'} has it not"
            case What.BUILD:
                return f"{wants} {self.name} of the {self.library} that it was built with"


class Comparison:
    """Two roots that programs are loaded in, ``before`` and ``after``, each file read once.

    ``is_same`` tells of a real path whether it holds the same bytes in both;
    ``is_of_both`` whether it is of the build that things came from as well
    as of the one that they came to.
    """

    def __init__(
        self,
        before: Sysroot,
        after: Sysroot,
        is_same: Callable[[str], bool],
        is_of_both: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Read nothing yet."""
        self._is_of_both = is_of_both
        self._versions = (VersionReader(before), VersionReader(after))
        self._symbols = (SymbolReader(before), SymbolReader(after))
        self._is_same = is_same

    def shortfalls(self, before: Load, after: Load) -> tuple[Shortfall, ...]:
        """Return what a program lacks in ``after`` and not in ``before``, its two processes."""
        if self._are_same(before, after):
            return ()
        libraries = tuple(_missing(before, after))
        try:
            return (
                *libraries,
                *self._versions_lacking(before, after),
                *self._builds_parted(after),
                *(() if libraries else self._symbols_lacking(before, after)),
            )
        except (ElfError, SysrootError) as error:
            chain = (after.objects[0].path,)
            return (Shortfall(What.PROGRAM, chain, "", "", error.what, ""),)

    def _are_same(self, before: Load, after: Load) -> bool:
        if len(before.missing) < len(after.missing):
            return False
        paths = [mapped.found.path for mapped in after.objects]
        return paths == [mapped.found.path for mapped in before.objects] and all(
            map(self._is_same, paths)
        )

    def _versions_lacking(self, before: Load, after: Load) -> Iterator[Shortfall]:
        lacked = {
            (one.requester, one.version)
            for one in self._versions[0].lacking(before)
            if one.lack is Lack.MISSING
        }
        real = {mapped.path: mapped.found.path for mapped in after.objects}
        for one in self._versions[1].lacking(after):
            known = (one.requester, one.version) in lacked
            # A library that has no versions any more is one of another kind.
            gone = one.lack is Lack.UNVERSIONED and not self._is_same(real[one.provider])
            if known or not (one.lack is Lack.MISSING or gone):
                continue
            name = _asked(after, one.provider)
            chain = _chain(after, one.requester)
            was = _answer(before, name)
            yield Shortfall(What.VERSION, chain, name, one.provider, one.version, was)

    def _builds_parted(self, after: Load) -> Iterator[Shortfall]:
        """Give the objects that share what is private to their build with one of another."""
        named = named_objects(after)
        for mapped in after.objects:
            for need in self._versions[1].versions(mapped).needs:
                provider = named.get(need.file)
                if provider is None or not need.version.endswith(_PRIVATE):
                    continue
                paths = (mapped.found.path, provider.found.path)
                if len({*map(self._is_same, paths)}) > 1 and not any(map(self._is_of_both, paths)):
                    chain = _chain(after, mapped.path)
                    yield Shortfall(
                        What.BUILD, chain, need.file, provider.path, need.version, provider.path
                    )

    def _symbols_lacking(self, before: Load, after: Load) -> Iterator[Shortfall]:
        undefined = self._symbols[1].undefined(after)
        if not undefined:
            return
        lacked = {(one.object, one.name) for one in self._symbols[0].undefined(before)}
        for one in undefined:
            if (one.object, one.name) in lacked:
                continue
            was = self._definer(before, one.name.encode(errors="surrogateescape"))
            library = "" if was is None else _asked(before, was.path)
            yield Shortfall(
                What.SYMBOL,
                _chain(after, one.object),
                library,
                _answer(after, library),
                one.name,
                "" if was is None else was.path,
            )

    def _definer(self, load: Load, name: bytes) -> Mapped | None:
        for mapped in load.objects[1:]:
            if self._symbols[0].symbols(mapped).defined.get(name):
                return mapped
        return None


def _missing(before: Load, after: Load) -> Iterator[Shortfall]:
    known = {one.name for one in before.missing}
    for one in after.missing:
        if one.name not in known:
            chain = _chain(after, after.objects[one.requester].path)
            yield Shortfall(What.LIBRARY, chain, one.name, "", "", _answer(before, one.name))


def _answer(load: Load, name: str) -> str:
    """Return the path that answers to ``name`` in a process, or ""."""
    for need in load.needs:
        if need.target is not None and name in {need.name, posixpath.basename(need.name)}:
            return load.objects[need.target].path
    return ""


def _asked(load: Load, path: str) -> str:
    """Return the name by which the object at ``path`` was asked for."""
    for need in load.needs:
        if need.target is not None and load.objects[need.target].path == path:
            return posixpath.basename(need.name)
    return posixpath.basename(path)


def _chain(load: Load, path: str) -> tuple[str, ...]:
    """Return the paths from the program to the object at ``path``, by who asked first."""
    index = next((at for at, mapped in enumerate(load.objects) if mapped.path == path), 0)
    parents: dict[int, int] = {}
    for need in load.needs:
        if need.target:
            parents.setdefault(need.target, need.requester)
    chain = [index]
    while chain[-1] != 0 and chain[-1] in parents and parents[chain[-1]] not in chain:
        chain.append(parents[chain[-1]])
    if chain[-1] != 0:
        chain.append(0)
    return tuple(load.objects[step].path for step in reversed(chain))
