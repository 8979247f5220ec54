"""Removing: everything beneath, nothing beside, whatever stands in the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rootgen.rootfs.remove import remove_tree

if TYPE_CHECKING:
    from pathlib import Path


def remove(top: Path, name: str = "tree") -> list[str]:
    """Remove ``name`` in ``top``; return what was left, and why."""
    parent = os.open(top, os.O_RDONLY)
    left = [f"{one.path}: {one.why}" for one in remove_tree(parent, name)]
    os.close(parent)
    return left


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Links to files and directories go; what they lead to stays."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_text("precious")
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/sub/link").symlink_to(tmp_path / "outside")
    (tmp_path / "tree/up").symlink_to("..")
    os.link(tmp_path / "outside/precious", tmp_path / "tree/hard")
    os.mkfifo(tmp_path / "tree/fifo")
    assert remove(tmp_path) == []
    assert os.listdir(tmp_path) == ["outside"]
    assert (tmp_path / "outside/precious").read_text() == "precious"


def test_a_link_is_no_tree(tmp_path: Path) -> None:
    """A link in the place of the tree is left, and so is what it leads to."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree").symlink_to("outside")
    assert remove(tmp_path) == ["tree: Not a directory"]
    assert sorted(os.listdir(tmp_path)) == ["outside", "tree"]


def test_what_is_not_there(tmp_path: Path) -> None:
    """What is gone already is no failure."""
    assert remove(tmp_path) == []


def test_deep(tmp_path: Path) -> None:
    """Deeper than descriptors and paths reach: a contained program may have made it."""
    top = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("tree", dir_fd=top)
    current = os.open("tree", os.O_RDONLY, dir_fd=top)
    for _ in range(1200):
        os.mkdir("deep", dir_fd=current)
        below = os.open("deep", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)
    os.close(top)
    assert remove(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_closed_directories(tmp_path: Path) -> None:
    """Modes of our own that keep us out are no obstacle."""
    (tmp_path / "tree/closed/below").mkdir(parents=True)
    (tmp_path / "tree/closed/below/file").write_text("")
    (tmp_path / "tree/closed/below").chmod(0o555)
    (tmp_path / "tree/closed").chmod(0)
    assert remove(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_wide(tmp_path: Path) -> None:
    """Many files in one directory."""
    (tmp_path / "tree").mkdir()
    for number in range(3000):
        (tmp_path / f"tree/{number}").touch()
    assert remove(tmp_path) == []
    assert os.listdir(tmp_path) == []
