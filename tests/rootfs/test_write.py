"""Writing: what is kept, what is noted, what is refused; whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import PlanError, RootgenError, SysrootError, TreeError
from rootgen.linux import rename
from rootgen.plan.entry import Entry, EntryKind, FromSysroot
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.rootfs import populate, work
from rootgen.rootfs.scan import scan_tree
from rootgen.sysroot.directory import DirectorySysroot
from tests.rootfs.plans import WHY, directory, file, link, plan_of, write

if TYPE_CHECKING:
    from pathlib import Path


def from_root(path: str, size: int, mode: int = 0o644) -> Entry:
    """Return a file whose bytes are at the same path of the root that is read."""
    return Entry(path, EntryKind.FILE, mode, size=size, content=FromSysroot(path), reasons=WHY)


@pytest.mark.parametrize("way", ["few", "many", "many, in threads"])
def test_holes_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Bytes and holes are the source's, however many files are written at once."""
    if way != "few":
        monkeypatch.setattr(populate, "_FEW", 0)
    if way == "many, in threads":
        monkeypatch.setattr(work, "MUCH", 0)
    source = tmp_path / "source"
    source.mkdir()
    entries = []
    for number in range(100):
        data = os.urandom(number * 100)
        (source / f"f{number}").write_bytes(data)
        entries.append(from_root(f"/f{number}", len(data)))
    with open(source / "holes", "wb") as sparse:
        sparse.truncate(64 << 20)
        sparse.seek(32 << 20)
        sparse.write(b"x" * 4096)
    entries.append(from_root("/holes", 64 << 20))
    for _ in range(2):  # new, then replaced
        written = write(entries, tmp_path / "out", sysroot=DirectorySysroot(str(source)))
        assert [note for note in written.notes if note.path != "/"] == []
        for name in os.listdir(source):
            assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
        assert (tmp_path / "out/holes").stat().st_blocks * 512 < 1 << 20
        bare = Plan(entry._replace(content=None) for entry in written.plan.entries())
        assert scan_tree(str(tmp_path / "out")) == bare


def test_changed_while_read(tmp_path: Path) -> None:
    """A source that is shorter or longer than it was is noted; the entry has its true size."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_bytes(b"12345")
    root = DirectorySysroot(str(tmp_path / "source"))
    for size, kept in ((9, b"12345"), (2, b"12")):
        written = write([from_root("/a", size)], tmp_path / f"out{size}", sysroot=root)
        assert (tmp_path / f"out{size}/a").read_bytes() == kept
        assert written.plan["/a"].size == len(kept)
        assert "it changed while it was read" in written.notes[0].what


def test_privileged_modes(tmp_path: Path) -> None:
    """Set-user-ID, sticky and closed modes are the Plan's."""
    entries = [file("/su", mode=0o6755), file("/closed", mode=0), directory("/t", 0o1777)]
    write(entries, tmp_path / "out")
    modes = {
        name: stat.S_IMODE(os.stat(tmp_path / "out" / name).st_mode)
        for name in ("su", "closed", "t")
    }
    assert modes == {"su": 0o6755, "closed": 0, "t": 0o1777}


@pytest.mark.root
def test_capability_and_owner(tmp_path: Path) -> None:
    """Root keeps owners, file capabilities and devices; nothing is noted."""
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    entries = [
        file("/ping")._replace(xattrs=(("security.capability", capability),), uid=5, gid=6),
        Entry("/null", EntryKind.CHARACTER, 0o666, device=(1, 3), reasons=WHY),
    ]
    written = write(entries, tmp_path / "out")
    assert written.notes == ()
    assert os.getxattr(tmp_path / "out/ping", "security.capability") == capability
    status = os.stat(tmp_path / "out/ping")
    assert (status.st_uid, status.st_gid) == (5, 6)
    assert os.stat(tmp_path / "out/null").st_rdev == os.makedev(1, 3)


def test_ordinary_user(tmp_path: Path) -> None:
    """What an ordinary user cannot keep is one note for each kind of thing."""
    if os.geteuid() == 0:
        script = (
            "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
            "import tests.rootfs.test_write as t; from pathlib import Path;"
            "t.ordinary(Path(sys.argv[1]))"
        )
        tmp_path.chmod(0o777)
        # The directories above are pytest's own: entered beforehand, not by name.
        subprocess.run(
            [sys.executable, "-c", script, "."],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
            check=True,
        )
    else:
        ordinary(tmp_path)


