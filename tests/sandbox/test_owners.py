"""Whose files are inside, and what --explain says where that is not as the manifest has it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.tree import ROOTGEN, launch, output

if TYPE_CHECKING:
    from pathlib import Path

_PROFILE = """\
rootgen: 1
name: owned
programs: [/bin/ls, /bin/stat]
files:
  - {path: /srv/app.conf, text: "x", owner: app}
users: [{name: app, uid: 1000, home: /home/app, shell: /bin/sh}]
"""


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """Make a tree whose manifest gives some files to a user."""
    (tmp_path / "owned.yaml").write_text(_PROFILE)
    made = subprocess.run(
        [ROOTGEN, "make", "-f", str(tmp_path / "owned.yaml"), "--out", str(tmp_path / "owned")],
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr.decode()
    return tmp_path / "owned"


@pytest.mark.parametrize("options", [[], ["--ephemeral"]])
def test_owners(owned: Path, options: list[str]) -> None:
    """Made by root, files are whose the manifest says; by an ordinary user they are root's."""
    expected = "1000:1000" if os.geteuid() == 0 else "0:0"
    shown = output(
        owned, "stat", "-c", "%u:%g", "/home/app", "/srv/app.conf", "/bin", options=options
    )
    assert shown.split() == [expected, expected, "0:0"]


def test_explained(owned: Path) -> None:
    """Where they are not the manifest's, --explain says so, and nothing else does."""
    done = launch(owned, "ls", options=["--explain"])
    assert done.returncode == 0
    if os.geteuid() == 0:
        assert done.stderr == b""
        os.chown(owned / "srv/app.conf", 7, 8)
        os.chown(owned / "home/app", 7, 8)
        done = launch(owned, "ls", options=["--explain"])
        told = b"/home/app and 1 more: the manifest says 1000:1000, inside it is 7:8's"
    else:
        told = b"/home/app and 1 more: the manifest says 1000:1000, inside it is 0:0's"
    assert told in done.stderr
    assert launch(owned, "ls").stderr == b""


def test_manifest_that_is_none(owned: Path) -> None:
    """A manifest that a program inside rewrote tells nothing, and stops nothing."""
    manifest = owned / "var/lib/rootgen/manifest.json"
    for content in (b"", b"{}", b"\xff\x00", b"[" * 100_000):
        manifest.write_bytes(content)
        done = launch(owned, "ls", options=["--explain"])
        assert done.returncode == 0
        assert b"the manifest says" not in done.stderr
