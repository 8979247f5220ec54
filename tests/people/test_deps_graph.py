"""``deps`` asked about the graph: drawings, chains, what is retained, who needs it, cycles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.people.command import rootgen, succeed
from tests.truth.compiled import Thing, link

if TYPE_CHECKING:
    from pathlib import Path

# Two ways to libd, of which none is shorter; only liba brings libe; b and d form a cycle.
THINGS = [
    Thing("bin/prog", ("liba.so", "libb.so"), rpath="$ORIGIN/../lib", program=True),
    Thing("bin/other", ("libb.so",), rpath="$ORIGIN/../lib", program=True),
    Thing("bin/none", program=True),
    Thing("lib/liba.so", ("libd.so", "libe.so"), soname="liba.so"),
    Thing("lib/libb.so", ("libd.so",), soname="libb.so"),
    Thing("lib/libd.so", ("libb.so",), soname="libd.so"),
    Thing("lib/libe.so", ("libgone.so",), soname="libe.so"),
]


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    link(THINGS, tmp_path)
    return tmp_path


def test_why(tree: Path) -> None:
    """Every shortest chain is drawn, by SONAME or by path; each target by itself."""
    done = rootgen("deps", "--why", "libd.so", f"{tree}/bin/prog", f"{tree}/bin/other")
    lib = f"{tree}/bin/../lib"
    assert done.stdout.splitlines() == [
        f"{tree}/bin/prog",
        f"└── liba.so => {lib}/liba.so [DT_NEEDED, RPATH]",
        f"    └── libd.so => {lib}/libd.so [DT_NEEDED, RPATH]",
        f"└── libb.so => {lib}/libb.so [DT_NEEDED, RPATH]",
        f"    └── libd.so => {lib}/libd.so [DT_NEEDED, RPATH]",
        f"{tree}/bin/other",
        f"└── libb.so => {lib}/libb.so [DT_NEEDED, RPATH]",
        f"    └── libd.so => {lib}/libd.so [DT_NEEDED, RPATH]",
    ]
    assert done.returncode == 1  # libgone.so is missing
    by_path = rootgen("deps", "--why", f"{tree}/lib/libd.so", f"{tree}/bin/prog")
    assert by_path.stdout.splitlines() == done.stdout.splitlines()[:5]


def test_why_of_what_lacks(tree: Path) -> None:
    """A name that is not found has its chain as well."""
    done = rootgen("deps", "--why", "libgone.so", "--format", "json", f"{tree}/bin/prog")
    (target,) = json.loads(done.stdout)["targets"]
    (chain,) = target["chains"]
    assert [step["name"] for step in chain] == ["liba.so", "libe.so", "libgone.so"]
    assert (chain[-1]["path"], chain[-1]["how"]) == (None, "not found")


def test_why_of_a_script(tmp_path: Path) -> None:
    """The chain begins with the script."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    lines = succeed("deps", "--why", "libc.so.6", str(script)).splitlines()
    assert lines[0] == str(script)
    assert lines[1] == "└── /bin/sh [#!]"
    assert "libc.so.6" in lines[2]


def test_why_of_nothing(tree: Path) -> None:
    """What no target loads is an error that knows what comes near."""
    done = rootgen("deps", "--why", "libf.so", f"{tree}/bin/other")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"rootgen: {tree}/bin/other does not load libf.so\n")
    assert "did you mean lib" in done.stderr


def test_dominators(tree: Path) -> None:
    """With liba go libe and itself; libd is reached through libb as well, so it stays."""
    done = rootgen("deps", "--dominators", "--format", "json", f"{tree}/bin/prog")
    rows = {os.path.basename(one["path"]): one for one in json.loads(done.stdout)["dominators"]}
    size = {name: os.path.getsize(tree / "lib" / name) for name in os.listdir(tree / "lib")}
    assert rows["liba.so"]["bytes"] == size["liba.so"] + size["libe.so"]
    assert rows["liba.so"]["files"] == 2
    assert rows["libe.so"]["through"] == f"{tree}/lib/liba.so"
    assert rows["libd.so"]["bytes"] == size["libd.so"]
    assert rows["prog"]["files"] == len(rows)
    table = rootgen("deps", "--dominators", f"{tree}/bin/prog").stdout.splitlines()
    assert table[0].split()[-1] == f"{tree}/bin/prog"
    assert len(table) == len(rows)


