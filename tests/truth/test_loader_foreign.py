"""Whole roots of other architectures: our lists against their own loaders', in order."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from rootgen.elf.facts import ET_DYN, ET_EXEC
from rootgen.errors import ElfError
from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot
from tests.people.command import succeed
from tests.truth.architecture import AMD64, ARCHITECTURES, CROSS, Architecture
from tests.truth.foreign import PACKAGES, elf_files, run_all, sysroot, usual_root, without_cache
from tests.truth.loader import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rootgen.ldso.load import Load


# What is found through RUNPATH and $ORIGIN, or not at all.
PRIVATE = "ffmpeg openjdk-17-jre-headless perl postgresql-15 python3 samba systemd".split()
SAMPLE = ("arm64", "s390x")
# Of qemu: what the loader is told, not qemu itself.
TRACE = ("-E", "LD_TRACE_LOADED_OBJECTS=1")
CPU = {"amd64": ("-cpu", "qemu64")}
# Two architectures in one root, each with programs, and libraries of the same names.
MULTILIB = "bash coreutils curl:i386 file:i386 git libc-bin libzstd1 openssl:i386".split()


class Asked(NamedTuple):
    """One file of a root, our answer for it, and how its own loader is asked."""

    path: str
    load: Load
    command: tuple[str, ...]


def ask(root: str, architecture: Architecture, library_path: str = "") -> Iterator[Asked]:
    """Give every file that a loader of ``architecture`` is for."""
    told = (*CPU.get(architecture.name, ()), *TRACE)
    if library_path:
        told = (*told, "-E", f"LD_LIBRARY_PATH={library_path}")
    system = System(DirectorySysroot(root))
    for path in elf_files(root):
        try:
            load = system.load(path, library_path=(library_path,) if library_path else ())
        except ElfError:
            continue  # an object file, or one that is no program
        facts = load.objects[0].facts
        kind = (facts.machine, facts.elf_class, facts.byte_order)
        if kind != (architecture.machine, architecture.elf_class, architecture.byte_order):
            continue
        if facts.type not in {ET_DYN, ET_EXEC} or not facts.dynamic:
            continue
        if facts.interpreter is not None and os.stat(root + path).st_mode & 0o111:
            yield Asked(path, load, (*told, path))
        elif len(load.objects) > 1:
            yield Asked(path, load, (*told, architecture.loader, path))


def difference(asked: Asked, architecture: Architecture, output: str, errors: str) -> str:
    """Return how our answer differs from the loader's, "" where it does not."""
    truth = parse(output, errors.strip())
    ours = [mapped.path for mapped in asked.load.objects[1:]]
    theirs = list(truth.paths)
    if architecture.loader not in theirs:
        # Where no object names the loader, the trace may not show it.
        theirs.append(architecture.loader)
    missing = [one.name for one in asked.load.missing]
    if ours != theirs or sorted(missing) != sorted(truth.missing):
        return f"{asked.path}: ours {ours} {missing}, the loader's {theirs} {truth}"
    return ""


def compare(root: str, architecture: Architecture, library_path: str = "") -> str:
    """Compare every file of ``root``; return the figure, having asserted that none differs."""
    everything = list(ask(root, architecture, library_path))
    qemu = f"/qemu-{architecture.name}"
    done = run_all(root, [one.command for one in everything], qemu=qemu)
    differences = [
        text
        for asked, answer in zip(everything, done, strict=True)
        if (text := difference(asked, architecture, answer.output, answer.errors))
    ]
    objects = sum(len(one.load.objects) - 1 for one in everything)
    assert not differences, f"{len(differences)}:\n" + "\n".join(differences)
    assert len(everything) > (10 if architecture.cross else 100)
    return (
        f"{architecture.name}: {len(everything)} files with {objects} objects compared with its "
        "own loader: 0 differences"
    )


@pytest.mark.parametrize("name", SAMPLE)
def test_every_file(name: str, record_property: Callable[[str, object], None]) -> None:
    """In a root with a cache, which its own ldconfig wrote."""
    architecture = ARCHITECTURES[name]
    record_property("figure", compare(sysroot(architecture, PACKAGES), architecture))


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(ARCHITECTURES).difference(SAMPLE)))
def test_every_file_at_length(name: str, record_property: Callable[[str, object], None]) -> None:
    """The same for every other architecture."""
    architecture = ARCHITECTURES[name]
    record_property("figure", compare(sysroot(architecture, PACKAGES), architecture))


@pytest.mark.long
@pytest.mark.parametrize("name", CROSS)
def test_every_library_at_length(name: str, record_property: Callable[[str, object], None]) -> None:
    """The same where there are libraries alone, and no cache."""
    record_property("figure", compare(usual_root(CROSS[name]), CROSS[name]))


@pytest.mark.long
@pytest.mark.parametrize("cached", [True, False])
def test_private_libraries(
    tmp_path: Path, cached: bool, record_property: Callable[[str, object], None]
) -> None:
    """Packages with libraries aside from the default directories, in a root without a cache too."""
    architecture = ARCHITECTURES["arm64"]
    root = sysroot(architecture, PRIVATE)
    if not cached:
        root = without_cache(root, str(tmp_path / "root"))
    figure = compare(root, architecture)
    how = "with" if cached else "without"
    record_property("figure", f"{how} a cache, with private libraries: {figure}")


@pytest.mark.long
@pytest.mark.parametrize("library_path", [False, True])
def test_multilib(library_path: bool, record_property: Callable[[str, object], None]) -> None:
    """Each loader takes its own class of file, from the cache and past the other's in a path."""
    root = sysroot(AMD64, MULTILIB)
    for architecture, other in ((AMD64, ARCHITECTURES["i386"]), (ARCHITECTURES["i386"], AMD64)):
        first = f"/usr/lib/{other.triplet}:/usr/lib/{architecture.triplet}" if library_path else ""
        figure = compare(root, architecture, first)
        how = ", the other's directory first" if library_path else ""
        record_property("figure", f"both in one root{how}: {figure}")


def test_deps_of_another_architecture() -> None:
    """The whole command line prints what the loader of the root maps."""
    architecture = ARCHITECTURES["arm64"]
    root = sysroot(architecture, PACKAGES)
    printed = succeed("deps", "--sysroot", root, "--format", "list", "/usr/bin/git")
    [done] = run_all(root, [[*TRACE, "/usr/bin/git"]])
    assert printed.splitlines() == list(parse(done.output).paths)
    assert "/lib/ld-linux-aarch64.so.1" in printed


def test_make_of_another_architecture(tmp_path: Path) -> None:
    """A tree made of a foreign root runs where its processor is."""
    root = sysroot(ARCHITECTURES["arm64"], PACKAGES)
    out = str(tmp_path / "out")
    succeed("make", "git", "--sysroot", root, "--out", out)
    shutil.copy(f"{root}/qemu", out)
    for name in ("proc", "dev"):
        os.makedirs(f"{out}/{name}", exist_ok=True)
    version, made = run_all(out, [["/usr/bin/git", "--version"], ["/usr/bin/git", "init", "/srv"]])
    assert version.output.startswith("git version 2."), version
    assert made.status == 0, made
