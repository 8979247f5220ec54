"""Symbol versions that lack, against what the real loader says of compiled libraries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.cli.entry import run
from rootgen.elf.reader import read_facts
from rootgen.elf.second_opinion import second_versions
from rootgen.elf.versions import read_versions
from rootgen.errors import ElfError
from tests.truth.compiled import LOADER
from tests.truth.test_ldd import ours, real
from tests.truth.test_loader_system import programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SCRIPT = {
    "both": "V_1 { global: one; local: *; }; V_2 { global: two; } V_1;",
    "old": "V_1 { global: one; local: *; };",
    "none": "",
}


def library(path: Path, versions: str) -> None:
    """Compile libv.so with ``versions``: a version script, or none."""
    path.parent.mkdir(exist_ok=True)
    source = "int one(void) { return 1; }\nint two(void) { return 2; }\n"
    if versions == "old":
        source = source.splitlines()[0]
    flags = ["-nostdlib", "-shared", "-fPIC", "-Wl,-soname,libv.so"]
    if _SCRIPT[versions]:
        script = path.with_suffix(".map")
        script.write_text(_SCRIPT[versions])
        flags.append(f"-Wl,--version-script={script}")
    _compile(source, path, *flags)


def program(path: Path, library: Path) -> None:
    """Compile a program that wants V_1 and V_2 of libv.so, and a library that wants V_2 beside."""
    calls = "int one(void), two(void); int f(void) { return one() + two(); }\n"
    flags = ["-nostdlib", "-Wl,--allow-shlib-undefined"]
    _compile(
        "int two(void); int use(void) { return two(); }", path.parent / "lib/libuse.so",
        *flags, "-shared", "-fPIC", "-Wl,-soname,libuse.so", str(library),
    )  # fmt: skip
    _compile(
        calls + "int use(void); void _start(void) { f(); use(); }", path,
        *flags, f"-Wl,--dynamic-linker={LOADER}", "-Wl,--disable-new-dtags",
        "-Wl,-rpath,$ORIGIN/lib", str(path.parent / "lib/libuse.so"), str(library),
    )  # fmt: skip


def _compile(source: str, path: Path, *flags: str) -> None:
    command = ["gcc", "-x", "c", "-", "-o", str(path), "-x", "none", *flags]
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    library(tmp_path / "lib/libv.so", "both")
    program(tmp_path / "prog", tmp_path / "lib/libv.so")
    return tmp_path


def make_weak(path: Path) -> None:
    """Set VER_FLG_WEAK in every Vernaux of ``path``."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".gnu.version_r")
        assert section is not None
        offset, data = section["sh_offset"], bytearray(section.data())
    at = 0
    while True:
        need = int.from_bytes(data[at + 8 : at + 12], "little")
        aux = at + need
        while True:
            data[aux + 4] |= 2
            step = int.from_bytes(data[aux + 12 : aux + 16], "little")
            if not step:
                break
            aux += step
        step = int.from_bytes(data[at + 12 : at + 16], "little")
        if not step:
            break
        at += step
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("weak", [False, True])
@pytest.mark.parametrize("versions", list(_SCRIPT))
def test_as_ldd_says_it(
    versions: str, weak: bool, tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What lacks, what is weak and what cannot be told, before the list and in ldd's words."""
    library(tree / "lib/libv.so", versions)
    if weak:
        make_weak(tree / "prog")
    name = str(tree / "prog")
    mine = ours(capfd, name)
    assert mine == real(name)
    assert ("V_2" in mine[1]) == (versions == "old")
    assert ("no version information" in mine[1]) == (versions == "none")


def test_status(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A version that lacks is a failure of --versions; a weak one, or an unknown one, is told."""
    name = str(tree / "prog")
    assert run(["deps", "--versions", name]) == 0
    assert capfd.readouterr().err == ""
    library(tree / "lib/libv.so", "none")
    assert run(["deps", "--versions", name]) == 0
    assert "no version information available" in capfd.readouterr().err
    library(tree / "lib/libv.so", "old")
    assert run(["deps", name]) == 0
    assert run(["deps", "--versions", name]) == 1
    provider = f"{tree}/lib/libv.so"
    assert capfd.readouterr().err.splitlines() == [
        f"rootgen: {name}: {provider}: version `V_2' not found (required by {name})",
        f"rootgen: {name}: {provider}: version `V_2' not found (required by {tree}/lib/libuse.so)",
    ]
    make_weak(tree / "prog")
    make_weak(tree / "lib/libuse.so")
    assert run(["deps", "--versions", name]) == 0
    assert "weak version `V_2' not found" in capfd.readouterr().err


def test_in_a_root(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same is known of a root in which nothing could be run; JSON has it by members."""
    root = tree / "root"
    (root / "lib64").mkdir(parents=True)
    shutil.copy(os.path.realpath(LOADER), root / LOADER.lstrip("/"))
    shutil.copytree(tree / "lib", root / "bin/lib")
    shutil.copy(tree / "prog", root / "bin/prog")
    library(root / "bin/lib/libv.so", "old")
    arguments = ["--versions", "--format", "json", "--sysroot", str(root), "prog"]
    assert run(["deps", *arguments]) == 1
    (target,) = json.loads(capfd.readouterr().out)["targets"]
    lacking = {"provider": "/bin/lib/libv.so", "version": "V_2", "lack": "missing"}
    assert target["versions"] == [
        {"requester": "/bin/prog", **lacking},
        {"requester": "/bin/lib/libuse.so", **lacking},
    ]


def test_as_pyelftools_reads_them(record_property: Callable[[str, object], None]) -> None:
    """The versions of programs and libraries of this machine, by two readers."""
    compared = 0
    libraries = "/usr/lib/x86_64-linux-gnu"
    paths = [f"{libraries}/{name}" for name in sorted(os.listdir(libraries)) if ".so" in name]
    for path in [*list(programs())[::40], *paths[::20]]:
        with open(path, "rb") as file:

            def read_at(size: int, offset: int, descriptor: int = file.fileno()) -> bytes:
                return os.pread(descriptor, size, offset)

            try:
                dynamic = read_facts(read_at, path).dynamic
            except ElfError:
                continue
            if dynamic:
                assert read_versions(read_at, path) == second_versions(file, path), path
                compared += 1
    figure = f"symbol versions of {compared} files, as pyelftools reads them"
    record_property("figure", figure)
    assert compared > 50