def test_dominators_of_two(tree: Path) -> None:
    """What both of two targets bring goes with neither."""
    files = [f"{tree}/bin/prog", f"{tree}/bin/other"]
    done = rootgen("deps", "--dominators", "--format", "json", *files)
    rows = {os.path.basename(one["path"]): one for one in json.loads(done.stdout)["dominators"]}
    assert rows["libb.so"]["through"] is None
    assert rows["other"]["files"] == 1


def test_reverse(tree: Path) -> None:
    """The programs of a directory that need a library, and through what."""
    inside = f"{tree}/bin"
    assert succeed("deps", "--reverse", "libd.so", "--in", inside).splitlines() == [
        f"{tree}/bin/other [through libb.so]",
        f"{tree}/bin/prog [through liba.so]",
    ]
    listed = succeed("deps", "--reverse", f"{tree}/lib/liba.so", "--in", inside, "--format", "list")
    assert listed == f"{tree}/bin/prog\n"
    done = rootgen("deps", "--reverse", "libq.so", "--in", inside)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "rootgen: nothing needs libq.so\n"


def test_reverse_of_files(tree: Path) -> None:
    """FILEs instead of a directory; JSON says what is direct."""
    files = [f"{tree}/bin/{name}" for name in ("prog", "none", "other")]
    printed = json.loads(succeed("deps", "--reverse", "libb.so", "--format", "json", *files))
    assert printed["programs"] == [
        {"path": files[0], "direct": True, "names": ["libb.so"]},
        {"path": files[2], "direct": True, "names": ["libb.so"]},
    ]


def test_reverse_in_a_root(tree: Path) -> None:
    """Without --in it is the root's own PATH."""
    (tree / "usr").mkdir()
    (tree / "usr/bin").symlink_to("../bin")
    listed = succeed("deps", "--sysroot", str(tree), "--reverse", "libd.so", "--format", "list")
    assert listed.splitlines() == ["/usr/bin/other", "/usr/bin/prog"]


def test_cycles_are_told(tree: Path) -> None:
    """Beneath the tree each cycle stands once."""
    lines = rootgen("deps", f"{tree}/bin/other").stdout.splitlines()
    lib = f"{tree}/bin/../lib"
    assert lines[-1] == f"cycle: {lib}/libb.so → {lib}/libd.so → {lib}/libb.so"


@pytest.mark.parametrize("form", ["dot", "mermaid"])
def test_drawing(form: str, tree: Path) -> None:
    """One graph of both targets: shared objects once, missing ones drawn."""
    done = rootgen("deps", "--format", form, f"{tree}/bin/prog", f"{tree}/bin/other")
    assert done.returncode == 1
    for name in ("bin/prog", "bin/other", "lib/libd.so"):
        assert done.stdout.count(f"{tree}/{name}") == 1
    assert "libgone.so (missing)" in done.stdout
    assert "libgone.so: not found" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--why", "x", "--dominators", "ls"], "--why and --dominators are different questions"),
        (["--why", "x", "--format", "dot", "ls"], "--why has the formats tree, json"),
        (["--reverse", "x", "--format", "ldd"], "--reverse has the formats tree, list, json"),
        (["--in", "/bin", "ls"], "--in says where --reverse looks"),
        (["--why", "x"], "Missing argument 'FILE...'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    """What does not go together is wrong usage."""
    done = rootgen("deps", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_no_directory() -> None:
    """A directory that is none is named."""
    done = rootgen("deps", "--reverse", "libc.so.6", "--in", "/etc/passwd")
    assert done.returncode == 1
    assert done.stderr == "rootgen: /etc/passwd is no directory\n"


def test_networkx_is_loaded_for_analysis_alone() -> None:
    """A drawing and --reverse do without it."""
    for arguments in (["--format", "dot", "ls"], ["--reverse", "libc.so.6", "ls"], ["ls"]):
        code = (
            f"import sys; from rootgen.cli.entry import run; run(['deps', *{arguments}]);"
            " sys.exit('networkx' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
        )
        assert done.returncode == 0, arguments
