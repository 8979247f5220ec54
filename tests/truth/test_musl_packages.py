"""Real musl-linked packages: our lists against musl's own loader's, in order."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from typing import TYPE_CHECKING

from rootgen.elf.facts import ET_DYN
from rootgen.ldso.load import How
from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.people.command import succeed
from tests.truth.foreign import cache_directory, elf_files, made_once
from tests.truth.test_loader_musl import LOADER, listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Libraries that bring others in a directory beside them, and such as need libc alone.
WHEELS = "cryptography==50.0.2 lxml==6.1.3 numpy==2.4.6 pillow==13.0.0 psycopg2-binary==2.9.13"
PIP = (
    "--quiet --no-deps --only-binary=:all: --python-version=3.11 "
    "--platform=musllinux_1_2_x86_64 --platform=musllinux_1_1_x86_64"
)
NODE_PACKAGES = (
    "@img/sharp-linuxmusl-x64@0.35.5 @img/sharp-libvips-linuxmusl-x64@1.3.4 "
    "@rollup/rollup-linux-x64-musl@4.68.8 lightningcss-linux-x64-musl@1.33.0"
)


def wheels() -> str:
    """Return a directory with the wheels unpacked into it, as pip installs them."""
    with made_once("musl-wheels-1") as (final, fresh):
        if fresh:
            with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
                command = [sys.executable, "-m", "pip", "download", *PIP.split(), *WHEELS.split()]
                _run([*command, f"--dest={scratch}"], scratch)
                for name in os.listdir(scratch):
                    with zipfile.ZipFile(os.path.join(scratch, name)) as archive:
                        archive.extractall(fresh)
    return final


def node_packages() -> str:
    """Return a directory with the packages of node, as npm installs them."""
    with made_once("musl-node-1") as (final, fresh):
        if fresh:
            with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
                for package in NODE_PACKAGES.split():
                    directory = os.path.join(scratch, "packed")
                    os.mkdir(directory)
                    _run(["npm", "pack", "--silent", package], directory)
                    [name] = os.listdir(directory)
                    target = os.path.join(fresh, package.rpartition("@")[0])
                    _run(["tar", "-xzf", name, "-C", scratch], directory)
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    os.rename(os.path.join(scratch, "package"), target)
                    os.unlink(os.path.join(directory, name))
                    os.rmdir(directory)
    return final


def _run(command: list[str], directory: str) -> None:
    done = subprocess.run(
        command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def compare(directory: str, tmp_path: Path) -> str:
    """Compare every library beneath ``directory``; return the figure."""
    compared = objects = 0
    differences: list[str] = []
    system = System(host(), working_directory=str(tmp_path))
    for path in [directory + one for one in elf_files(directory)]:
        truth = listed(path, tmp_path)
        load = system.load(path)
        assert load.objects[0].facts.type == ET_DYN
        ours = [one.path for one in load.objects[1:] if one.how is not How.INTERPRETER]
        missing = [one.name for one in load.missing]
        compared += 1
        objects += len(ours)
        if ours != truth.paths or missing != truth.missing:
            differences.append(f"{path}: ours {ours} {missing}, musl's {truth}")
        # What needs nothing at all may be of either libc.
        needed = load.objects[0].facts.needed
        assert not needed or LOADER in [one.path for one in load.objects], path
    assert not differences, "\n".join(differences)
    assert compared
    return f"{compared} libraries with {objects} objects compared with musl's loader: 0 differences"


def test_wheels(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Each extension module, and each library that a wheel brings."""
    record_property("figure", f"musl, wheels: {compare(wheels(), tmp_path)}")


def test_node_packages(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Each add-on, and each library that it brings."""
    record_property("figure", f"musl, node: {compare(node_packages(), tmp_path)}")


def test_deps() -> None:
    """The command says of a library that is musl's what musl says, though glibc is here too."""
    [path] = [one for one in elf_files(wheels()) if "psycopg2/_psycopg." in one]
    path = wheels() + path
    printed = succeed("deps", "--format", "list", path).splitlines()
    assert LOADER in printed
    assert [one for one in printed if one != LOADER] == listed(path, "/").paths
