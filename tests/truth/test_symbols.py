"""Undefined symbols against ``ldd -r``: programs and libraries of this machine, compiled cases."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.api.deps import Asked, DepsResult, Resolver
from rootgen.cli.entry import run
from rootgen.report.deps_lacks import undefined_words
from tests.truth.compiled import LOADER
from tests.truth.test_ldd import MUSL, ours, real
from tests.truth.test_loader_system import programs
from tests.truth.test_versions import _compile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def _compare(paths: Sequence[str], record_property: Callable[[str, object], None]) -> int:
    """Compare what is undefined with what ``ldd -r`` says; return how many files there were."""
    compared = symbols = 0
    differing: list[str] = []
    for result in Resolver(Asked(by_name=True, symbols=True)).each(paths):
        if not isinstance(result, DepsResult) or not result.load.objects[0].facts.dynamic:
            continue
        said = real("-r", result.path)[1].splitlines()
        theirs = {line for line in said if line.endswith(")") and not line.startswith("\t")}
        mine = {f"{undefined_words(one)}\t({one.object})" for one in result.undefined or ()}
        compared += 1
        symbols += len(theirs)
        if mine != theirs:
            differing.append(f"{result.path}: ours {mine - theirs}, ldd's {theirs - mine}")
    figure = f"{compared} files with {symbols} undefined symbols compared with ldd -r"
    record_property("figure", f"{figure}: {len(differing)} differences")
    assert not differing, "\n".join(differing)
    return compared


def _libraries() -> list[str]:
    return [f"{LIBRARIES}/{name}" for name in sorted(os.listdir(LIBRARIES)) if ".so" in name]


def test_a_sample(record_property: Callable[[str, object], None]) -> None:
    """A part of the programs and libraries."""
    assert _compare([*list(programs())[::50], *_libraries()[::50]], record_property) > 30


@pytest.mark.long
def test_every_file(record_property: Callable[[str, object], None]) -> None:
    """All of them."""
    assert _compare([*programs(), *_libraries()], record_property) > 500


def library(path: Path, source: str, script: str = "") -> None:
    """Compile a library of ``source`` without libc, with the versions of ``script``."""
    path.parent.mkdir(exist_ok=True)
    flags = ["-nostdlib", "-shared", "-fPIC", f"-Wl,-soname,{path.name}"]
    if script:
        path.with_suffix(".map").write_text(script)
        flags.append(f"-Wl,--version-script={path.with_suffix('.map')}")
    flags += ["-lc"] if "getpid" in source else []
    _compile(source, path, *flags)


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    one, two = "int one(void) { return 1; }", "int two(void) { return 2; }"
    library(tmp_path / "lib/libv.so", one + two, "V_1 { one; }; V_2 { two; } V_1;")
    library(tmp_path / "lib/libp.so", "int plain(void) { return 3; }")
    source = """
    int one(void), two(void), plain(void), there_or_not(void) __attribute__((weak));
    void _start(void) { one(); two(); plain(); if (there_or_not) there_or_not(); }
    """
    _compile(
        source, tmp_path / "prog", "-nostdlib", f"-Wl,--dynamic-linker={LOADER}",
        "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/lib",
        str(tmp_path / "lib/libv.so"), str(tmp_path / "lib/libp.so"),
    )  # fmt: skip
    return tmp_path


# A library with DT_VERSYM and without DT_VERDEF: the loader takes what it has.
_USES_LIBC = "int getpid(void); int three(void) { return getpid(); }"

# What became of the libraries since the program was linked.
CHANGES: dict[str, tuple[str, str, str]] = {
    "nothing": ("int two(void) { return 2; }", "V_1 { one; }; V_2 { two; } V_1;", ""),
    "plain symbol gone": ("", "V_1 { one; }; V_2 { two; } V_1;", "int other(void) { return 1; }"),
    "version without its symbol": (
        "int x(void) { return 1; }",
        "V_1 { one; }; V_2 { x; } V_1;",
        "",
    ),
    "version in another library": (
        "int x(void) { return 1; }",
        "V_1 { one; }; V_2 { x; } V_1;",
        "int two(void) { return 2; } int plain(void) { return 3; }",
    ),
    "other version": ("int two(void) { return 2; }", "V_1 { one; two; }; V_2 { x; } V_1;", ""),
    "hidden in another": (
        'int two_(void) { return 2; }\n__asm__(".symver two_, two@V_1");',
        "V_1 { one; }; V_2 { x; } V_1;",
        "",
    ),
    "no versions": (f"{_USES_LIBC} int two(void) {{ return 2; }}", "", ""),
    "no versions, no symbol": (_USES_LIBC, "", ""),
    "local": ("int two(void) { return 2; }", "V_1 { one; }; V_2 { global: x; local: *; } V_1;", ""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_as_ldd_says_it(change: str, tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same lines, of names with and without versions, weak ones left out."""
    source, script, plain = CHANGES[change]
    library(tree / "lib/libv.so", "int one(void) { return 1; }\n" + source + "\n", script)
    if plain:
        library(tree / "lib/libp.so", plain, "V_2 { two; };" if "two" in plain else "")
    name = str(tree / "prog")
    mine, theirs = ours(capfd, "--symbols", name), real("-r", name)
    assert sorted(mine[1].splitlines()) == sorted(theirs[1].splitlines())
    assert mine[0] == theirs[0]


def test_musl(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of musl's programs and libraries what musl's loader says, whatever their versions are."""
    library(tmp_path / "libv.so", "int one(void) { return 1; }", "V_1 { one; };")
    _compile(
        "int one(void), two(void); void _start(void) { one(); two(); }", tmp_path / "prog",
        "-nostdlib", f"-Wl,--dynamic-linker={MUSL}", "-Wl,-rpath,$ORIGIN",
        "-Wl,--no-as-needed", str(tmp_path / "libv.so"), MUSL,
        "-Wl,--unresolved-symbols=ignore-all", "-fPIC",
    )  # fmt: skip
    name = str(tmp_path / "prog")
    status = run(["deps", "--format", "ldd", "--symbols", name])
    captured = capfd.readouterr()
    done = subprocess.run([MUSL, "--list", name], capture_output=True, text=True)
    assert captured.err == done.stderr
    assert status == done.returncode
    pattern = r"\(0x[0-9a-f]+\)"
    assert re.sub(pattern, "", captured.out) == re.sub(pattern, "", done.stdout)


def test_told(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An undefined symbol is a failure of --symbols, named with what wants it; JSON has it."""
    name = str(tree / "prog")
    assert run(["deps", "--symbols", name]) == 0
    library(tree / "lib/libp.so", "int other(void) { return 1; }")
    assert run(["deps", name]) == 0
    capfd.readouterr()
    assert run(["deps", "--symbols", name]) == 1
    assert capfd.readouterr().err == f"rootgen: {name}: undefined symbol: plain ({name})\n"
    assert run(["deps", "--symbols", "--format", "json", name]) == 1
    (target,) = json.loads(capfd.readouterr().out)["targets"]
    assert target["undefined"] == [{"requester": name, "symbol": "plain", "version": None}]
    assert not {"versions", "beyond"} & set(target)


def test_pattern_of_ldd(tree: Path) -> None:
    """What the sample takes for ldd's words on symbols is what ldd writes."""
    library(tree / "lib/libp.so", "int other(void) { return 1; }")
    said = real("-r", str(tree / "prog"))[1]
    assert re.search(r"^undefined symbol: plain\t\(.*/prog\)$", said, re.MULTILINE)