def ordinary(top: Path) -> None:
    """Write, as an ordinary user, what belongs to others; look at the notes and the scan."""
    entries = [
        file("/a")._replace(uid=5),
        file("/b")._replace(uid=6, xattrs=(("security.capability", b"x" * 20),)),
        Entry("/null", EntryKind.CHARACTER, 0o666, device=(1, 3), reasons=WHY),
        Entry("/zero", EntryKind.CHARACTER, 0o666, device=(1, 5), reasons=WHY),
    ]
    written = write(entries, top / "out")
    said = {note.path: note.what for note in written.notes}
    assert set(said) == {"/", "/b", "/null"}
    assert said["/"].startswith("owners: all files are yours")
    assert said["/null"].endswith("; and 1 more")
    bare = Plan(entry._replace(content=None) for entry in written.plan.entries())
    assert scan_tree(str(top / "out")) == bare
    write(entries, top / "out")  # nothing has drifted


def test_nothing_is_inherited(tmp_path: Path) -> None:
    """A parent with set-group-ID and a default ACL hands nothing down to the tree."""
    tmp_path.chmod(0o2755)
    # POSIX ACL, version 2: user::rwx, user:5:rwx, group::r-x, mask::rwx, other::---
    acl = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, bits, who in (
            (1, 7, 2**32 - 1), (2, 7, 5), (4, 5, 2**32 - 1), (16, 7, 2**32 - 1), (32, 0, 2**32 - 1)
        )
    )  # fmt: skip
    os.setxattr(tmp_path, "system.posix_acl_default", acl)
    written = write([file("/d/a"), directory("/d")], tmp_path / "out")
    assert os.listxattr(tmp_path / "out/d/a") == []
    assert os.listxattr(tmp_path / "out") == []
    assert stat.S_IMODE(os.stat(tmp_path / "out").st_mode) == 0o755
    bare = Plan(entry._replace(content=None) for entry in written.plan.entries())
    assert scan_tree(str(tmp_path / "out")) == bare


