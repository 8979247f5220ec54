"""cpio archives: what GNU cpio and busybox unpack, and what the format cannot hold."""

from __future__ import annotations

import io
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import LayerError, PlanError
from rootgen.image.cpio import not_held, write_cpio
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, hard_link
from rootgen.plan.plan import Plan
from rootgen.rootfs.scan import scan_tree
from rootgen.sysroot.memory import BytesFile
from tests.layer.archives import bare, directory, file, no_contents, plan, symlink
from tests.truth.archive_tree import whole

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

ROOT = os.geteuid() == 0
UNPACKERS = {
    "GNU cpio": ("cpio", "--extract", "--preserve-modification-time", "--quiet"),
    "busybox": ("busybox", "cpio", "-i", "-d", "-m"),
}


def archive(entries: Collection[Entry]) -> bytes:
    """Return the archive of ``entries``."""
    buffer = io.BytesIO()
    write_cpio(entries, no_contents, buffer.write)
    return buffer.getvalue()


def tree() -> Plan:
    """Return all that can be in one: no attributes, times that it has room for, three names."""
    entries = [
        entry._replace(xattrs=(), mtime=max(0, entry.mtime)) for entry in whole(root=ROOT).entries()
    ]
    linked = next(entry for entry in entries if entry.path == "/bin/a")
    more = hard_link(linked._replace(path="/zz"), "/bin/a")
    return Plan([*entries, more])


@pytest.mark.parametrize("name", UNPACKERS)
def test_unpacked(tmp_path: Path, name: str) -> None:
    """What they unpack is what was packed, hard links included."""
    done = subprocess.run(
        UNPACKERS[name], input=archive(list(tree().entries())), cwd=tmp_path, capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Neither gives directories back the times that they had before they were filled.
    found, expected = (
        [
            str(entry._replace(mtime=0) if entry.kind in _WITHOUT_TIMES else entry)
            for entry in one.entries()
        ]
        for one in (scan_tree(str(tmp_path)), bare(tree()))
    )
    assert found[1:] == expected[1:]
    assert os.stat(tmp_path / "zz").st_nlink == 3


_WITHOUT_TIMES = {EntryKind.DIRECTORY, EntryKind.SYMLINK, EntryKind.FIFO, EntryKind.CHARACTER,
                  EntryKind.BLOCK}  # fmt: skip


def test_listed() -> None:
    """Names of one file have one inode and say how many they are; the last one has the content."""
    linked = file("/a", b"12345")
    entries = plan(linked, *(hard_link(linked._replace(path=path), "/a") for path in ("/b", "/c")))
    data = archive(list(entries.entries()))
    headers = {}
    at = 0
    while True:
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = data[at + 110 : at + 109 + fields[11]].decode()
        headers[name] = {"ino": fields[0], "nlink": fields[4], "size": fields[6]}
        at += (110 + fields[11] + 3) // 4 * 4
        at += (fields[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            break
    assert headers == {
        ".": {"ino": 1, "nlink": 2, "size": 0},
        "a": {"ino": 2, "nlink": 3, "size": 0},
        "b": {"ino": 2, "nlink": 3, "size": 0},
        "c": {"ino": 2, "nlink": 3, "size": 5},
        "TRAILER!!!": {"ino": 0, "nlink": 1, "size": 0},
    }
    assert len(data) % 512 == 0
    assert not data[at:].strip(b"\0")


def test_the_file_is_not_the_first_name() -> None:
    """It makes no difference which name the Plan has as the file."""
    linked = file("/b", b"12345")
    one = plan(linked, hard_link(linked._replace(path="/a"), "/b"))
    other = plan(file("/a", b"12345"), hard_link(linked._replace(path="/b"), "/a"))
    assert archive(list(one.entries())) == archive(list(other.entries()))


REFUSED = {
    "4 GiB": (Entry("/f", EntryKind.FILE, 0o644, size=1 << 32), "less than 4 GiB"),
    "the end": (file("/TRAILER!!!"), "its name says that it ends"),
    "no file": (hard_link(file("/a"), "/z"), "which is no file here"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What the format cannot hold is refused, not cut short."""
    entry, message = REFUSED[name]
    with pytest.raises(PlanError, match=message):
        archive([directory("/"), entry])


@pytest.mark.parametrize("data", [b"1234", b"123456"])
def test_changed(data: bytes) -> None:
    """A file that is not as long as it was is an error."""
    entry = Entry("/f", EntryKind.FILE, 0o644, size=5, content=FromSysroot("/f"))
    with pytest.raises(LayerError, match="/f changed while"):
        write_cpio([entry], lambda _: BytesFile(data, "f"), len)


def test_not_held() -> None:
    """Attributes, and times before 1970 and after 2106, are told; the times become those."""
    entries = [
        directory("/", xattrs=(("user.a", b""),)),
        file("/old", mtime=-1),
        file("/late", mtime=1 << 32),
        symlink("/l", "x"),
    ]
    assert [path for path, _ in not_held(entries)] == ["/", "/old", "/late"]
    assert b"FFFFFFFF" in archive(entries)
