"""Generated trees of libraries: our objects and their order are the real loader's.

The trees are adversarial on purpose: one name in several directories, SONAMEs
that are other files' names, every kind of path element, cycles, links to
files and directories, hwcaps and legacy subdirectories, objects that lack.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootgen.ldso.cpu import read_cpu
from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.elf.image import (
    DT_AUXILIARY,
    DT_FILTER,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    Recipe,
    build,
)
from tests.truth.compiled import LOADER
from tests.truth.loader import trace

if TYPE_CHECKING:
    from rootgen.ldso.load import Load
    from tests.truth.loader import Traced

_NODEFLIB = 0x800
NAMES = tuple(f"lib{letter}.so" for letter in "abcde")
DIRECTORIES = (
    "a",
    "b",
    "a/sub",
    "a/glibc-hwcaps/x86-64-v2",
    "b/glibc-hwcaps/x86-64-v3",
    "a/tls",
    "b/x86_64",
    "b/tls/x86_64",
    "lib/x86_64-linux-gnu",
)
# ``@`` is the tree's own absolute path.
ELEMENTS = (
    "$ORIGIN",
    "${ORIGIN}",
    "$ORIGIN/../b",
    "$ORIGIN/sub",
    "@/a",
    "@/b",
    "@/a//",
    "@/link",
    "@/none",
    "@/$LIB",
    "a",
    "",
    "@/$FOO",
)
WANTED = (*NAMES, *NAMES, "libnone.so", "@/a/liba.so", "@/link/libb.so", "$ORIGIN/libc.so")


class Drawn(NamedTuple):
    """One object: where it is, and what its dynamic section says."""

    path: str
    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    filtees: tuple[tuple[int, str], ...] = ()
    nodeflib: bool = False


class Tree(NamedTuple):
    """A program, its libraries, links (path, target) and LD_LIBRARY_PATH."""

    program: Drawn
    libraries: tuple[Drawn, ...]
    links: tuple[tuple[str, str], ...] = ()
    library_path: str | None = None


# Where most of the libraries are found, so that most trees get past their first name.
_PLENTY = "@/a:@/b:@/a/sub"
_paths = st.none() | st.lists(st.sampled_from(ELEMENTS), max_size=3).map(":".join)
_needed = st.lists(st.sampled_from(WANTED), max_size=4).map(tuple)
# Of filters whose filtees need each other the real loader never comes to an end (glibc 2.36),
# so what is filtered here needs nothing.
_LEAF = "libleaf.so"
_filtees = st.lists(
    st.tuples(st.sampled_from((DT_AUXILIARY, DT_FILTER)), st.just(_LEAF)), max_size=1
).map(tuple)


def _objects(path: str) -> st.SearchStrategy[Drawn]:
    return st.builds(
        Drawn,
        st.just(path),
        _needed,
        st.none() | st.sampled_from(NAMES),
        _paths,
        st.none() | st.none() | _paths,
        st.just(()) | st.just(()) | _filtees,
        st.sampled_from((False, False, False, True)),
    )


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Draw a tree."""
    places = [f"{directory}/{name}" for directory in DIRECTORIES for name in NAMES]
    paths = draw(st.lists(st.sampled_from(places), min_size=3, max_size=12, unique=True))
    libraries = tuple(draw(_objects(path)) for path in paths)
    program = draw(_objects("bin/prog"))._replace(filtees=(), soname=None)
    program = program._replace(needed=(*program.needed, os.path.basename(paths[0])))
    if draw(st.sampled_from((False, True, True, True))):
        inherited = draw(st.booleans())
        rpath, runpath = (_PLENTY, None) if inherited else (None, _PLENTY)
        program = program._replace(rpath=rpath, runpath=runpath, nodeflib=False)
    links = draw(st.lists(st.tuples(st.sampled_from(places), st.sampled_from(paths)), max_size=2))
    if draw(st.booleans()):
        leaf = Drawn(f"{draw(st.sampled_from(DIRECTORIES))}/{_LEAF}", soname=_LEAF)
        libraries = (*libraries, leaf)
    library_path = draw(st.none() | st.none() | _paths)
    return Tree(program, libraries, tuple(links), library_path)


