"""`rootgen profile` as people type it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = {"base/posix", "git", "python3", "rescue", "sshd-jail"}


def test_list() -> None:
    """Each shipped profile has a line that says what it is for."""
    lines = succeed("profile", "list").splitlines()
    assert {line.split()[0] for line in lines} >= SHIPPED
    assert all(len(line.split()) > 2 for line in lines)
    document = json.loads(succeed("profile", "list", "--json"))
    assert {one["name"] for one in document["profiles"]} >= SHIPPED
    assert document["rootgen"] == 1


def test_lint(tmp_path: Path) -> None:
    """Every mistake of every file, each with its place; what is right is said so."""
    (tmp_path / "good.yaml").write_text("rootgen: 1\nname: good\nprograms: [ls]\n")
    (tmp_path / "bad.yaml").write_text("rootgen: 1\nname: bad\nprogrms: [ls]\nusers: 5\n")
    assert succeed("profile", "lint", "good.yaml", directory=tmp_path) == "good.yaml: no mistakes\n"
    done = rootgen("profile", "lint", "git", "./bad.yaml", "no.yaml", directory=tmp_path)
    assert done.returncode == 1
    assert done.stdout == "git: no mistakes\n"
    assert "bad.yaml:3:1: " in done.stderr
    assert "bad.yaml:4:" in done.stderr
    assert "no profile file" in done.stderr


def test_shipped() -> None:
    """What is shipped has no mistakes."""
    succeed("profile", "lint", *sorted(SHIPPED))


def test_usage() -> None:
    """No file, no such command: usage, with the nearest."""
    assert rootgen("profile", "lint").returncode == 2
    done = rootgen("profile", "lsit")
    assert done.returncode == 2
    assert "list" in done.stderr
