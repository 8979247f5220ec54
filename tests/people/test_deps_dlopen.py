"""``deps --dlopen``: what objects say that they will open is followed, by priority."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.people.command import rootgen, succeed
from tests.truth.compiled import LOADER, Thing, link

if TYPE_CHECKING:
    from pathlib import Path


def note(path: Path, items: list[dict[str, object]]) -> str:
    """Assemble an object file with a .note.dlopen that says ``items``."""
    text = json.dumps(items).replace("\\", "\\\\").replace('"', '\\"')
    source = f"""
        .section .note.dlopen, "a", %note
        .balign 4
        .long 1f - 0f, 3f - 2f, 0x407c0c0a
    0:  .asciz "FDO"
    1:  .balign 4
    2:  .asciz "{text}"
    3:  .balign 4
        .section .note.GNU-stack, "", %progbits
    """
    command = ["gcc", "-c", "-x", "assembler", "-", "-o", str(path)]
    subprocess.run(command, input=source.encode(), check=True)
    return str(path)


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "lib64").mkdir()
    shutil.copy(os.path.realpath(LOADER), root / "lib64" / os.path.basename(LOADER))
    program = note(
        tmp_path / "program.o",
        [
            {"soname": ["libreq.so.2", "libreq.so.1"], "priority": "required"},
            {"soname": ["librec.so"], "feature": "more"},
            {"soname": ["libsug.so"], "priority": "suggested"},
            {"soname": ["libaway.so"], "priority": "suggested"},
            {"soname": ["libbase.so"], "priority": "required"},
        ],
    )
    inner = note(tmp_path / "inner.o", [{"soname": ["libdeep.so"], "priority": "required"}])
    link(
        [
            Thing("bin/prog", ("libbase.so",), rpath="$ORIGIN/own", flags=(program,), program=True),
            Thing("bin/own/libbase.so", soname="libbase.so"),
            Thing("lib/libbase.so", ("libunwanted.so",), soname="libbase.so"),
            Thing("lib/libreq.so.1", ("libbase.so", "libhelp.so"), soname="libreq.so.1"),
            Thing("lib/libhelp.so", soname="libhelp.so"),
            Thing("lib/librec.so", flags=(inner,), soname="librec.so"),
            Thing("lib/libdeep.so", soname="libdeep.so"),
            Thing("lib/libsug.so", ("libgone.so",), soname="libsug.so"),
            Thing("bin/lacks", flags=(note(tmp_path / "l.o", [
                {"soname": ["libnone.so.2", "libnone.so.1"], "priority": "required"},
            ]),), program=True),
            Thing("bin/bad", flags=(note(tmp_path / "b.o", [{"feature": "x"}]),), program=True),
        ],
        root,
    )  # fmt: skip
    return root


BASE = ["/bin/own/libbase.so", "/lib64/ld-linux-x86-64.so.2"]
REQUIRED = [*BASE, "/lib/libreq.so.1", "/lib/libhelp.so"]


def listed(root: Path, *options: str, status: int = 0) -> list[str]:
    done = rootgen("deps", "--sysroot", str(root), "--format", "list", *options, "prog")
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines()


def test_by_priority(root: Path) -> None:
    """Each priority brings those before it; what is in the process already is not looked up."""
    assert listed(root) == BASE
    assert listed(root, "--dlopen", "required") == REQUIRED
    recommended = [*REQUIRED, "/lib/librec.so", "/lib/libdeep.so"]
    assert listed(root, "--dlopen", "recommended") == recommended
    # libsug.so, which is there, lacks what it needs; libaway.so may lack.
    every = listed(root, "--dlopen", "suggested", status=1)
    assert sorted(every) == sorted([*recommended, "/lib/libsug.so"])


def test_drawn(root: Path) -> None:
    """The tree says by what a library came, and what may lack; so does a graph."""
    tree = rootgen("deps", "--sysroot", str(root), "--dlopen", "suggested", "prog").stdout
    assert "├── .note.dlopen libreq.so.1 => /lib/libreq.so.1 [default directory /lib]" in tree
    assert "├── .note.dlopen libaway.so => not found" in tree
    dot = succeed("deps", "--sysroot", str(root), "--dlopen", "required", "--format", "dot", "prog")
    assert '[label=".note.dlopen"]' in dot


def test_why(root: Path) -> None:
    """A chain may lead through a note."""
    options = ["--sysroot", str(root), "--dlopen", "recommended"]
    lines = succeed("deps", *options, "--why", "libdeep.so", "prog").splitlines()
    assert lines[1:] == [
        "└── librec.so => /lib/librec.so [.note.dlopen, default directory]",
        "    └── libdeep.so => /lib/libdeep.so [.note.dlopen, default directory]",
    ]


def test_required_and_missing(root: Path) -> None:
    """A required library of which no name is found is missing."""
    assert rootgen("deps", "--sysroot", str(root), "lacks").returncode == 0
    done = rootgen("deps", "--sysroot", str(root), "--dlopen", "required", "lacks")
    assert done.returncode == 1
    said = "rootgen: /bin/lacks: libnone.so.2: not found (nor libnone.so.1); /bin/lacks wants it\n"
    assert done.stderr == said


def test_malformed(root: Path) -> None:
    """A note that is none is an error that names the file; who does not ask does not read it."""
    assert rootgen("deps", "--sysroot", str(root), "bad").returncode == 0
    done = rootgen("deps", "--sysroot", str(root), "--dlopen", "required", "bad")
    assert done.returncode == 1
    assert done.stderr == "rootgen: /bin/bad: a dlopen note that names no library\n"


def test_not_with_ldd(root: Path) -> None:
    """Ldd knows no notes."""
    done = rootgen("deps", "--sysroot", str(root), "--dlopen", "required", "--format", "ldd", "x")
    assert done.returncode == 2


def test_static() -> None:
    """A real program without notes is as it was."""
    plain = succeed("deps", "--format", "list", "bash")
    assert succeed("deps", "--format", "list", "--dlopen", "suggested", "bash") == plain
