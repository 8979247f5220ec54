"""`rootgen check` as people type it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path


def made(tmp_path: Path) -> Path:
    """Make a tree."""
    succeed("make", "bash", "ls", "--out", str(tmp_path / "rootfs"))
    return tmp_path / "rootfs"


def test_fresh(tmp_path: Path) -> None:
    """A tree as it was made: one line, status 0, whoever made it."""
    rootfs = made(tmp_path)
    assert succeed("check", str(rootfs)).endswith("2 programs complete\n")
    document = json.loads(succeed("check", str(rootfs), "--json"))
    assert document["clean"] is True
    assert document["digest"].startswith("sha256:")


def test_used(tmp_path: Path) -> None:
    """A tree that programs ran in is as it was made, unless they wrote something."""
    rootfs = made(tmp_path)
    succeed("run", str(rootfs), "--", "ls", "/")
    succeed("check", str(rootfs))
    succeed("run", str(rootfs), "--", "bash", "-c", "echo x >/home/new")
    done = rootgen("check", str(rootfs))
    assert (done.returncode, done.stdout.split()[:2]) == (1, ["+", "/home/new"])


def test_library_lost(tmp_path: Path) -> None:
    """A library that went is told twice: as drift, and as what bash does not find."""
    rootfs = made(tmp_path)
    for path in list(rootfs.glob("usr/lib/*/libtinfo.so.*")):
        path.unlink()
    done = rootgen("check", str(rootfs))
    assert done.returncode == 1
    assert "- /usr/lib/" in done.stdout
    assert "! /usr/bin/bash: libtinfo.so.6: not found; /usr/bin/bash wants it" in done.stdout
    document = json.loads(rootgen("check", str(rootfs), "--json").stdout)
    assert document["missing"][0]["program"] == "/usr/bin/bash"


def test_library_swapped_out(tmp_path: Path) -> None:
    """A link to the host's library leads nowhere inside the tree."""
    rootfs = made(tmp_path)
    link = next(rootfs.glob("usr/lib/*/libtinfo.so.6"))
    real = os.path.realpath(link)
    shutil.copy(real, tmp_path / "libtinfo")
    os.unlink(real)
    link.unlink()
    link.symlink_to(tmp_path / "libtinfo")
    done = rootgen("check", str(rootfs))
    assert "! /usr/bin/bash: libtinfo.so.6" in done.stdout


def test_program_damaged(tmp_path: Path) -> None:
    """A program that is cut off, or gone, is named."""
    rootfs = made(tmp_path)
    with open(rootfs / "usr/bin/ls", "r+b") as file:
        file.truncate(70)
    (rootfs / "usr/bin/bash").unlink()
    done = rootgen("check", str(rootfs))
    assert done.returncode == 1
    assert "! /usr/bin/ls" in done.stdout
    assert "! /usr/bin/bash" in done.stdout


@pytest.mark.parametrize("profile", ["base/posix", "git"])
def test_profiles(tmp_path: Path, profile: str) -> None:
    """A fresh tree of a profile is clean: scripts and data that never had an interpreter too."""
    succeed("make", "-f", profile, "--out", str(tmp_path / "rootfs"))
    succeed("check", str(tmp_path / "rootfs"))


def test_forged_manifest(tmp_path: Path) -> None:
    """A manifest that was rewritten no longer has the digest of its entries."""
    rootfs = made(tmp_path)
    path = rootfs / "var/lib/rootgen/manifest.json"
    path.write_text(path.read_text().replace('"mode":"0755"', '"mode":"4755"'))
    done = rootgen("check", str(rootfs))
    assert done.returncode == 1
    assert "digest is not that of its entries" in done.stderr


def test_files_are_not_counted_as_programs(tmp_path: Path) -> None:
    """Programs are those that were asked for, not every file that has a closure of its own."""
    library = os.path.realpath("/lib64/ld-linux-x86-64.so.2")
    rootfs = str(tmp_path / "rootfs")
    succeed("make", "true", "--add", f"{library}:/opt/data", "--out", rootfs)
    assert succeed("check", rootfs).endswith(", 1 program complete\n")
