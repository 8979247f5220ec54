"""Squashfs and EROFS images of ours, as their own tools read them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.image.compress import COMPRESSIONS
from rootgen.plan.entry import EntryKind
from rootgen.plan.plan import Plan
from rootgen.rootfs.scan import scan_tree
from tests.image.mountable import erofs, mountable, squashfs
from tests.layer.archives import bare, directory
from tests.truth.archive_tree import whole

if TYPE_CHECKING:
    from pathlib import Path

ROOT = os.geteuid() == 0


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_unsquashfs(tmp_path: Path, compress: str) -> None:
    """``unsquashfs`` gives back the tree: modes, owners, times, attributes, links, devices."""
    plan = whole(root=ROOT)
    (tmp_path / "image").write_bytes(squashfs(plan, compress))
    done = subprocess.run(
        ["unsquashfs", "-no-progress", "-quiet", "-dest", "out", "image"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = list(map(str, scan_tree(str(tmp_path / "out")).entries()))
    expected = [str(entry._replace(mtime=max(0, entry.mtime))) for entry in bare(plan).entries()]
    assert found == expected


def test_unsquashfs_of_many(tmp_path: Path) -> None:
    """It lists every name of a tree of thousands, and is not told of a damage."""
    plan = mountable()
    (tmp_path / "image").write_bytes(squashfs(plan))
    done = subprocess.run(
        ["unsquashfs", "-no-progress", "-lc", "-dest", "", tmp_path / "image"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    listed = done.stdout.decode("utf-8", "surrogateescape")
    names = {path for path in plan if "\n" not in path and "\x01" not in path}
    assert names - {"/"} <= {*listed.split("\n")} | {
        path for path, entry in plan.items() if entry.kind is EntryKind.DIRECTORY
    }


def test_fsck(tmp_path: Path) -> None:
    """``fsck.erofs`` finds no error, and extracts what was packed."""
    plan = mountable()
    (tmp_path / "image").write_bytes(erofs(plan))
    told = _fsck(tmp_path)
    assert "No errors found" in told
    assert "<E>" not in told
    plan = Plan(
        entry
        for entry in plan.entries()
        if entry.kind in {EntryKind.DIRECTORY, EntryKind.FILE}
        and not entry.path.startswith("/deep")
    )
    (tmp_path / "image").write_bytes(erofs(plan))
    done = subprocess.run(
        ["fsck.erofs", "--extract=out", "--no-preserve-owner", "--preserve-perms", "image"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = scan_tree(str(tmp_path / "out"))
    assert list(found) == list(plan)
    assert [entry.sha256 for entry in found.files()] == [
        entry.sha256 for entry in bare(plan).files()
    ]


def test_dump(tmp_path: Path) -> None:
    """``dump.erofs`` tells the superblock that was meant, and accepts its checksum."""
    (tmp_path / "image").write_bytes(erofs(Plan([directory("/")])))
    done = subprocess.run(
        ["dump.erofs", "-s", tmp_path / "image"], capture_output=True, text=True, check=True
    )
    told = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert told["Filesystem inode count"].strip() == "1"
    assert told["Filesystem features"].split() == ["sb_csum", "mtime"]
    assert "Thu Jan  1 00:00:00 1970" in told["Filesystem created"]
    damaged = bytearray((tmp_path / "image").read_bytes())
    damaged[1100] ^= 1
    (tmp_path / "image").write_bytes(damaged)
    assert "failed to verify superblock checksum" in _fsck(tmp_path)


def _fsck(place: Path) -> str:
    """Return what fsck.erofs says of an image: its exit status is 0 whatever it finds."""
    done = subprocess.run(
        ["fsck.erofs", "-d3", "image"], cwd=place, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_mksquashfs_of_ours(tmp_path: Path) -> None:
    """It is not much larger than what mksquashfs makes of the same."""
    places = ("/sizes", "/many")
    plan = Plan(
        one
        for one in mountable().entries()
        if one.path == "/" or (one.path.startswith(places) and not one.xattrs)
    )
    (tmp_path / "image").write_bytes(squashfs(plan, "gzip"))
    subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-d", "out", "image"],
                   cwd=tmp_path, check=True, capture_output=True)  # fmt: skip
    subprocess.run(["mksquashfs", "out", "theirs", "-quiet", "-no-progress"],
                   cwd=tmp_path, check=True, capture_output=True)  # fmt: skip
    ours, theirs = (os.stat(tmp_path / name).st_size for name in ("image", "theirs"))
    assert ours <= 1.1 * theirs
