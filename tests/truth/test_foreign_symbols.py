"""``deps --format ldd --symbols`` of other architectures, against their own loaders under qemu."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from rootgen.api.deps import Asked, DepsResult, Resolver
from rootgen.report.deps_lacks import undefined_words
from rootgen.report.deps_ldd import ldd_answer
from tests.truth.architecture import ARCHITECTURES
from tests.truth.foreign import PACKAGES, elf_files, run_all, sysroot
from tests.truth.test_ldd import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.truth.architecture import Architecture

# Big-endian with DT_HASH in words of eight bytes; 32 bits with relocations without addends.
SAMPLE = ("i386", "s390x")
# What ldd -r tells a loader (its try_trace).
_AS_LDD = [
    word
    for variable in ("LD_TRACE_LOADED_OBJECTS=1", "LD_WARN=yes", "LD_BIND_NOW=yes")
    for word in ("-E", variable)
]


def _without_vdso(lines: Iterable[str]) -> list[str]:
    # qemu has one for some architectures and not for others.
    return [one for one in lines if "vdso" not in one and "linux-gate" not in one]


def _compare(architecture: Architecture, step: int) -> str:
    """Compare one in ``step`` files of the architecture's root; return the figure."""
    root = sysroot(architecture, PACKAGES)
    resolver = Resolver(Asked(root, by_name=True, symbols=True, versions=True))
    files = sorted(set(elf_files(root)))[::step]
    results = [
        one
        for one in resolver.each(files)
        if isinstance(one, DepsResult) and one.load.objects[0].facts.dynamic
    ]
    commands = [[*_AS_LDD, architecture.loader, one.path] for one in results]
    symbols = killed = 0
    differing: list[str] = []
    for result, done in zip(results, run_all(root, commands), strict=True):
        said = [*masked(done.output).splitlines(), *done.errors.splitlines()]
        theirs = {one for one in said if one.endswith(")") and not one.startswith("\t")}
        mine = {f"{undefined_words(one)}\t({one.object})" for one in result.undefined or ()}
        symbols += len(theirs)
        loader = resolver.usual_loader(result.load.objects[0].facts)
        answer = ldd_answer(result.path, result.load, loader, result.versions or ())
        listed = _without_vdso(one for one in said if one.startswith("\t"))
        if done.status == -signal.SIGSEGV and theirs < mine:
            # loong64's loader dies of a thread's variable that is not defined: of what it came to.
            killed += 1
            mine = theirs
        if mine != theirs or _without_vdso(answer.lines) != listed:
            differing.append(f"{result.path}: ours {mine} {answer.lines}, theirs {said}")
    assert not differing, "\n".join(differing)
    assert len(results) > 10
    assert killed < len(results) / 10
    what = f"{len(results)} files with {symbols} undefined symbols"
    what += f", {killed} up to where it was killed," if killed else ""
    return f"{architecture.name}: {what} compared with ldd -r of that architecture: 0 differences"


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample(name: str, record_property: Callable[[str, object], None]) -> None:
    """A part of the files."""
    record_property("figure", _compare(ARCHITECTURES[name], 40))


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_at_length(name: str, record_property: Callable[[str, object], None]) -> None:
    """Every other file of every architecture."""
    record_property("figure", _compare(ARCHITECTURES[name], 2))
