"""Symbols that no object of a process defines (glibc ``elf/dl-lookup.c``, as ``ldd -r``)."""

from __future__ import annotations

import os

from rootgen.closure.once import read_once
from rootgen.closure.versions import musl_loader
from rootgen.elf.symbols import Symbols, read_symbols
from rootgen.ldso.load import How, NeedKind
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.elf.symbols import Defined, Wanted
    from rootgen.ldso.load import Load, Mapped
    from rootgen.sysroot.port import Sysroot

# elf/dl-lookup.c, check_match: the numbers of no version, and of the first that there was.
_OLDEST = 2


class Undefined(NamedTuple):
    """A symbol that ``object`` wants, in the ``version`` that it was linked against, or ""."""

    object: str
    name: str
    version: str = ""


class SymbolReader:
    """The symbols of one root's files, each read once."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._read = read_once(sysroot, read_symbols)

    def symbols(self, mapped: Mapped) -> Symbols:
        """Return the symbols of one object; raise ElfError where they are malformed."""
        return self._read(mapped) if mapped.facts.dynamic else Symbols()

    def undefined(self, load: Load) -> tuple[Undefined, ...]:
        """Return what the objects of ``load`` want and none defines, in their order.

        Weak references may stay undefined and are not told.
        """
        versioned = not musl_loader(load)
        scope = [self.symbols(mapped).defined for mapped in _scope(load)]
        found: dict[Undefined, None] = {}
        answers: dict[Wanted, bool] = {}
        for mapped in load.objects:
            for wanted in self.symbols(mapped).wanted:
                answer = answers.get(wanted)
                if answer is None:
                    answer = _is_defined(wanted, scope, versioned=versioned)
                    answers[wanted] = answer
                if not answer:
                    name = os.fsdecode(wanted.name)
                    found[Undefined(mapped.path, name, wanted.version or "")] = None
        return tuple(found)


def _scope(load: Load) -> list[Mapped]:
    """Return the objects that are looked into: the loader only where an object needs it."""
    asked = {need.target for need in load.needs if need.kind is not NeedKind.INTERPRETER}
    return [
        mapped
        for index, mapped in enumerate(load.objects)
        if mapped.how is not How.INTERPRETER or index in asked
    ]


def _is_defined(
    wanted: Wanted, scope: Sequence[Mapping[bytes, Sequence[Defined]]], *, versioned: bool
) -> bool:
    for defined in scope:
        definitions = defined.get(wanted.name)
        if definitions and (not versioned or _matches(wanted.version, definitions)):
            return True
    return False


def _matches(version: str | None, definitions: Sequence[Defined]) -> bool:
    """Tell whether one of an object's ``definitions`` is of ``version`` (check_match)."""
    if version is None:
        if any(one.number <= _OLDEST for one in definitions):
            return True
        # Without a version the default one counts, where there is one alone.
        return sum(not one.hidden for one in definitions) == 1
    return any(
        one.number < 0 or one.version == version or (one.version is None and not one.hidden)
        for one in definitions
    )
