"""What we write, as GNU tar, libarchive, Python and umoci read it."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from rootgen.layer.whiteout import layer_of
from rootgen.plan.entry import EntryKind
from rootgen.plan.plan import Plan
from rootgen.rootfs.scan import scan_tree
from tests.layer.archives import bare, directory, file, packed, symlink
from tests.truth.archive_tree import whole

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

ROOT = os.geteuid() == 0
# What each needs to be told to give back all that an archive holds.
UNPACKERS = {
    "GNU tar": (
        *("tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--same-permissions"),
        *("--extract", "--file=-"),
    ),
    "bsdtar": ("bsdtar", "--numeric-owner", "-p", "--xattrs", "-x", "-f", "-"),
}


def archive() -> bytes:
    """Return the tree of all that can be, as we write it."""
    return packed(list(whole(root=ROOT).entries()))[0]


@pytest.mark.parametrize("name", UNPACKERS)
def test_unpacked(tmp_path: Path, name: str) -> None:
    """What is unpacked is what was packed: modes, owners, times, attributes, links, devices."""
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        UNPACKERS[name], cwd=out, input=archive(), capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = list(map(str, scan_tree(str(out)).entries()))
    expected = list(map(str, bare(whole(root=ROOT)).entries()))
    if name == "bsdtar":
        # It leaves the directory that it unpacks in as it is.
        del found[0], expected[0]
    assert found == expected


@pytest.mark.parametrize("name", ["tar", "bsdtar"])
def test_listed(name: str) -> None:
    """It is listed without a complaint, the top first, a directory before what is in it."""
    done = subprocess.run(
        [name, "-tf", "-"], input=archive(), capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0
    # GNU tar has no use for hdrcharset, and says so; it takes the bytes as they are all the same.
    assert not [line for line in done.stderr.splitlines() if b"hdrcharset" not in line]
    lines = done.stdout.splitlines()
    assert lines[0] == b"./"
    assert len(lines) == len(whole(root=ROOT))


def test_tarfile() -> None:
    """Python's tarfile reads the same fields, and the same content."""
    plan = whole(root=ROOT)
    kinds = {
        tarfile.REGTYPE: EntryKind.FILE,
        tarfile.LNKTYPE: EntryKind.HARDLINK,
        tarfile.SYMTYPE: EntryKind.SYMLINK,
        tarfile.CHRTYPE: EntryKind.CHARACTER,
        tarfile.BLKTYPE: EntryKind.BLOCK,
        tarfile.DIRTYPE: EntryKind.DIRECTORY,
        tarfile.FIFOTYPE: EntryKind.FIFO,
    }
    with tarfile.open(fileobj=io.BytesIO(archive())) as opened:
        members = opened.getmembers()
        assert ["/" if one.name == "." else f"/{one.name}" for one in members] == list(plan)
        for one, entry in zip(members, plan.entries(), strict=True):
            found = (kinds[one.type], one.mode, one.uid, one.gid, int(one.mtime), one.size)
            assert found == entry[1:7], entry.path
            link = one.linkname if entry.kind is EntryKind.SYMLINK else f"/{one.linkname}"
            assert link == (entry.target or link)
            if one.isreg():
                content = opened.extractfile(one)
                assert content is not None
                assert bytes(content.read()) == entry.content.data  # type: ignore[union-attr]


def test_no_records_without_need() -> None:
    """A tree of short names is ustar throughout, as the oldest tools read it."""
    data, _ = packed([directory("/"), directory("/bin"), file("/bin/sh", b"x"), symlink("/l", "x")])
    assert b"PaxHeaders" not in data
    assert data.count(b"ustar\x0000") == 4
    assert len(data) == 512 * (4 + 1 + 2)


def test_umoci(tmp_path: Path) -> None:
    """A layer unpacked by umoci over its base gives the new tree; so says our own reading."""
    old = whole(root=ROOT)
    new = _changed(old)
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    _umoci("init", "--layout", str(layout))
    _umoci("new", "--image", f"{layout}:new")
    for name, base, after in (("base", Plan(), old), ("layer", old, new)):
        (tmp_path / name).write_bytes(packed(layer_of(base, after).members())[0])
        _umoci("raw", "add-layer", "--image", f"{layout}:new", str(tmp_path / name))
    rootless = () if ROOT else ("--rootless",)
    _umoci("unpack", *rootless, "--image", f"{layout}:new", str(bundle))
    found = [
        # In an attribute of its own an ordinary user's umoci keeps the owner that it cannot set.
        str(entry._replace(xattrs=tuple(one for one in entry.xattrs if "rootless" not in one[0])))
        for entry in scan_tree(str(bundle / "rootfs")).entries()
    ]
    assert found == list(map(str, bare(new).entries()))


def _changed(old: Plan) -> Plan:
    """Return a Plan in which something of each kind happened to ``old``."""
    entries = dict(old.items())
    owner: dict[str, Any] = {name: getattr(entries["/nothing"], name) for name in ("uid", "gid")}
    for path in list(entries):
        if path.startswith("/long/") or path in {"/large", "/odd"}:
            del entries[path]
    entries["/bin"] = entries["/bin"]._replace(mode=0o755)
    # All names of one inode, as a change of one is a change of each.
    for path in ("/bin/a", "/bin/b"):
        entries[path] = entries[path]._replace(mode=0o700)
    entries["/link"] = directory("/link", **owner)
    entries["/link/in"] = file("/link/in", b"in", **owner)
    entries["/empty"] = file("/empty", b"a file now", **owner)
    entries["/nothing"] = symlink("/nothing", "bin")._replace(**owner)
    entries["/new"] = file("/new", b"new", **owner)
    return Plan(entries.values())


def _umoci(*arguments: str) -> None:
    done = subprocess.run(["umoci", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
