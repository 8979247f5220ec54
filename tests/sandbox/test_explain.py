"""--explain: the Launch told before anything is done."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.sandbox.tree import launch

if TYPE_CHECKING:
    from pathlib import Path


def test_three_acts(tree: Path) -> None:
    """The acts stand in their order, each with the shell command that would do the same."""
    done = launch(tree, "touch", "/var/done", options=["--explain"])
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    places = [re.search(word, text, re.IGNORECASE) for word in ("namespaces", "limits", "root")]
    assert all(places)
    starts = [place.start() for place in places if place is not None]
    assert starts == sorted(starts)
    for command in ("unshare", "mount", "pivot_root", "/proc", "/dev/pts", "touch"):
        assert command in text


def test_nothing_is_done(tree: Path) -> None:
    """Explaining launches nothing."""
    launch(tree, "touch", "/var/done", options=["--explain"])
    assert not (tree / "var/done").exists()


def test_json(tree: Path) -> None:
    """The same as JSON, with every mount and the command."""
    done = launch(tree, "true", options=["--explain", "--json"])
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    text = json.dumps(told)
    for word in ("/proc", "/sys", "/dev/pts", "true", "devpts"):
        assert word in text
