"""Archives that anyone may have made: what is in them, and nothing beyond."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import zstandard

from rootgen.errors import LayerError
from rootgen.layer.limits import Limits
from rootgen.layer.read import Whiteout, Written, read_archive
from rootgen.plan.entry import EntryKind
from tests.layer.archives import directory, file, packed, plan, read
from tests.layer.raw import END, member, number, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.plan.entry import Entry

GNU = b"ustar  \0"


def only(data: bytes) -> Entry:
    """Return the one entry of an archive."""
    (found,) = read(data).members
    assert isinstance(found, Written)
    return found.entry


NAMES = {
    b"a": "/a",
    b"./a": "/a",
    b"/a": "/a",
    b"//a//b/": "/a/b",
    b"a/./b": "/a/b",
    b"../a": "/a",
    b"a/../../b": "/b",
    b"a/b/../c": "/a/c",
    b"\xff": "/\udcff",
    b"a\0b": "/a",
    b"..a": "/..a",
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: bytes) -> None:
    """A name is a path within the root, wherever it says it is."""
    assert only(member(name, b"5") + END).path == NAMES[name]
    assert only(member(b"x", b"1", link=name) + END).target == NAMES[name]


ACCEPTED: dict[str, tuple[bytes, dict[str, object]]] = {
    "v7 file": (member(b"f", b"\0", b"x", magic=b""), {"kind": EntryKind.FILE, "size": 1}),
    "v7 directory": (member(b"d/", b"\0", magic=b""), {"kind": EntryKind.DIRECTORY}),
    "contiguous": (member(b"f", b"7", b"x"), {"kind": EntryKind.FILE, "size": 1}),
    "a directory with a size": (
        member(b"d", b"5", size=number(4096, 12)), {"kind": EntryKind.DIRECTORY, "size": 0},
    ),
    "a link with a size": (
        member(b"l", b"1", link=b"f", size=number(99, 12)), {"kind": EntryKind.HARDLINK},
    ),
    "spaces and no zero": (member(b"f", uid=b"  1750  "), {"uid": 0o1750}),
    "an empty number": (member(b"f", uid=bytes(8)), {"uid": 0}),
    "base 256": (member(b"f", uid=b"\x80" + (70_000_000).to_bytes(7, "big")), {"uid": 70_000_000}),
    "base 256, negative": (member(b"f", mtime=b"\xff" * 11 + b"\x9c"), {"mtime": -100}),
    "a long name": (
        member(b"././@LongLink", b"L", b"n" * 150 + b"\0", magic=GNU) + member(b"n" * 100),
        {"path": "/" + "n" * 150},
    ),
    "a long link": (
        member(b"././@LongLink", b"K", b"t" * 150 + b"\0", magic=GNU) + member(b"l", b"2"),
        {"target": "t" * 150},
    ),
    "records": (
        records((b"path", b"p"), (b"uid", b"3000000"), (b"mtime", b"5.9"), (b"size", b"1"))
        + member(b"f", data=b"x", size=number(0, 12)),
        {"path": "/p", "uid": 3000000, "mtime": 5, "size": 1},
    ),
    "a time before 1970": (records((b"mtime", b"-1.5")) + member(b"f"), {"mtime": -2}),
    "an empty record": (records((b"path", b"")) + member(b"f"), {"path": "/f"}),
    "global records": (member(b"g", b"g", b"12 uid=1000\n") + member(b"f"), {"uid": 1000}),
    "own before global records": (
        member(b"g", b"g", b"12 uid=1000\n") + records((b"uid", b"7")) + member(b"f"), {"uid": 7},
    ),
    "attributes": (
        records((b"LIBARCHIVE.xattr.user.b%20c", b"AP8"), (b"SCHILY.xattr.user.a", b"\0\n="))
        + member(b"f"),
        {"xattrs": (("user.a", b"\0\n="), ("user.b c", b"\0\xff"))},
    ),
    "the host's attributes": (
        records((b"SCHILY.xattr.security.selinux", b"x")) + member(b"f"), {"xattrs": ()},
    ),
    "a mode with its kind": (member(b"f", mode=b"0100755\0"), {"mode": 0o755}),
    "a sparse file, 1.0": (
        records((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                (b"GNU.sparse.name", b"s"), (b"GNU.sparse.realsize", b"9"))
        + member(b"x/GNUSparseFile.1/s", data=b"1\n4\n2\n".ljust(512, b"\0") + b"ab"),
        {"path": "/s", "size": 9, "sha256": hashlib.sha256(b"\0\0\0\0ab\0\0\0").hexdigest()},
    ),
    "no end": (member(b"f")[:512], {"path": "/f"}),
    "a dump's directory": (member(b"d", b"D", b"Yf\0\0", magic=GNU), {"kind": EntryKind.DIRECTORY}),
    "a label of a volume": (member(b"label", b"V") + member(b"f"), {"path": "/f"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    """What the formats say is read so."""
    data, fields = ACCEPTED[name]
    found = only(data + END) if name != "no end" else only(data)
    assert {key: getattr(found, key) for key in fields} == fields


def _checksum(data: bytes) -> bytes:
    return data[:5] + b"!" + data[6:]


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is empty"),
    "no archive": (b"hello, world" * 100, "no tar archive"),
    "a damaged header": (member(b"a") + _checksum(member(b"b")), "member 2 .* checksum"),
    "cut off in a header": (member(b"a") + member(b"b")[:100], "cut off"),
    "cut off in content": (member(b"a", data=b"x" * 600)[:700], "cut off"),
    "cut off after records": (records((b"path", b"x")), "cut off"),
    "cut off after a long name": (member(b"L", b"L", b"x"), "cut off"),
    "a digit that is none": (member(b"a", uid=b"0000008\0"), "is no number"),
    "a negative size": (member(b"a", size=b"\xff" * 12), "negative"),
    "a size past all": (member(b"a", size=b"\x80" + b"\xff" * 11), "too large"),
    "an owner that cannot be": (member(b"a", uid=b"\x80\0\0\0\xff\xff\xff\xff"), "owner"),
    "another volume": (member(b"a", b"M"), "type b'M'"),
    "an unknown kind": (member(b"a", b"Z"), "type b'Z'"),
    "a record without a length": (member(b"x", b"x", b"path=x\n"), "without a length"),
    "a record that is too long": (member(b"x", b"x", b"99 path=x\n"), "cut off"),
    "a record without a key": (member(b"x", b"x", b"5 =x\n"), "cut off, or not"),
    "a record of a negative size": (records((b"size", b"-1")) + member(b"a"), "size that is no"),
    "an attribute that is not base 64": (
        records((b"LIBARCHIVE.xattr.user.a", b"A")) + member(b"a"), "base 64",
    ),
    "records without end": (member(b"x", b"x", size=number(2 << 20, 12)), "names or records"),
    "a name too long": (records((b"path", b"n" * 256)) + member(b"a"), "longer than a name"),
    "a path too long": (records((b"path", b"n/" * 2048)) + member(b"a"), "longer than a name"),
    "a name with a zero": (records((b"path", b"a\0b")) + member(b"a"), "no name"),
    "no name": (member(b""), "no name"),
    "a file for a top": (member(b"."), "top of the root"),
    "a link for a top": (member(b".", b"2", link=b"x"), "top of the root"),
    "a link to nothing": (member(b"a", b"2"), "without a usable target"),
    "a whiteout of nothing": (member(b".wh."), "whiteout of nothing"),
    "a whiteout of .": (member(b"d/.wh.."), "whiteout of nothing"),
    "a whiteout of ..": (member(b"d/.wh..."), "whiteout of nothing"),
    "pieces past the end": (
        records((b"GNU.sparse.size", b"5"), (b"GNU.sparse.map", b"4,2")) + member(b"a", data=b"xy"),
        "do not fit",
    ),
    "pieces not in order": (
        records((b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"4,2,1,1")) + member(b"a"),
        "do not fit",
    ),
    "half a piece": (
        records((b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"4")) + member(b"a"), "do not fit",
    ),
    "pieces that are not there": (
        records((b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"4,2")) + member(b"a"),
        "less content",
    ),
    "a map of words": (
        records((b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9"))
        + member(b"a", data=b"x" * 512),
        "not numbers",
    ),
    "gzip cut off": (gzip.compress(member(b"a") + END)[:-9], "cut off: its gzip"),
    "gzip damaged": (gzip.compress(member(b"a") + END)[:-8] + b"\xff" * 8, "damaged: gzip"),
    "xz cut off": (lzma.compress(member(b"a") + END)[:-9], "cut off: its xz"),
    "bzip2 cut off": (bz2.compress(member(b"a") + END)[:-9], "cut off: its bzip2"),
    "bzip2 damaged": (b"BZh9" + b"x" * 100, "damaged: bzip2"),
    "zstd cut off": (zstandard.compress(member(b"a") + END)[:-3], "cut off: its zstd"),
    "zstd damaged": (b"\x28\xb5\x2f\xfd" + b"x" * 100, "damaged: zstd"),
    "something after gzip": (gzip.compress(member(b"a") + END) + b"more", "damaged: gzip"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What is malformed is refused, and said."""
    data, message = REFUSED[name]
    with pytest.raises(LayerError, match=message):
        read(data)


