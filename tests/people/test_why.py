"""`rootgen why` as people type it."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make one tree for all."""
    out = str(tmp_path_factory.mktemp("why") / "rootfs")
    succeed("make", "bash", "ls", "--out", out)
    return out


def library(rootfs: str, stem: str) -> str:
    """Return the path of a library in the tree, whatever machine this is."""
    for top, _, files in os.walk(rootfs):
        for name in sorted(files):
            if name.startswith(stem):
                return os.path.join(top, name).removeprefix(rootfs)
    raise AssertionError(stem)


def test_through_links(rootfs: str) -> None:
    """The chain goes from bash to the library, through the link that it is asked for by."""
    asked = library(rootfs, "libtinfo.so")
    lines = succeed("why", rootfs, asked).splitlines()
    assert lines[0].startswith(f"{asked} -> ")
    assert any(line.startswith("  /usr/bin/bash  asked for as bash") for line in lines)
    assert any("needed by /usr/bin/bash (DT_NEEDED libtinfo.so" in line for line in lines)
    assert f"  {asked}" in lines  # the link would go with it


def test_merged_usr(rootfs: str) -> None:
    """/bin/bash is found where /bin leads; what only bash needs would go with it."""
    printed = succeed("why", rootfs, "/bin/bash")
    assert printed.startswith("/bin -> usr/bin\n/usr/bin/bash (file, ")
    assert "libtinfo" in printed
    assert "libc.so" not in printed


def test_shared(rootfs: str) -> None:
    """What two programs need has a chain from each, and takes nothing along."""
    printed = succeed("why", rootfs, "libc.so.6")
    assert "/usr/bin/bash  asked for as bash" in printed
    assert "/usr/bin/ls  asked for as ls" in printed
    assert "nothing else would go with it" in printed


def test_skeleton(rootfs: str) -> None:
    """What every tree has says so."""
    assert "standard in every root file system" in succeed("why", rootfs, "/etc/passwd")


def test_json(rootfs: str) -> None:
    """The document has the chains as paths and kinds."""
    document = json.loads(succeed("why", rootfs, "/bin/bash", "--json"))
    assert (document["rootgen"], document["command"]) == (1, "why")
    assert document["entry"]["path"] == "/usr/bin/bash"
    assert document["chains"] == [
        [{"path": "/usr/bin/bash", "kind": "requested", "by": "", "detail": "bash"}]
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/usr/bin/bahs", "/usr/bin/bahs is not in .*\n  hint: did you mean /usr/bin/bash"),
        ("bahs", "did you mean /usr/bin/bash"),
        ("/../../etc/shadow", "/../../etc/shadow is not in"),
        ("lib", "is the name of 3 paths; which\\?"),
        ("/tmp/late", "came there after the tree was made\n  hint: rootgen check"),
    ],
)
def test_misses(rootfs: str, path: str, message: str) -> None:
    """A miss names what is near; what came later is told apart."""
    with open(f"{rootfs}/tmp/late", "w", encoding="ascii") as file:
        file.write("x")
    done = rootgen("why", rootfs, path)
    assert done.returncode == 1
    assert re.search(message, done.stderr), done.stderr


def test_no_manifest(tmp_path: Path) -> None:
    """A directory that rootgen did not make has no reasons; a hostile manifest is an error."""
    assert "rootgen did not make it" in rootgen("why", str(tmp_path), "/x").stderr
    (tmp_path / "var/lib/rootgen").mkdir(parents=True)
    (tmp_path / "var/lib/rootgen/manifest.json").write_text("[" * 10_000 + "\n")
    done = rootgen("why", str(tmp_path), "/x")
    assert done.returncode == 1
    assert "not that of a manifest" in done.stderr
    assert "cannot read the tree" in rootgen("why", str(tmp_path / "no"), "/x").stderr
