"""Generated trees of other architectures, compared with their own loaders under qemu-user."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from rootgen.ldso.cpu import BASELINE, Cpu
from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.laws.test_loader_trees import Tree, agree, trees, write
from tests.truth.architecture import ARCHITECTURES, CROSS, Architecture
from tests.truth.foreign import emulator, loader_of, recipe_of, usual_root
from tests.truth.loader import parse

if TYPE_CHECKING:
    from collections.abc import Callable

_TRIES = 5
# qemu's processors, where they are not the least of their kind.
_ARM = Cpu(platform="v8l", capabilities=("neon", "vfp"))
_CPUS = {
    "arm64": Cpu(capabilities=("atomics",)),
    "armhf": _ARM,
    "armel": _ARM,
    "s390x": Cpu(("z13",), capabilities=tuple("vxe vx eimm ldisp zarch".split())),
    "ppc64el": Cpu(levels=("power9",)),
}
# Subdirectories that such a processor takes, and some that it does not.
_LEVELS = {
    "arm64": ("atomics", "tls/atomics"),
    "armhf": ("neon/vfp", "vfp"),
    "armel": ("tls/v8l/neon", "neon"),
    "s390x": ("glibc-hwcaps/z13", "eimm/zarch"),
    "ppc64el": ("glibc-hwcaps/power9", "glibc-hwcaps/power10"),
}
_NATIVE_LEVELS = ("glibc-hwcaps/x86-64-v2", "glibc-hwcaps/x86-64-v3")
_PLATFORMS = {"arm64": "aarch64", "armhf": "v8l", "armel": "v8l", "i386": "i686"}


def translate(tree: Tree, architecture: Architecture) -> Tree:
    """Return ``tree`` with the names of directories that ``architecture`` has."""
    levels = _LEVELS.get(architecture.name, ("glibc-hwcaps/a", "b"))

    def name(path: str) -> str:
        path = path.replace("x86_64-linux-gnu", architecture.triplet)
        for ours, theirs in zip(_NATIVE_LEVELS, levels, strict=True):
            path = path.replace(ours, theirs)
        return path.replace("x86_64", _PLATFORMS.get(architecture.name, "x86_64"))

    return tree._replace(
        libraries=tuple(one._replace(path=name(one.path)) for one in tree.libraries),
        links=tuple((name(path), name(target)) for path, target in tree.links),
    )


def check(tree: Tree, architecture: Architecture) -> None:
    """Assert that we find in ``tree`` what the loader finds.

    It is the architecture's own loader, and yet the root is the host's:
    whose libraries it must pass over.
    """
    loader = loader_of(usual_root(architecture), architecture)
    kind = replace(recipe_of(architecture), interpreter=loader.encode())
    root = os.path.realpath(tempfile.mkdtemp(prefix="rootgen-tree-"))
    try:
        program = write(translate(tree, architecture), root, kind)
        variables = {"LD_TRACE_LOADED_OBJECTS": "1"}
        library_path: tuple[str, ...] = ()
        if tree.library_path is not None:
            variables["LD_LIBRARY_PATH"] = tree.library_path.replace("@", root)
            library_path = (variables["LD_LIBRARY_PATH"],) if tree.library_path else ()
        done = _run([emulator(architecture), *_told(variables), program], root)
        assert done.returncode >= 0
        cpu = _CPUS.get(architecture.name, BASELINE)
        system = System(host(), cpu=cpu, working_directory=root)
        load = system.load(program, library_path=library_path)
        agree(tree, root, load, parse(done.stdout, done.stderr.strip()), loader)
    finally:
        shutil.rmtree(root)


def _run(command: list[str], directory: str) -> subprocess.CompletedProcess[str]:
    """Run ``command``; again where qemu, whose addresses are random, left an object no room."""
    for _ in range(_TRIES):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=directory,
            timeout=60,
        )
        if "failed to map segment" not in done.stderr:
            break
    return done


def _told(variables: dict[str, str]) -> list[str]:
    # A comma ends a variable for qemu; the trees have none.
    return [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]


@pytest.mark.parametrize("name", ["arm64", "s390x"])
def test_against_the_loader(name: str, record_property: Callable[[str, object], None]) -> None:
    """For a few trees."""
    _compare(name, 20, record_property)


@pytest.mark.long
@pytest.mark.parametrize("name", [*ARCHITECTURES, *CROSS])
def test_against_the_loader_at_length(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    """For more, and for every architecture."""
    _compare(name, 150, record_property)


def _compare(name: str, examples: int, record_property: Callable[[str, object], None]) -> None:
    compared = 0

    @settings(max_examples=examples)
    @given(tree=trees())
    def compare(tree: Tree) -> None:
        nonlocal compared
        compared += 1
        check(tree, {**ARCHITECTURES, **CROSS}[name])

    compare()
    figure = f"{name}: {compared} generated trees compared with its own loader: 0 differences"
    record_property("figure", figure)