def test_whiteouts() -> None:
    """Whiteouts are told apart; what AUFS keeps for itself is passed over."""
    names = [b"d/.wh.x", b"d/.wh..wh..opq", b".wh..wh..opq", b".wh..wh.plnk/1", b".wh..wh.aufs",
             b"d/.wh..wh.orph/.wh..wh..opq", b".wh", b"x.wh.y", b"x.wh..wh.y"]  # fmt: skip
    found = read(b"".join(map(member, names)) + END).members
    assert [one for one in found if isinstance(one, Whiteout)] == [
        Whiteout("/d/x"), Whiteout("/d", opaque=True), Whiteout("/", opaque=True),
    ]  # fmt: skip
    written = [one.entry.path for one in found if isinstance(one, Written)]
    assert written == ["/.wh", "/x.wh.y", "/x.wh..wh.y"]


def test_digest_and_offsets() -> None:
    """The digest is of all bytes, also past the end; a file's bytes are where its offset says."""
    data, _ = packed(
        list(plan(directory("/d"), file("/d/f", b"hello"), file("/g", b"g")).entries())
    )
    data += b"what a tape had left"
    found = read(gzip.compress(data))
    assert (found.size, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    contents = {
        one.entry.path: data[one.offset : one.offset + one.entry.size]
        for one in found.members
        if isinstance(one, Written) and one.entry.kind is EntryKind.FILE
    }
    assert contents == {"/d/f": b"hello", "/g": b"g"}


@pytest.mark.parametrize("taken", [0, 1, 1 << 30])
def test_keep(taken: int) -> None:
    """Who keeps contents sees each while the archive streams by, and may stop early."""
    seen: dict[str, bytes] = {}

    def keep(entry: Entry, content: Iterator[bytes]) -> None:
        seen[entry.path] = b""
        while len(seen[entry.path]) < taken and (data := next(content, b"")):
            seen[entry.path] += data

    big = file("/big", b"0123456789" * 300_000)
    data, _ = packed([directory("/"), big, file("/small", b"s")])
    found = read_archive(io.BytesIO(data).read, keep=keep)
    digests = [one.entry.sha256 for one in found.members if isinstance(one, Written)]
    assert digests == ["", big.sha256, file("/small", b"s").sha256]
    assert list(seen) == ["/big", "/small"]
    if taken > 1:
        assert seen == {"/big": b"0123456789" * 300_000, "/small": b"s"}


SMALL = Limits(entries=3, size=1 << 20, ratio=20, free=1 << 16)
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "members": (lambda: member(b"a") * 4 + END, "more than 3 members"),
    "records are members": (lambda: records((b"uid", b"1")) * 4, "more than 3 members"),
    "bytes": (lambda: member(b"a", data=bytes(2 << 20)), "holds more than 1048576 bytes"),
    "gzip": (lambda: gzip.compress(member(b"a", data=bytes(1 << 19))), "more than 20 times"),
    "xz": (lambda: lzma.compress(member(b"a", data=bytes(1 << 19))), "more than 20 times"),
    "bzip2": (lambda: bz2.compress(member(b"a", data=bytes(1 << 19))), "more than 20 times"),
    "zstd": (lambda: zstandard.compress(member(b"a", data=bytes(1 << 19))), "more than 20 times"),
    "after the end": (lambda: gzip.compress(member(b"a") + bytes(1 << 19)), "more than 20 times"),
    "holes": (
        lambda: (
            records((b"GNU.sparse.size", b"%d" % (1 << 60)), (b"GNU.sparse.map", b""))
            + member(b"a")
        ),
        "more than",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    """What expands without end is stopped at the limits."""
    data, message = BOMBS[name]
    with pytest.raises(LayerError, match=message):
        read_archive(io.BytesIO(data()).read, limits=SMALL)


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, bytes],
    ids=lambda one: one.__name__,
)
def test_memory(compress: Callable[[bytes], bytes]) -> None:
    """An archive takes the memory of a few pieces, whatever its files are like."""
    data = compress(member(b"a", data=bytes(64 << 20)) + END)
    source = io.BytesIO(data)
    tracemalloc.start()
    try:
        read_archive(source.read)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20