# What every object of a tree is, where it says nothing else: of the machine the tests run on.
NATIVE = Recipe(interpreter=LOADER.encode())


def write(tree: Tree, root: str, kind: Recipe = NATIVE) -> str:
    """Write ``tree`` beneath the directory ``root``; return the program's path.

    ``kind`` gives each object its machine, the program its interpreter too.
    """
    for one in (*tree.libraries, tree.program):
        _write_object(one, root, kind)
    os.symlink("b", os.path.join(root, "link"))
    for path, target in tree.links:
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if not os.path.lexists(full):
            os.symlink(os.path.join(root, target), full)
    return os.path.join(root, tree.program.path)


def _write_object(one: Drawn, root: str, kind: Recipe) -> None:
    dynamic: list[tuple[int, int | bytes]] = [
        (tag, name.replace("@", root).encode()) for tag, name in one.filtees
    ]
    dynamic += [(DT_NEEDED, name.replace("@", root).encode()) for name in one.needed]
    for tag, text in ((DT_SONAME, one.soname), (DT_RPATH, one.rpath), (DT_RUNPATH, one.runpath)):
        if text is not None:
            dynamic.append((tag, text.replace("@", root).encode()))
    if one.nodeflib:
        dynamic.append((DT_FLAGS_1, _NODEFLIB))
    is_program = one.path.startswith("bin/")
    # A program is at the addresses that it was linked for: it has no PT_PHDR to tell others.
    recipe = replace(
        kind,
        type=2 if is_program else 3,
        interpreter=kind.interpreter if is_program else None,
        dynamic=tuple(dynamic),
    )
    full = os.path.join(root, one.path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(build(recipe).data)
    os.chmod(full, 0o755)


def compare(tree: Tree, root: str) -> None:
    """Assert that we find in ``tree``, written beneath ``root``, what the loader finds."""
    program = write(tree, root)
    variables = {}
    if tree.library_path is not None:
        variables["LD_LIBRARY_PATH"] = tree.library_path.replace("@", root)
    truth = trace(program, environment=variables, directory=root)
    library_path = (variables["LD_LIBRARY_PATH"],) if variables.get("LD_LIBRARY_PATH") else ()
    load = System(host(), cpu=read_cpu(host()), working_directory=root).load(
        program, library_path=library_path
    )
    agree(tree, root, load, truth, LOADER)


def agree(tree: Tree, root: str, load: Load, truth: Traced, loader: str) -> None:
    """Assert that ``load`` is what the ``loader`` of ``tree``'s program told."""
    if truth.complaint:
        assert _is_fatal(load), truth.complaint
        return
    theirs = [os.path.join(root, path) for path in truth.paths]
    ours = [mapped.path for mapped in load.objects[1:]]
    if loader not in theirs:
        ours.remove(loader)
    assert ours == theirs
    theirs = list(truth.missing)
    for name in _missing_names(load):
        assert name in theirs, truth
        theirs.remove(name)
    # In a trace a filtee that is not there is told as well, though it is no failure.
    assert set(theirs) <= _auxiliary(tree)


def _missing_names(load: Load) -> list[str]:
    """Return the names that lack as the trace has them: ``$ORIGIN`` replaced."""
    origins = [os.path.dirname(one.path) for one in load.objects]
    return [one.name.replace("$ORIGIN", origins[one.requester]) for one in load.missing]


def _auxiliary(tree: Tree) -> set[str]:
    return {name for one in tree.libraries for tag, name in one.filtees if tag == DT_AUXILIARY}


def _is_fatal(load: Load) -> bool:
    return any(one.why.partition(" (")[0] != "not found" for one in load.missing)


def _check(tree: Tree) -> None:
    root = os.path.realpath(tempfile.mkdtemp(prefix="rootgen-tree-"))
    try:
        compare(tree, root)
    finally:
        shutil.rmtree(root)


@settings(max_examples=150)
@given(tree=trees())
def test_against_the_loader(tree: Tree) -> None:
    """For any tree."""
    _check(tree)


@pytest.mark.long
@settings(max_examples=1500)
@given(tree=trees())
def test_against_the_loader_at_length(tree: Tree) -> None:
    """For more than a thousand."""
    _check(tree)