def test_manifest_of_another_tree(tmp_path: Path) -> None:
    """A manifest that comes along is left out, and noted; the tree has its own."""
    entries = [file(MANIFEST_PATH, b"other"), directory("/var/lib/rootgen"), directory("/var/lib")]
    written = write([*entries, directory("/var")], tmp_path / "out")
    assert [note.path for note in written.notes if note.path != "/"] == [MANIFEST_PATH]
    assert scan_tree(str(tmp_path / "out")).keys() == {
        "/", "/var", "/var/lib", "/var/lib/rootgen"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([file("/a"), file("/a/b")], "/a/b is in no directory"),
        ([link("/a", "."), file("/a/b")], "/a/b is in no directory"),
        ([file("/x/b")], "/x/b is in no directory"),
        ([directory("/a"), file("/a/..")], "not an absolute and normalised path"),
        ([file("relative")], "in no directory|not an absolute"),
        ([link("/var", "elsewhere")], "in no directory"),
        ([Entry("/h", EntryKind.HARDLINK, 0o644, target="/no", reasons=WHY)], "hard link to /no"),
        (
            [file("/a"), Entry("/h", EntryKind.HARDLINK, 0o600, target="/a", reasons=WHY)],
            "hard link to /a",
        ),
        ([Entry("/a", EntryKind.FILE, 0o644, reasons=WHY)], "no content to read"),
    ],
)
def test_contradictions(tmp_path: Path, entries: list[Entry], message: str) -> None:
    """What no directory can be is refused before, and nothing is left."""
    with pytest.raises(PlanError, match=message):
        write(entries, tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_source_is_gone(tmp_path: Path) -> None:
    """A source that goes away ends it: the old tree stays, nothing is beside it."""
    write([file("/old")], tmp_path / "out")
    with pytest.raises(SysrootError, match="cannot read /a") as caught:
        write([file("/0"), from_root("/a", 5)], tmp_path / "out")
    assert caught.value.why == ("wanted by --add a test",)
    assert os.listdir(tmp_path) == ["out"]
    assert (tmp_path / "out/old").exists()


def test_leftovers(tmp_path: Path) -> None:
    """What the dead left is removed, what a living one holds is not; a tree aside is put back."""
    dead, alive, other = ".out.rootgen-new-1", ".out.rootgen-new-2", ".outer.rootgen-new-3"
    for name in (dead, alive, other):
        (tmp_path / name / "x").mkdir(parents=True)
    held = os.open(tmp_path / alive, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    write([file("/a")], tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == sorted([alive, other, "out"])
    os.close(held)
    (tmp_path / "out").rename(tmp_path / ".out.rootgen-old-4")
    with pytest.raises(SysrootError):
        write([from_root("/a", 5)], tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == sorted([other, "out"])
    assert (tmp_path / "out/a").exists()


def _refuse_exchange(*_arguments: object) -> None:
    raise OSError(22, "Invalid argument")


def test_without_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system cannot exchange, two renames do; a failing second one is undone."""
    monkeypatch.setattr(rename, "exchange", _refuse_exchange)
    write([file("/a")], tmp_path / "out")
    write([file("/b")], tmp_path / "out")
    assert (tmp_path / "out/b").exists()
    assert os.listdir(tmp_path) == ["out"]
    real = os.rename

    def fail_to_place(source: str, target: str, **options: int) -> None:
        if target == "out" and "-new-" in source:
            raise OSError(5, "Input/output error")
        real(source, target, **options)

    monkeypatch.setattr(os, "rename", fail_to_place)
    with pytest.raises(TreeError, match="Input/output error"):
        write([file("/c")], tmp_path / "out")
    assert (tmp_path / "out/b").exists()
    assert os.listdir(tmp_path) == ["out"]


def test_replaced_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else that took the place while we wrote is not what was checked: it stays."""
    write([file("/a")], tmp_path / "out")
    real = rename.exchange

    def swap(directory: int, name: str, other: int, other_name: str) -> None:
        if not (tmp_path / "moved").exists():
            (tmp_path / "out").rename(tmp_path / "moved")
            (tmp_path / "out").mkdir()
            (tmp_path / "out/precious").write_text("precious")
        real(directory, name, other, other_name)

    monkeypatch.setattr(rename, "exchange", swap)
    with pytest.raises(TreeError, match="replaced by something else meanwhile"):
        write([file("/b")], tmp_path / "out")
    assert (tmp_path / "out/precious").exists()
    assert sorted(os.listdir(tmp_path)) == ["moved", "out"]


def test_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that appears in the free place while we write stays as well."""
    fill = populate.Population.fill

    def and_take(self: populate.Population, plan: Plan) -> Plan:
        (tmp_path / "out").mkdir()
        (tmp_path / "out/precious").write_text("precious")
        return fill(self, plan)

    monkeypatch.setattr(populate.Population, "fill", and_take)
    with pytest.raises(TreeError, match="made by something else meanwhile"):
        write([file("/b")], tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]
    assert (tmp_path / "out/precious").exists()


def test_in_use(tmp_path: Path) -> None:
    """Two at once: the second is told; afterwards it may."""
    write([file("/a")], tmp_path / "out")
    held = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(TreeError, match="being replaced by another rootgen"):
        write([file("/b")], tmp_path / "out")
    os.close(held)
    write([file("/b")], tmp_path / "out")


def test_many_at_once(tmp_path: Path) -> None:
    """Six threads that write one destination: one of their trees is there, nothing beside it."""
    failures: list[RootgenError] = []

    def work_at_it(number: int) -> None:
        for _ in range(5):
            try:
                write([file(f"/{number}"), file("/z")], tmp_path / "out", force=True)
            except TreeError as error:
                failures.append(error)

    threads = [threading.Thread(target=work_at_it, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    write([file("/last")], tmp_path / "out", force=True)
    assert os.listdir(tmp_path) == ["out"]
    assert all("meanwhile" in str(one) or "being replaced" in str(one) for one in failures), (
        failures
    )


def test_root_being_read(tmp_path: Path) -> None:
    """A tree does not go into, or over, the root that it is read from."""
    (tmp_path / "source/sub").mkdir(parents=True)
    root = DirectorySysroot(str(tmp_path / "source"))
    for out in ("source", "source/sub", "source/new", "."):
        with pytest.raises(TreeError, match="the root that is being read"):
            write([file("/a")], tmp_path / out, force=True, sysroot=root)


def test_plan_of_nothing(tmp_path: Path) -> None:
    """An empty Plan is the top and the manifest's directory."""
    written = write(Plan(), tmp_path / "out")
    assert list(written.plan) == ["/", "/var", "/var/lib", "/var/lib/rootgen"]
    assert scan_tree(str(tmp_path / "out")) == written.plan
    assert plan_of().keys() == {"/"}
