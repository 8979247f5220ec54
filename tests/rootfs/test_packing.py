"""A tree as it is packed: what it is meant to be, and files that are no longer what they were."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import PlanError, TreeError
from rootgen.plan.entry import Entry, EntryKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.rootfs.packing import PackedTree
from rootgen.rootfs.scan import scan_tree
from tests.rootfs.plans import WHY, directory, file, link, write

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = (
    file("/a", b"a", 0o4755)._replace(uid=5, gid=7, mtime=9),
    directory("/d")._replace(uid=5),
    file("/d/b"),
    link("/l", "a"),
    Entry("/null", EntryKind.CHARACTER, 0o666, device=(1, 3), reasons=WHY),
)


def test_as_scanned(tmp_path: Path) -> None:
    """It is what a scan says, without digests and with the manifest; owners as intended."""
    write(ENTRIES, tmp_path / "out")
    with PackedTree(str(tmp_path / "out")) as tree:
        meant = tree.meant()
        contents = {
            entry.path: tree.contents.open(entry).pread(1 << 20, 0) for entry in meant.plan.files()
        }
    scanned = scan_tree(str(tmp_path / "out"))
    manifest = meant.plan[MANIFEST_PATH]
    assert manifest[1:6] == (EntryKind.FILE, 0o644, 0, 0, 0)
    others = Plan(entry for path, entry in meant.plan.items() if path != MANIFEST_PATH)
    assert others == Plan(entry._replace(sha256="") for entry in scanned.entries())
    assert others["/a"][2:6] == (0o4755, 5, 7, 9)
    assert others["/null"].device == (1, 3)
    assert contents == {
        "/a": b"a", "/d/b": b"data",
        MANIFEST_PATH: (tmp_path / f"out{MANIFEST_PATH}").read_bytes(),
    }  # fmt: skip
    assert meant.notes == ()


def test_any_directory(tmp_path: Path) -> None:
    """A directory without a manifest is packed as it stands, and that is noted."""
    (tmp_path / "f").write_bytes(b"f")
    with PackedTree(str(tmp_path)) as tree:
        meant = tree.meant()
    assert meant.plan["/f"][3:5] == (os.geteuid(), os.stat(tmp_path / "f").st_gid)
    assert [note.what for note in meant.notes] == [
        "no manifest: owners are as they stand in the tree"
    ]


def test_damaged_manifest(tmp_path: Path) -> None:
    """A manifest that is none of ours is an error, not ignored."""
    write(ENTRIES, tmp_path / "out")
    os.truncate(tmp_path / f"out{MANIFEST_PATH}", 100)
    with PackedTree(str(tmp_path / "out")) as tree, pytest.raises(PlanError):
        tree.meant()


@pytest.mark.parametrize("what", ["gone", "a link", "a fifo", "a directory"])
def test_changed(tmp_path: Path, what: str) -> None:
    """A file that is no file any more when it is opened is told; no link is followed."""
    (tmp_path / "f").write_bytes(b"f")
    with PackedTree(str(tmp_path)) as tree:
        entry = tree.meant().plan["/f"]
        os.unlink(tmp_path / "f")
        if what == "a link":
            (tmp_path / "f").symlink_to("/etc/passwd")
        elif what == "a fifo":
            os.mkfifo(tmp_path / "f")
        elif what == "a directory":
            (tmp_path / "f").mkdir()
        with pytest.raises(TreeError, match="/f of the tree"):
            tree.contents.open(entry)


def test_interrupted(tmp_path: Path) -> None:
    """Nothing stays open after an error, even as long as somebody looks at that."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(b"f")
    before = os.listdir("/proc/self/fd")

    def read() -> None:
        with PackedTree(str(tmp_path)) as tree, tree.stream() as stream:
            for entry in stream.entries((0, 0)):
                if entry.kind is EntryKind.FILE:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        read()
    assert caught.value is not None
    assert os.listdir("/proc/self/fd") == before
