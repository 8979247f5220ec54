"""Scanning what anyone may have made: bounded, no link followed, nothing waited for."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import TreeError
from rootgen.plan.entry import EntryKind
from rootgen.rootfs import scan
from rootgen.rootfs.drift import drift_of
from rootgen.rootfs.scan import look, open_tree, read_manifest, scan_tree
from tests.rootfs.plans import directory, file, link, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rootgen.rootfs.drift import Drift
    from rootgen.rootfs.scan import Seen


def looked(top: Path) -> Seen:
    """Return what is seen of a directory."""
    root = open_tree(str(top))
    try:
        return look(root)
    finally:
        os.close(root)


def test_kinds(tmp_path: Path) -> None:
    """A fifo is not opened, a link not followed, a socket noted."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "file").write_text("abc")
    os.link(tmp_path / "file", tmp_path / "again")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    server.close()
    seen = looked(tmp_path)
    assert {path: entry.kind for path, entry in seen.plan.items()} == {
        "/": EntryKind.DIRECTORY,
        "/again": EntryKind.FILE,
        "/fifo": EntryKind.FIFO,
        "/file": EntryKind.HARDLINK,
        "/out": EntryKind.SYMLINK,
    }
    assert seen.plan["/file"].target == "/again"
    assert [(note.path, note.what) for note in seen.unheld] == [("/socket", "a socket")]


def test_hard_links_across_directories(tmp_path: Path) -> None:
    """The file is the name that is first in the order of a Plan, wherever it is found first."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("abc")
    os.link(tmp_path / "b", tmp_path / "a/x")
    plan = looked(tmp_path).plan
    assert plan["/a/x"].kind is EntryKind.FILE
    assert plan["/a/x"].sha256
    assert plan["/b"].target == "/a/x"


def test_too_deep(tmp_path: Path) -> None:
    """Nesting without end is refused, not followed."""
    (tmp_path / "/".join("d" * 600)).mkdir(parents=True)
    with pytest.raises(TreeError, match="more than 512 deep"):
        scan_tree(str(tmp_path))


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries without end are refused."""
    monkeypatch.setattr(scan, "_MOST", 10)
    for number in range(20):
        (tmp_path / str(number)).touch()
    with pytest.raises(TreeError, match="more than 10 entries"):
        scan_tree(str(tmp_path))


def test_no_tree(tmp_path: Path) -> None:
    """What is no directory is said so."""
    (tmp_path / "file").touch()
    for name, why in (("file", "Not a directory"), ("no", "No such file")):
        with pytest.raises(TreeError, match=why):
            scan_tree(str(tmp_path / name))


def drifted(top: Path) -> Drift:
    """Compare a tree with its manifest."""
    root = open_tree(str(top))
    try:
        manifest = read_manifest(root)
        assert manifest is not None
        return drift_of(root, manifest)
    finally:
        os.close(root)


def _same_size_and_time(top: Path) -> None:
    times = os.stat(top / "a")
    (top / "a").write_bytes(b"atad")
    os.utime(top / "a", ns=(times.st_atime_ns, times.st_mtime_ns))


def _replace_by_link(top: Path) -> None:
    (top / "a").unlink()
    (top / "a").symlink_to("b")


def _retarget(top: Path) -> None:
    (top / "l").unlink()
    (top / "l").symlink_to("b")


ROWS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "nothing": (lambda top: top, []),
    "a time": (lambda top: os.utime(top / "a", (5, 5)), []),
    "content": (_same_size_and_time, ["/a: content changed"]),
    "mode": (lambda top: (top / "a").chmod(0o600), ["/a: mode changed"]),
    "set-user-ID": (lambda top: (top / "a").chmod(0o4644), ["/a: mode changed"]),
    "gone": (lambda top: (top / "a").unlink(), ["/a is gone"]),
    "added": (lambda top: (top / "d/new").touch(), ["/d/new was added"]),
    "kind": (_replace_by_link, ["/a: kind, mode, size, target, content changed"]),
    "link": (_retarget, ["/l: target changed"]),
}


@pytest.mark.parametrize("name", ROWS)
def test_drift(tmp_path: Path, name: str) -> None:
    """Each change is told, and what is no change is not."""
    change, words = ROWS[name]
    write([file("/a"), file("/b"), directory("/d"), link("/l", "a")], tmp_path / "out")
    change(tmp_path / "out")
    assert list(drifted(tmp_path / "out").words()) == words


@pytest.mark.root
def test_owner_drift(tmp_path: Path) -> None:
    """In a tree that root made a change of owner is drift, in an ordinary user's as well."""
    write([file("/a"), file("/b")], tmp_path / "out")
    os.chown(tmp_path / "out/a", 5, 0)
    assert list(drifted(tmp_path / "out").words()) == ["/a: owner changed"]
    for name in ("", "b", "var", "var/lib", "var/lib/rootgen"):
        os.chown(tmp_path / "out" / name, 1000, 1000)
    assert list(drifted(tmp_path / "out").words()) == ["/a: owner changed"]
