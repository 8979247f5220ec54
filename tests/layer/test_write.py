"""Tar bytes: what is needed and no more, in order; files that change meanwhile are told."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tracemalloc

import pytest

from rootgen.errors import LayerError, PlanError
from rootgen.layer.header import header_blocks
from rootgen.layer.write import write_tar
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, hard_link
from tests.layer.archives import directory, file, packed, plan, read, symlink

ODD = "\udcff" * 101
FILE = Entry("/f", EntryKind.FILE, 0o644)


def header(entry: Entry) -> tarfile.TarInfo:
    """Return what tarfile reads of the header blocks of ``entry``."""
    data = header_blocks(entry, entry.xattrs)
    with tarfile.open(fileobj=io.BytesIO(data + bytes(1024))) as opened:
        found = opened.next()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("entry", "records"),
    [
        (FILE, {}),
        (FILE._replace(size=8 * 1024**3 - 1), {}),
        (FILE._replace(size=8 * 1024**3), {"size": "8589934592"}),
        (FILE._replace(uid=2097151, gid=2097151), {}),
        (FILE._replace(uid=2097152), {"uid": "2097152"}),
        (FILE._replace(gid=4294967294), {"gid": "4294967294"}),
        (FILE._replace(mtime=0o77777777777), {}),
        (FILE._replace(mtime=0o77777777777 + 1), {"mtime": "8589934592"}),
        (FILE._replace(mtime=-1), {"mtime": "-1"}),
        (FILE._replace(path="/" + "n" * 100), {}),
        (FILE._replace(path="/" + "n" * 101), {"path": "n" * 101}),
        (FILE._replace(path="/" + "p" * 155 + "/" + "n" * 100), {}),
        (
            FILE._replace(path="/" + "p" * 156 + "/" + "n" * 100),
            {"path": "p" * 156 + "/" + "n" * 100},
        ),
        (FILE._replace(path="/é"), {}),
        (FILE._replace(path="/" + "é" * 51), {"path": "é" * 51}),
        (FILE._replace(path="/" + ODD), {"hdrcharset": "BINARY", "path": ODD}),
        (directory("/" + "d" * 99), {}),
        (directory("/" + "d" * 100), {"path": "d" * 100 + "/"}),
        (directory("/" + "p" * 100 + "/" + "d" * 99), {}),
        (symlink("/l", "t" * 100), {}),
        (symlink("/l", "t" * 101), {"linkpath": "t" * 101}),
        (FILE._replace(xattrs=(("user.a", b"1"),)), {"SCHILY.xattr.user.a": "1"}),
        (FILE._replace(xattrs=(("user.a=%", b"\n"),)), {"SCHILY.xattr.user.a%3D%25": "\n"}),
    ],
)  # fmt: skip
def test_records(entry: Entry, records: dict[str, str]) -> None:
    """A record stands exactly where ustar has no room; with it the field reads as it was."""
    found = header(entry)
    assert found.pax_headers == records
    assert found.name.rstrip("/") == entry.path[1:]
    assert (found.uid, found.gid, found.size, int(found.mtime)) == (
        entry.uid, entry.gid, entry.size, entry.mtime,
    )  # fmt: skip


def test_record_lengths() -> None:
    """A record counts its own length, also where that takes one more digit."""
    for length in [*range(101, 130), *range(900, 1100), *range(9900, 10100)]:
        target = "t" * min(length, 4000)
        value = b"v" * length
        entry = symlink("/l", target)._replace(xattrs=(("user.a", value),))
        (member,) = read(packed([entry])[0]).members
        assert member == (entry, -1)


def test_link_after_its_file() -> None:
    """A hard link whose file comes later in the Plan stands after it, with its attributes."""
    target = file("/z", b"z", xattrs=(("user.a", b"1"),))
    links = [hard_link(target._replace(path=path), "/z") for path in ("/a", "/b")]
    data, _ = packed(list(plan(*links, target).entries()))
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        names = [(one.name, one.linkname, one.pax_headers) for one in opened.getmembers()]
    attribute = {"SCHILY.xattr.user.a": "1"}
    assert names == [
        (".", "", {}), ("z", "", attribute), ("a", "z", attribute), ("b", "z", attribute),
    ]  # fmt: skip


def test_link_to_nothing() -> None:
    """A hard link to what is not packed is refused."""
    with pytest.raises(PlanError, match="/a is a hard link to /z, which is no file here"):
        packed([directory("/"), hard_link(file("/a"), "/z")])


def test_device_out_of_range() -> None:
    """A device that no header has room for is refused, not cut short."""
    with pytest.raises(PlanError, match="device 2097152:0"):
        packed([Entry("/d", EntryKind.BLOCK, 0o600, device=(1 << 21, 0))])


class Endless:
    """A file of so many bytes, made when they are read."""

    def __init__(self, size: int, step: int = 1 << 30) -> None:
        """Give at most ``step`` bytes a time, as some file systems do."""
        self._size = size
        self._step = step
        self.closed = False

    def __enter__(self) -> Endless:
        """Return the file itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.closed = True

    def pread(self, size: int, offset: int) -> bytes:
        """Read."""
        return b"x" * min(size, self._step, max(0, self._size - offset))

    def fileno(self) -> int:
        """Have none."""
        raise AssertionError


MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 511, 512, MIB - 1, MIB, MIB + 1, 3 * MIB])
@pytest.mark.parametrize("step", [1 << 30, 1000])
@pytest.mark.parametrize("more", [-1, 0, 1, MIB])
def test_length(size: int, step: int, more: int) -> None:
    """A file that is longer or shorter than it was is an error; one that is read in bits is not."""
    if size + more < 0:
        more = 5
    source = Endless(size + more, step)
    entry = FILE._replace(size=size, content=FromSysroot("/f"))
    buffer = io.BytesIO()
    if more:
        with pytest.raises(LayerError, match="/f changed while it was being packed"):
            write_tar([entry], lambda _: source, buffer.write)
    else:
        written = write_tar([entry], lambda _: source, buffer.write)
        assert buffer.getvalue()[512 : 512 + size] == b"x" * size
        assert written.sha256 == hashlib.sha256(buffer.getvalue()).hexdigest()
    assert source.closed


def test_memory() -> None:
    """A file of any size takes the same memory: that of a few pieces."""
    entry = FILE._replace(size=300 * MIB, content=FromSysroot("/f"))
    tracemalloc.start()
    try:
        written = write_tar([entry], lambda _: Endless(entry.size), len)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written.size == 300 * MIB + 3 * 512
    assert peak < 8 * MIB
