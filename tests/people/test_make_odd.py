"""`rootgen make` of what is seldom asked for: each a bug that was found by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.people.command import rootgen, succeed
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
