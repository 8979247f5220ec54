"""Start-up is part of every command: nothing is imported before it is used."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# What costs, and what each command may do without (DESIGN, section 6).
_ALWAYS = ["networkx", "elftools", "rich", "importlib.metadata", "subprocess", "socket", "asyncio"]
_BARE = [*_ALWAYS, "click", "typing", "re", "dataclasses", "pathlib", "yaml", "difflib"]
_HELP = [*_ALWAYS, "yaml", "json", "hashlib", "ctypes", "difflib", "concurrent", "tempfile"]

_CODE = """
import os, sys
sys.argv = ["rootgen", *sys.argv[1:]]
before = set(sys.modules)
leave = os._exit
def tell(status):
    print("\\nloaded:", *sorted(set(sys.modules) - before), file=sys.stderr, flush=True)
    leave(status)
os._exit = tell  # how a command ends
from rootgen.cli import main
try:
    main()
except SystemExit as end:
    tell(end.code)
"""


def _loaded(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _, told, modules = done.stderr.rpartition("loaded: ")
    assert told
    return set(modules.split())


def _of(modules: set[str], names: list[str]) -> set[str]:
    return {one for one in modules for name in names if one == name or one.startswith(f"{name}.")}


def test_help() -> None:
    """The help of rootgen imports click, and of rootgen only the table of commands."""
    loaded = _loaded("--help")
    assert not _of(loaded, _HELP)
    assert _of(loaded, ["rootgen"]) <= {
        "rootgen",
        "rootgen.cli",
        "rootgen.cli.command",
        "rootgen.cli.commands",
        "rootgen.cli.entry",
        "rootgen.cli.parse",
        "rootgen.cli.streams",
        "rootgen.cli.with_click",
        "rootgen.errors",
        "rootgen.named",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["deps", "--format", "list", "bash"],
        ["make", "--dry-run", "bash", "ls"],
        ["run", "--explain", "/", "--", "true"],
    ],
    ids=" ".join,
)
def test_a_plain_line(arguments: list[str]) -> None:
    """A well-formed command line needs neither click nor what click brings."""
    assert not _of(_loaded(*arguments), _BARE)


def test_a_directory_is_no_image() -> None:
    """Who launches a directory pays nothing for images."""
    loaded = _loaded("run", "--explain", "/", "--", "true")
    assert not _of(
        loaded, ["rootgen.image", "rootgen.layer", "rootgen.rootfs", "rootgen.api.images"]
    )


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["deps", "--format", "list", "bash"], ["yaml", "hashlib", "json", "difflib", "ctypes"]),
        (["deps", "bash"], ["yaml", "hashlib", "json", "difflib"]),
        (["make", "--dry-run", "bash", "ls"], ["yaml", "difflib"]),
        (["profile", "list"], ["hashlib", "ctypes"]),
    ],
    ids=" ".join,
)
def test_commands(arguments: list[str], without: list[str]) -> None:
    """A command imports what it is about, and not what the others are about."""
    assert not _of(_loaded(*arguments), [*_ALWAYS, *without])


def test_a_tree_is_no_image(tmp_path: Path) -> None:
    """Who packs a directory pays nothing for reading archives."""
    (tmp_path / "tree").mkdir()
    loaded = _loaded("pack", str(tmp_path / "tree"), "--to", "tar", str(tmp_path / "out.tar"))
    assert not _of(loaded, [*_ALWAYS, "rootgen.layer.read", "rootgen.rootfs.kept"])
