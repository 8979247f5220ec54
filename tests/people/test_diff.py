"""`rootgen diff` as people type it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path


def test_two_trees(tmp_path: Path) -> None:
    """What the second has more is +, and the other way round -; the status is diff's."""
    succeed("make", "ls", "--out", "one", directory=tmp_path)
    succeed("make", "ls", "cat", "--out", "two", directory=tmp_path)
    done = rootgen("diff", "one", "two", directory=tmp_path)
    assert (done.returncode, done.stdout) == (1, "+ /usr/bin/cat (file)\n")
    done = rootgen("diff", "two", "one", directory=tmp_path)
    assert (done.returncode, done.stdout) == (1, "- /usr/bin/cat\n")
    assert succeed("diff", "one", "one", directory=tmp_path) == ""


def test_manifest(tmp_path: Path) -> None:
    """A tree against its own manifest is what changed by hand."""
    succeed("make", "ls", "--out", "one", directory=tmp_path)
    (tmp_path / "one/etc/passwd").chmod(0o600)
    manifest = "one/var/lib/rootgen/manifest.json"
    done = rootgen("diff", manifest, "one", directory=tmp_path)
    assert (done.returncode, done.stdout) == (1, "~ /etc/passwd: mode 0644 → 0600\n")
    document = json.loads(rootgen("diff", manifest, "one", "--json", directory=tmp_path).stdout)
    assert (document["command"], document["same"]) == ("diff", False)
    assert document["changed"][0]["fields"] == ["mode"]


def test_times(tmp_path: Path) -> None:
    """Times count where they are asked for."""
    for name in ("one", "two"):
        succeed("make", "ls", "--out", name, directory=tmp_path)
    os.utime(tmp_path / "two/etc/passwd", (5, 5))
    assert succeed("diff", "one", "two", directory=tmp_path) == ""
    done = rootgen("diff", "--times", "one", "two", directory=tmp_path)
    assert (done.returncode, done.stdout) == (1, "~ /etc/passwd: time\n")


def test_any_directories(tmp_path: Path) -> None:
    """Directories that rootgen did not make are compared as they are."""
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/file").write_text(name)
    done = rootgen("diff", "one", "two", directory=tmp_path)
    assert (done.returncode, done.stdout) == (1, "~ /sub/file: content\n")


def test_neither(tmp_path: Path) -> None:
    """What is no tree and no manifest is said so."""
    (tmp_path / "file").write_text("words\n")
    assert "no does not exist" in rootgen("diff", "no", ".", directory=tmp_path).stderr
    done = rootgen("diff", ".", "file", directory=tmp_path)
    assert done.returncode == 1
    assert "not that of a manifest" in done.stderr


def test_no_manifest(tmp_path: Path) -> None:
    """A fifo, a device or a directory of something else is refused at once."""
    succeed("make", "ls", "--out", "one", directory=tmp_path)
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "/dev/zero"):
        done = rootgen("diff", "one", name, directory=tmp_path, seconds=20)
        assert done.returncode == 1
        assert f"{name} is neither a tree nor the file of a manifest" in done.stderr
