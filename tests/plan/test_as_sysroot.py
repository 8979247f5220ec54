"""A Plan read like a host, and laid over one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rootgen.errors import SysrootError
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.entry import Entry, EntryKind, FromHost, FromSysroot
from rootgen.plan.plan import Plan
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.memory import draw
from rootgen.sysroot.port import Kind
from tests.plan.building import NOTHING, directory, text, union

if TYPE_CHECKING:
    from pathlib import Path

ROOT = draw("""
bin -> usr/bin
usr/
  bin/
    bash = host
    sh -> bash
  lib/
    libc.so = lib
etc/
  motd = host
""")


def _read(root: PlanSysroot, path: str) -> bytes:
    with root.open(path) as file:
        return file.pread(100, 0)


def test_it_answers_from_the_plan_alone() -> None:
    """Links lead within the Plan, bytes come from where each entry says."""
    host = draw("app/\n  file = added\n")
    entries = [
        Entry("/bin", EntryKind.SYMLINK, 0o777, target="usr/bin"),
        directory("/usr"),
        directory("/usr/bin"),
        Entry("/usr/bin/bash", EntryKind.FILE, 0o755, content=FromSysroot("/usr/bin/bash")),
        Entry("/usr/bin/added", EntryKind.FILE, 0o755, content=FromHost("/app/file")),
        Entry("/usr/bin/twin", EntryKind.HARDLINK, 0o755, target="/usr/bin/bash", xattrs=()),
        text("/usr/bin/ours"),
    ]
    root = PlanSysroot(Plan(entries), ROOT, host)
    found = root.lookup("/bin/bash")
    assert found is not None
    assert (found.path, [link.path for link in found.links]) == ("/usr/bin/bash", ["/bin"])
    assert root.lookup("/usr/lib/libc.so") is None
    contents = [_read(root, f"/usr/bin/{name}") for name in ("bash", "twin", "added", "ours")]
    assert contents == [b"host", b"host", b"added", b"ours"]
    assert root.names("/usr/bin") == ["added", "bash", "ours", "twin"]
    for path in ("/usr", "/bin", "/nowhere"):
        with pytest.raises(SysrootError, match=f"cannot read {path} of the plan"):
            root.open(path)
    with pytest.raises(SysrootError, match="cannot list /bin of the plan"):
        root.names("/bin")


def test_hard_links_are_one_inode() -> None:
    """A hard link has its target's mode, attributes, identity and bytes."""
    file = text("/b/file")._replace(mode=0o4755, xattrs=(("user.a", b"1"),))
    link = Entry("/b/link", EntryKind.HARDLINK, 0o4755, target="/b/file")
    root = PlanSysroot(Plan([file, link]), ROOT, NOTHING)
    assert root.node("/b/link") == root.node("/b/file")
    assert root.xattrs("/b/link") == (("user.a", b"1"),)
    assert _read(root, "/b/link") == b"ours"


def test_what_stands_in_a_plan_can_be_reached() -> None:
    """An entry whose parents the Plan does not name yet is found all the same."""
    root = PlanSysroot(Plan([text("/opt/new/tool")]), ROOT, NOTHING)
    found = root.lookup("/opt/new/../new/tool")
    assert found is not None
    assert found.path == "/opt/new/tool"
    assert root.names("/") == ["opt"]
    assert root.names("/opt") == ["new"]


def test_upper_over_lower() -> None:
    """A new directory, a replaced file and what was there before are one file system."""
    root = union(ROOT, [text("/opt/new/tool"), text("/usr/bin/bash"), text("/usr/bin/own")])
    for path in ("/opt/new/tool", "/usr/bin/bash", "/bin/own", "/usr/lib/libc.so"):
        assert root.lookup(path) is not None, path
    with root.open("/usr/bin/bash") as file:
        assert file.pread(9, 0) == b"ours"
    assert root.names("/") == ["bin", "etc", "opt", "usr"]
    assert root.names("/usr/bin") == ["bash", "own", "sh"]
    assert [path for path in ("/opt", "/opt/new/tool", "/usr", "/usr/bin/own", "/etc/motd")
            if root.is_upper(path)] == ["/opt/new/tool", "/usr/bin/own"]  # fmt: skip


def test_a_directory_that_is_only_on_the_way_is_the_lower_one() -> None:
    """Adding beneath /usr/bin changes nothing of /usr/bin itself."""
    assert union(ROOT, [text("/usr/bin/own")]).node("/usr/bin") == ROOT.node("/usr/bin")


def test_a_file_hides_a_directory() -> None:
    """Beneath a file of ours there is nothing, and it cannot be listed."""
    root = union(ROOT, [text("/usr/bin")])
    assert root.lookup("/usr/bin/bash") is None
    assert root.lookup("/bin/bash") is None
    assert root.node("/usr/bin/bash") is None
    with pytest.raises(SysrootError, match="not a directory"):
        root.names("/usr/bin")
    with pytest.raises(SysrootError):
        root.open("/usr/bin/bash")


def test_a_directory_hides_a_link(tmp_path: Path) -> None:
    """A directory of ours where the root has a link: what the link led to is not in it."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/bash").write_bytes(b"x")
    (tmp_path / "bin").symlink_to("/usr/bin")
    for entries in ([directory("/bin")], [text("/bin/own")]):
        root = union(DirectorySysroot(str(tmp_path)), entries)
        node = root.node("/bin")
        assert node is not None
        assert node.kind is Kind.DIRECTORY
        # lstat of the host would follow the link, and out of the root.
        assert root.lookup("/bin/bash") is None
        assert root.node("/bin/env") is None
        assert "bash" not in root.names("/bin")


def test_listing_what_is_not_there() -> None:
    """A file, a link or nothing cannot be listed."""
    for path in ("/etc/motd", "/bin", "/nowhere"):
        with pytest.raises(SysrootError, match=f"cannot list {path}"):
            union(ROOT).names(path)
