"""`rootgen make` of what is seldom asked for: each a bug that was found by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.elf.image import Recipe, build
from tests.people.command import ROOTGEN, rootgen, succeed
from tests.truth.compiled import Thing, link

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = b"rootgen: 1\nname: p\nprograms: ['true']\nimage: {entrypoint: ['true']}\n"


def test_profile_of_standard_input(tmp_path: Path) -> None:
    """A profile that is read from a pipe is read once, programs and image settings alike."""
    done = rootgen("make", "-f", "-", "--out", "out", directory=tmp_path, stdin=PROFILE)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out/var/lib/rootgen/manifest.json").read_text())
    assert manifest["programs"] == ["/usr/bin/true"]
    assert manifest["image"]["entrypoint"] == ["true"]


def test_library_without_needs(tmp_path: Path) -> None:
    """A shared library that needs nothing is made as it is: it asks for no loader."""
    link([Thing("liblone.so")], tmp_path)
    succeed("make", "./liblone.so", "--out", "out", directory=tmp_path)
    assert "complete" in succeed("check", "out", directory=tmp_path)


def test_many_that_are_not_there(tmp_path: Path) -> None:
    """Of thousands of names that are wrong a hundred are told, near names for the first few."""
    names = [f"progrm{number}" for number in range(5000)]
    done = rootgen("make", *names, "--out", "out", directory=tmp_path, seconds=60)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "rootgen: 5000 things were not found"
    assert lines[-1] == "  … and 4900 more"
    assert len(lines) == 102


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "ls --add notes:/etc",
            "/etc is a directory\n  hint: the path is the new name: /etc/notes",
        ),
        ("ls --add notes:/opt/", "hint: the path is the new name: /opt/notes"),
        ("ls --add notes:/", "hint: the path is the new name: /notes"),
        ("-f ./over.yaml", "over.yaml:4:9: /usr is a directory"),
        ("./windows", "the line ends as on Windows"),
        (".", "is a directory, not a program"),
        ("./round", "the scripts lead round in a circle"),
    ],
)
def test_refused(tmp_path: Path, arguments: str, message: str) -> None:
    """One message that says what is meant by it, and nothing is written."""
    (tmp_path / "notes").write_text("x\n")
    (tmp_path / "over.yaml").write_text(
        "rootgen: 1\nname: p\nprograms: [ls]\nfiles: [{path: /usr, text: x}]\n"
    )
    (tmp_path / "windows").write_bytes(b"#!/bin/sh\r\necho\r\n")
    (tmp_path / "round").write_text(f"#!{tmp_path}/round\n")
    for name in ("windows", "round"):
        (tmp_path / name).chmod(0o755)
    done = rootgen("make", *arguments.split(), "--out", "out", directory=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_file_in_a_directory(tmp_path: Path) -> None:
    """A file is added beneath a directory of the source, and a directory over one is merged."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/notes").write_text("x\n")
    add = ["--add", "conf/notes:/etc/notes", "--add", "conf:/etc"]
    succeed("make", "true", *add, "--out", "out", directory=tmp_path)
    assert (tmp_path / "out/etc/notes").read_text() == "x\n"
    assert (tmp_path / "out/etc/passwd").exists()


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a b", "'a b'"),
        ("a\n\x1b[2J", r"$'a\n\x1b[2J'"),
        ("it's\t\\", r"$'it\'s\t\\'"),
        ("\udcff", r"$'\xff'"),
    ],
)
def test_next_command(tmp_path: Path, name: str, quoted: str) -> None:
    """What is to be typed next may be pasted, and rewrites no screen."""
    printed = succeed("make", "true", "--out", name, directory=tmp_path)
    assert printed.splitlines()[-1] == f"next: rootgen shell {quoted}"


def test_manifest_is_a_directory(tmp_path: Path) -> None:
    """A directory in the manifest's place is no manifest."""
    succeed("make", "true", "--out", "out", directory=tmp_path)
    (tmp_path / "out/var/lib/rootgen/manifest.json").unlink()
    (tmp_path / "out/var/lib/rootgen/manifest.json").mkdir()
    for command in ("check out", "make true --out out"):
        done = rootgen(*command.split(), directory=tmp_path)
        assert done.returncode == 1
        assert "rootgen did not make it" in done.stderr
    succeed("make", "true", "--out", "out", "--force", directory=tmp_path)


