"""glibc of other releases: what each one's loader finds in generated trees, and in its own root.

Before 2.33 there are no glibc-hwcaps, and until 2.36 the directories of old
for processors; the loader's own file says which (rules: ``ldso/hwcaps.py``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from rootgen.ldso.cpu import read_cpu
from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.laws.test_loader_trees import NATIVE, Tree, agree, trees, write
from tests.truth.architecture import AMD64
from tests.truth.foreign import loader_of, sysroot
from tests.truth.loader import trace
from tests.truth.test_loader_foreign import compare

if TYPE_CHECKING:
    from collections.abc import Callable

# Each release by its names: glibc 2.31, 2.41, and what is to come.
RELEASES = (("bullseye", "oldoldstable"), ("trixie", "stable"), ("forky", "testing"))
_PACKAGES = "bash coreutils curl git libc-bin openssl python3-minimal".split()


def loader_of_release(suites: tuple[str, ...]) -> str:
    """Return the path of the loader of the release with these names."""
    architecture = AMD64._replace(suites=suites)
    return loader_of(sysroot(architecture, _PACKAGES), architecture)


def check(tree: Tree, loader: str) -> None:
    """Assert that we find in ``tree`` what ``loader`` does, which runs natively."""
    root = os.path.realpath(tempfile.mkdtemp(prefix="rootgen-tree-"))
    try:
        program = write(tree, root, replace(NATIVE, interpreter=loader.encode()))
        variables = {}
        if tree.library_path is not None:
            variables["LD_LIBRARY_PATH"] = tree.library_path.replace("@", root)
        truth = trace(program, environment=variables, directory=root)
        library_path = (variables["LD_LIBRARY_PATH"],) if variables.get("LD_LIBRARY_PATH") else ()
        system = System(host(), cpu=read_cpu(host()), working_directory=root)
        agree(tree, root, system.load(program, library_path=library_path), truth, loader)
    finally:
        shutil.rmtree(root)


@pytest.mark.long
@pytest.mark.parametrize("suites", RELEASES, ids=[names[0] for names in RELEASES])
def test_generated_trees(
    suites: tuple[str, ...], record_property: Callable[[str, object], None]
) -> None:
    """For trees as those of the machine's own loader."""
    loader = loader_of_release(suites)
    compared = 0

    @settings(max_examples=400)
    @given(tree=trees())
    def compare_one(tree: Tree) -> None:
        nonlocal compared
        compared += 1
        check(tree, loader)

    compare_one()
    figure = f"glibc of {suites[0]}: {compared} generated trees compared with its loader"
    record_property("figure", f"{figure}: 0 differences")


@pytest.mark.long
@pytest.mark.parametrize("suites", RELEASES, ids=[names[0] for names in RELEASES])
def test_every_file(
    suites: tuple[str, ...], record_property: Callable[[str, object], None]
) -> None:
    """For the packages of that release in a root of their own."""
    architecture = AMD64._replace(suites=suites)
    record_property(
        "figure", f"of {suites[0]}: {compare(sysroot(architecture, _PACKAGES), architecture)}"
    )
