"""Nothing of the old root is left, whatever the new one is made of: no filter and no Landlock."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.attacks.scene import programs
from tests.sandbox.tree import build_tree, launch, shell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_OPTIONS: tuple[list[str], ...] = (
    [],
    ["--ephemeral"],
    ["--ephemeral-size", "16M"],
    ["--read-only"],
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a tree with the attack programs in it."""
    tree = build_tree(tmp_path / "tree")
    shutil.copy(programs(), tree / "bin/attack")
    return tree


@pytest.mark.parametrize("options", _OPTIONS, ids=" ".join)
def test_dotdot(tree: Path, options: Sequence[str]) -> None:
    """Up from / is /, also where something was mounted over the old root meanwhile."""
    names = shell(tree, "ls /..", [*options, "--seccomp", "none"])
    assert names.split() == sorted(os.listdir(tree))


@pytest.mark.parametrize("options", _OPTIONS, ids=" ".join)
def test_mounts(tree: Path, options: Sequence[str]) -> None:
    """One mount is at /, and none is where only the host has a place."""
    script = "cut -d' ' -f5 /proc/self/mountinfo"
    points = shell(tree, script, [*options, "--seccomp", "none"]).split()
    assert points.count("/") == 1
    assert {point.split("/")[1] for point in points} <= {"", "proc", "sys", "dev", "tmp"}


@pytest.mark.parametrize("way", ["chroot_descriptor", "chroot_dotdot"])
@pytest.mark.parametrize("options", _OPTIONS[:3], ids=" ".join)
def test_second_chroot(tree: Path, tmp_path: Path, way: str, options: Sequence[str]) -> None:
    """Who changes its root again finds no way up either."""
    (tmp_path / "secret").write_text("found")
    command = ["/bin/attack", way, str(tmp_path / "secret")]
    done = launch(tree, *command, options=[*options, "--seccomp", "none"])
    assert b"No such file or directory" in done.stdout
    assert b"SUCCEEDED" not in done.stdout
