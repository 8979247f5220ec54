"""The main job, as the README has it: make bash ls, look inside, be inside."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.people.command import ROOTGEN, succeed
from tests.sandbox.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORIES = "bin dev etc home lib lib64 mnt opt proc root run sbin sys tmp usr var".split()


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tree of the README once."""
    out = tmp_path_factory.mktemp("main") / "rootfs"
    succeed("make", "bash", "ls", "--out", str(out))
    return out


def test_summary(tmp_path: Path) -> None:
    """`make` ends with what was made and the next command to type."""
    printed = succeed("make", "bash", "ls", "--out", "./rootfs", directory=tmp_path).splitlines()
    assert printed[0].startswith("./rootfs: 2 programs, 5 libraries, 4 other files, ")
    assert printed[-1] == "next: rootgen shell ./rootfs"


def test_list_of_the_root(rootfs: Path) -> None:
    """`ls /` shows the standard directories and nothing of the host."""
    assert succeed("run", str(rootfs), "--", "ls", "/").split() == DIRECTORIES
    assert succeed("run", str(rootfs), "--", "ls", "/home", "/opt", "/mnt").split() == [
        "/home:",
        "/mnt:",
        "/opt:",
    ]


def test_plain_chroot(rootfs: Path) -> None:
    """With no rootgen in the way it works as well."""
    command = ["chroot", str(rootfs), "/bin/bash", "-c", "ls /"]
    if os.geteuid() != 0:
        command = ["unshare", "--user", "--map-root-user", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == DIRECTORIES


def test_shell(rootfs: Path) -> None:
    """`rootgen shell` is an interactive bash in the tree; `exit 3` gives 3."""
    with Terminal([ROOTGEN, "shell", str(rootfs)], rows=30, columns=90) as terminal:
        terminal.send("PS1='>''>'\n")
        terminal.expect(">>")
        terminal.run("ls /", r"bin +dev +etc")
        terminal.run("echo [$-]", r"\n\[[a-zA-Z]*m[a-zA-Z]*\]\r\n")
        # What a person types there is kept in the tree, as with chroot; not in this one.
        terminal.send("unset HISTFILE; exit 3\n")
        assert terminal.wait() == 3


def test_why(rootfs: Path) -> None:
    """`rootgen why` tells the chain from bash to its library."""
    library = "/usr/lib/x86_64-linux-gnu/libtinfo.so.6"
    printed = succeed("why", str(rootfs), library)
    assert "/usr/bin/bash" in printed
    assert "libtinfo.so.6" in printed
    assert "bash" in printed


def test_untouched(rootfs: Path) -> None:
    """A tree that was only looked at is still as it was made."""
    succeed("check", str(rootfs))


def test_same_in_same_out(tmp_path: Path) -> None:
    """Two runs give the same bytes, times and manifest."""
    succeed("make", "bash", "ls", "--out", str(tmp_path / "one"))
    succeed("make", "ls", "bash", "--out", str(tmp_path / "two"))
    manifests = [
        (tmp_path / name / "var/lib/rootgen/manifest.json").read_bytes() for name in ("one", "two")
    ]
    assert manifests[0] == manifests[1]
    tar = ["tar", "--sort=name", "--numeric-owner", "-C"]
    archives = [
        subprocess.run(
            [*tar, str(tmp_path / name), "-cf", "-", "."], capture_output=True, check=True
        ).stdout
        for name in ("one", "two")
    ]
    assert archives[0] == archives[1]
