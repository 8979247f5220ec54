"""Squashfs and EROFS images of ours, as the kernel reads them: mounted in a machine of its own."""

from __future__ import annotations

import hashlib
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from rootgen.image.inodes import FILE_TYPES, Inodes, inode_of
from rootgen.image.squashfs import LARGEST_TIME
from rootgen.plan.entry import EntryKind, Inline
from tests.guest import boot
from tests.image.mountable import erofs, mountable, squashfs
from tests.image.peak import peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan

# What the guest's Python finds, compared there: over a serial line it would take minutes.
_COMPARE = r"""
import hashlib, json, os, stat, sys
top = sys.argv[1].encode()
expected = json.load(open(sys.argv[2]))
found, groups = {}, {}
pending = [b"/"]
while pending:
    path = pending.pop()
    status = os.lstat(top + path)
    shown = path.decode("utf-8", "surrogateescape")
    one = found[shown] = {"mode": status.st_mode, "uid": status.st_uid, "gid": status.st_gid,
        "mtime": int(status.st_mtime), "links": status.st_nlink, "size": 0, "content": ""}
    one["xattrs"] = {name: os.getxattr(top + path, name, follow_symlinks=False).hex()
                     for name in os.listxattr(top + path, follow_symlinks=False)}
    one["device"] = [os.major(status.st_rdev), os.minor(status.st_rdev)]
    if stat.S_ISLNK(status.st_mode):
        one["content"] = os.readlink(top + path).hex()
    elif stat.S_ISREG(status.st_mode):
        with open(top + path, "rb") as file:
            one["content"] = hashlib.sha256(file.read()).hexdigest()
        one["size"] = status.st_size
        groups.setdefault(status.st_ino, []).append(shown)
    elif stat.S_ISDIR(status.st_mode):
        pending += [os.path.join(path, name) for name in os.listdir(top + path)]
        for name in (b"no such name", b"\xff" * 255, b"!"):
            if os.path.lexists(os.path.join(top + path, name)):
                print("there is", path, name)
inodes = {min(names): sorted(names) for names in groups.values() if len(names) > 1}
expected_inodes = expected.pop("inodes")
for path in sorted({*found, *expected}):
    if found.get(path) != expected.get(path):
        print(ascii(path), found.get(path), expected.get(path))
if inodes != expected_inodes:
    print("inodes", inodes, expected_inodes)
print("compared", len(found))
"""
_SCRIPT = """\
mkdir -p /tmp/{name}
mount -t {kind} -o ro /dev/vd{letter} /tmp/{name}
python3 /guest/compare /tmp/{name} /guest/{expected}
umount /tmp/{name}
"""


def test_by_the_kernel() -> None:
    """Every name, mode, owner, time, attribute, link, device and byte is what was packed."""
    plan = mountable(300)
    _compare(plan, {"zstd": squashfs(plan), "erofs": erofs(plan)})


@pytest.mark.long
def test_many_names_by_the_kernel() -> None:
    """So it is with thousands of names in a directory, and however a squashfs is compressed."""
    plan = mountable()
    ways = {how: squashfs(plan, how) for how in ("none", "gzip", "zstd")}
    _compare(plan, {**ways, "erofs": erofs(plan)})


# Where something stands in a file that is otherwise zeros: about the ends of 32 bits, and its own.
_LARGE = 6 << 30
_MARKS = (0, (1 << 31) - 3, (1 << 32) - 3, (1 << 32) + 131072, _LARGE - 8)
_READ = """\
mkdir -p /tmp/{kind}
mount -t {kind} -o ro /dev/vd{letter} /tmp/{kind}
python3 -c 'import os, sys
file = os.open("/tmp/{kind}/large", os.O_RDONLY)
print(os.fstat(file).st_size, *(os.pread(file, 8, int(at)).decode() for at in sys.argv[1:]))
print(open("/tmp/{kind}/next").read())' {marks}
"""


@pytest.mark.long
def test_large_by_the_kernel(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A file of 6 GiB is packed in constant memory, and read to its end; so is what follows it."""
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "large").open("wb") as file:
        file.truncate(_LARGE)
        for at in _MARKS:
            file.seek(at)
            file.write(b"%08x" % (at & 0xFFFFFFFF))
    (tree / "next").write_text("next")
    for kind in ("squashfs", "erofs"):
        peak = peak_memory(str(tree), kind, str(tmp_path / kind))
        record_property("figure", f"{kind} of 6 GiB: at most {peak // 1024} MB of memory")
        assert peak < 150_000
    results = boot(
        {
            kind: _READ.format(kind=kind, letter=letter, marks=" ".join(map(str, _MARKS)))
            for letter, kind in zip("ab", ("squashfs", "erofs"), strict=True)
        },
        images=[tmp_path / "squashfs", tmp_path / "erofs"],
        modules=("squashfs", "erofs"),
        cgroups="none",
    )
    marks = " ".join(f"{at & 0xFFFFFFFF:08x}" for at in _MARKS)
    for kind, result in results.items():
        assert result.output == f"{_LARGE} {marks}\nnext\n", kind


def _compare(plan: Plan, images: dict[str, bytes]) -> None:
    files = {
        "guest/compare": _COMPARE.encode(),
        "guest/squashfs.json": json.dumps(_expected(plan, squashed=True)).encode(),
        "guest/erofs.json": json.dumps(_expected(plan, squashed=False)).encode(),
    }
    scripts = {}
    for letter, name in zip("abcd", images, strict=False):
        kind = "erofs" if name == "erofs" else "squashfs"
        scripts[name] = _SCRIPT.format(name=name, kind=kind, letter=letter, expected=f"{kind}.json")
    results = boot(
        scripts,
        images=list(images.values()),
        modules=("squashfs", "erofs"),
        files=files,
        cgroups="none",
    )
    for name in images:
        assert results[name].status == 0, results[name]
        assert results[name].output == f"compared {len(plan)}\n", name


def _expected(plan: Plan, *, squashed: bool) -> dict[str, Any]:
    """Return what the guest should find; ``squashed``: as far as a squashfs can hold it."""
    inodes = Inodes(tuple(plan.entries()))
    found: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    for path, entry in plan.items():
        inode = plan[inode_of(entry)]
        if inode.kind is EntryKind.FILE:
            groups.setdefault(inode.path, []).append(path)
        found[path] = {
            "mode": FILE_TYPES[inode.kind] | inode.mode,
            "uid": inode.uid,
            "gid": inode.gid,
            "mtime": min(max(0, inode.mtime), LARGEST_TIME) if squashed else inode.mtime,
            "links": inodes.links[inode.path],
            "size": inode.size,
            "content": _content(inode),
            "xattrs": {
                name: value.hex()
                for name, value in inode.xattrs
                if not (squashed and name.startswith("system."))
            },
            "device": list(inode.device),
        }
        if stat.S_ISLNK(found[path]["mode"]):
            found[path]["mode"] = stat.S_IFLNK | 0o777
    found["inodes"] = {min(names): sorted(names) for names in groups.values() if len(names) > 1}
    return found


def _content(entry: Entry) -> str:
    if entry.kind is EntryKind.SYMLINK:
        return entry.target.encode("utf-8", "surrogateescape").hex()
    if entry.kind is not EntryKind.FILE:
        return ""
    assert isinstance(entry.content, Inline)
    return hashlib.sha256(entry.content.data).hexdigest()
