"""``deps`` for a processor: which variants it takes, and what it could not run."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.people.command import rootgen, succeed
from tests.truth.compiled import Thing, link
from tests.truth.loader import trace

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = ["x86-64-v2", "x86-64-v3", "x86-64-v4"]


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    things = [
        Thing("prog", ("liba.so", "libnew.so"), rpath="$ORIGIN/lib", program=True),
        Thing("plain", ("liba.so",), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", soname="liba.so"),
        Thing("lib/libnew.so", soname="libnew.so", flags=("-z", "x86-64-v3")),
        *(Thing(f"lib/glibc-hwcaps/{level}/liba.so", soname="liba.so") for level in LEVELS),
    ]
    link(things, tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_variants(number: int, tree: Path) -> None:
    """A processor takes the best variant that it can; baseline takes none."""
    done = rootgen("deps", "--format", "list", "--cpu", f"x86-64-v{number}", f"{tree}/prog")
    where = "" if number == 1 else f"/glibc-hwcaps/x86-64-v{number}"
    assert done.stdout.splitlines()[0] == f"{tree}/lib{where}/liba.so"


def test_native(tree: Path) -> None:
    """Native is what this machine's own loader takes, and the default for its own root."""
    native = succeed("deps", "--format", "list", "--cpu", "native", f"{tree}/plain")
    assert native == succeed("deps", "--format", "list", f"{tree}/plain")
    assert trace(f"{tree}/plain").paths == tuple(native.splitlines()[:1])


def test_native_for_another_root(tree: Path) -> None:
    """Another root is answered for the baseline, unless it shall run here."""
    (tree / "lib64").mkdir()
    subprocess.run(["cp", "-L", "/lib64/ld-linux-x86-64.so.2", tree / "lib64"], check=True)
    plain = succeed("deps", "--sysroot", str(tree), "--format", "list", "/plain")
    assert plain.splitlines()[0] == "//lib/liba.so"
    native = succeed(
        "deps", "--sysroot", str(tree), "--format", "list", "--cpu", "native", "/plain"
    )
    here = trace(f"{tree}/plain").paths[0]
    assert native.splitlines()[0] == here.replace(str(tree), "/")


def test_what_it_could_not_run(tree: Path) -> None:
    """An object that needs a higher level is named; without --cpu nobody asks."""
    assert rootgen("deps", f"{tree}/prog").returncode == 0
    done = rootgen("deps", "--cpu", "x86-64-v2", f"{tree}/prog")
    level = "CPU ISA level is lower than required: x86-64-v3"
    assert done.returncode == 1
    assert done.stderr == f"rootgen: {tree}/prog: {tree}/lib/libnew.so: {level}\n"
    assert rootgen("deps", "--cpu", "x86-64-v3", f"{tree}/prog").returncode == 0
    json_done = rootgen("deps", "--cpu", "x86-64-v1", "--format", "json", f"{tree}/prog")
    (target,) = json.loads(json_done.stdout)["targets"]
    assert target["beyond"] == [{"path": f"{tree}/lib/libnew.so", "level": "x86-64-v3"}]


def test_kernel() -> None:
    """--kernel names the objects whose ABI note wants a newer one, as readelf shows it."""
    notes = subprocess.run(
        ["readelf", "-n", "/bin/bash"], capture_output=True, text=True, check=True
    ).stdout
    wanted = notes.partition("OS: Linux, ABI: ")[2].split()[0]
    older = rootgen("deps", "--kernel", "2.6.1", "bash")
    assert older.returncode == 1
    assert f"/usr/bin/bash: the kernel is older than required: Linux {wanted}" in older.stderr
    for enough in (wanted, "6.1.0-18-amd64", "99"):
        done = rootgen("deps", "--kernel", enough, "bash")
        assert (done.returncode, done.stderr) == (0, "")
    wrong = rootgen("deps", "--kernel", "soon", "bash")
    assert wrong.returncode == 2
    assert "'soon' is no release of a kernel" in wrong.stderr