def test_hidden_by_a_mount(tmp_path: Path) -> None:
    """A program beneath /tmp is in the tree, and hidden by the fresh /tmp inside: run says so."""
    shutil.copy("/usr/bin/true", tmp_path / "mine")
    (tmp_path / "bin").mkdir()
    add = ["--add", "mine:/tmp/mine", "--add", "mine:/opt/mine"]
    succeed("make", "true", *add, "--out", "out", directory=tmp_path)
    succeed("run", "out", "--", "/opt/mine", directory=tmp_path)
    done = rootgen("run", "out", "--", "/tmp/mine", directory=tmp_path)
    assert done.returncode == 127
    assert "the tree has it, but /tmp inside is a mount of its own" in done.stderr
    done = rootgen("run", "out", "--", "/tmp/other", directory=tmp_path)
    assert "the tree has it" not in done.stderr
    bind = ["--bind", f"{tmp_path}/bin:/opt"]
    done = rootgen("run", *bind, "out", "--", "/opt/mine", directory=tmp_path)
    assert "/opt inside is a mount of its own" in done.stderr
    done = rootgen("run", "out", "--", "", directory=tmp_path)
    assert done.returncode == 127
    assert done.stderr == "rootgen: the name of the command is empty\n"


def test_additions_keep_their_links(tmp_path: Path) -> None:
    """One file with two names is added as one file, a program as well as data."""
    (tmp_path / "app").mkdir()
    shutil.copy("/usr/bin/true", tmp_path / "app/b")
    (tmp_path / "app/a").hardlink_to(tmp_path / "app/b")
    succeed("make", "true", "--add", "app:/opt/app", "--out", "out", directory=tmp_path)
    tree = tmp_path / "out/opt/app"
    assert (tree / "a").stat().st_ino == (tree / "b").stat().st_ino
    for name in ("a", "b"):
        succeed("run", "out", "--", f"/opt/app/{name}", directory=tmp_path)
    succeed("check", "out", directory=tmp_path)
    succeed("make", "true", "--add", "app:/opt/app", "--out", "out", directory=tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree with some directories in one another."""
    place = tmp_path_factory.mktemp("made")
    (place / "a/b/c/d/e/f/g/h").mkdir(parents=True)
    (place / "a/b/c/d/e/f/g/h/file").write_text("x")
    succeed("make", "bash", "ls", "--add", "a:/a", "--out", "out", directory=place)
    return place / "out"


@pytest.mark.parametrize("limit", range(8, 36, 3))
def test_too_few_descriptors(tmp_path: Path, made: Path, limit: int) -> None:
    """Where no more files may be open a tree is not called changed: what lacks is said."""
    done = subprocess.run(
        ["prlimit", f"--nofile={limit}", ROOTGEN, "check", str(made)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    if done.returncode == 0:
        assert "unchanged" in done.stdout
    else:
        assert done.stderr.startswith("rootgen: ")
        assert "Too many open files" in done.stderr
        assert done.stdout == ""


def test_umask_of_nothing(tmp_path: Path) -> None:
    """A umask that takes from the owner: the whole tree, or one message and nothing left."""
    line = f"umask 0777; {ROOTGEN} make true --out out"
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    if done.returncode == 0:
        succeed("check", "out", directory=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
    else:
        assert done.stderr == "rootgen: cannot write out: Permission denied\n"
        assert list(tmp_path.iterdir()) == []


def test_next_command_of_a_foreign_root(tmp_path: Path) -> None:
    """What this machine cannot run is not offered to be run."""
    program = tmp_path / "root/usr/bin/hello"
    program.parent.mkdir(parents=True)
    program.write_bytes(build(Recipe(machine=258)).data)
    program.chmod(0o755)
    printed = succeed(
        "make", "hello", "--sysroot", "root", "--out", "out", "--bare", directory=tmp_path
    )
    last = "next: rootgen check out     (its programs are for loongarch64)"
    assert printed.splitlines()[-1] == last


def test_output_within_an_addition(tmp_path: Path) -> None:
    """A tree cannot hold the one that was made there before, whatever links lead to it."""
    (tmp_path / "source/below").mkdir(parents=True)
    (tmp_path / "alias").symlink_to("source")
    for out in ("source", "source/out", "alias/below/out"):
        done = rootgen(
            "make", "true", "--add", "source:/srv", "--out", out, "--force", directory=tmp_path
        )
        assert done.returncode == 2
        assert f"--out {out} lies within what --add " in done.stderr
    succeed("make", "true", "--add", "source:/srv", "--out", "source-2", directory=tmp_path)


def test_too_few_descriptors_to_write(tmp_path: Path) -> None:
    """What to do is said with it, and nothing is left behind."""
    done = subprocess.run(
        ["prlimit", "--nofile=12", ROOTGEN, "make", "bash", "ls", "--out", "out"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "  hint: raise the limit of open files: ulimit -n 1024"
    assert not list(tmp_path.iterdir())
