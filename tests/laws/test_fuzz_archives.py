"""Archives broken at random, read and applied: a Plan that a tree can be, or an error of ours."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

import pytest
import zstandard

from rootgen.errors import LayerError
from rootgen.layer.apply import apply_layer
from rootgen.layer.limits import Limits
from rootgen.layer.read import Written, read_archive
from rootgen.plan.entry import EntryKind, hard_link
from rootgen.plan.plan import Plan
from tests.laws.fuzzing import Mutator, Seed, fuzz, number
from tests.layer.archives import directory, file, packed, plan, symlink
from tests.layer.raw import END, member, records, with_checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Figures = Callable[[str, object], None]

LIMITS = Limits(entries=2000, size=8 << 20, ratio=50, free=1 << 20)
_WORDS = (
    *(b"../", b"/", b".wh.", b".wh..wh..opq", b"\0", b"ustar\0", b"ustar  \0", b"L", b"K", b"x"),
    *(b"g", b"S", b"0", b"1", b"2", b"5", b"\xff" * 8, b"\x80", b"7777777\0", b"12 uid=1000\n"),
    *(b"GNU.sparse.map=0,1,2,3", b"GNU.sparse.size=9", b"SCHILY.xattr.user.a=", b"path=", b"="),
)
BASE = plan(
    directory("/d"), file("/d/f", b"f"), hard_link(file("/d/f2", b"f"), "/d/f"),
    symlink("/l", "d"), symlink("/m", "../l/../m"),
)  # fmt: skip


def archives() -> Iterator[bytes]:
    """Give archives of each kind."""
    linked = file("/f", b"f" * 700, xattrs=(("user.a", b"1"),))
    links = [hard_link(linked._replace(path="/g"), "/f"), symlink("/d/l", "t" * 150)]
    yield packed([directory("/"), directory("/d"), linked, *links, file("/d/" + "n" * 200)])[0]
    yield member(b"d/.wh.f") + member(b"l/new", data=b"1") + member(b"m/.wh..wh..opq") + END
    gnu = b"ustar  \0"
    yield (
        member(b"L", b"L", b"n" * 120, magic=gnu)
        + member(b"K", b"K", b"t" * 120, magic=gnu)
        + member(b"l", b"2", magic=gnu)
        + member(b"d/", b"\0", magic=b"")
        + END
    )
    sparse = (b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9000")
    yield (
        records(*sparse) + member(b"s", data=b"2\n4\n2\n8\n1\n".ljust(512, b"\0") + b"abc") + END
    )
    head = with_checksum(
        member(b"s", b"S", magic=gnu, size=b"00000000002\0")[:386]
        + b"00000000004\x0000000000002\0" + bytes(73) + b"00000010000\0" + bytes(17)
    )  # fmt: skip
    yield head + b"ab".ljust(512, b"\0") + END


def seeds() -> Iterator[Seed]:
    """Give them as they are, often, and compressed."""
    for data in archives():
        yield from [Seed(data, ((0, 512), (0, len(data))))] * 4
        yield Seed(gzip.compress(data, mtime=0))
        yield Seed(zstandard.compress(data))


def mended(data: bytes) -> bytes:
    """Return ``data`` with the checksums that its headers should have, so that they are read."""
    blocks = [data[at : at + 512] for at in range(0, len(data), 512)]
    return b"".join(
        with_checksum(block) if len(block) == 512 and block[257:262] == b"ustar" else block
        for block in blocks
    )


def read_any(data: bytes) -> None:
    """Read and apply what is there, and look at what came of it."""
    archive = read_archive(io.BytesIO(data).read, limits=LIMITS)
    for one in archive.members:
        path = one.entry.path if isinstance(one, Written) else one.path
        assert path.startswith("/")
        assert path == "/" or not {"", ".", ".."} & set(path.split("/")[1:])
    for base in (Plan(), BASE):
        check(apply_layer(base, archive))


def check(found: Plan) -> None:
    """Hold that ``found`` is in the form that a scan gives: one tree, nothing beside it."""
    for path, entry in found.items():
        if path != "/":
            assert found[path.rpartition("/")[0] or "/"].kind is EntryKind.DIRECTORY
        if entry.kind is EntryKind.HARDLINK:
            assert found[entry.target].kind is EntryKind.FILE
            assert entry.target.split("/") < path.split("/")
            assert found[entry.target][2:6] == entry[2:6]


def _fuzz(number_: int, count: int) -> str:
    mutator = Mutator(tuple(seeds()), _WORDS, number_)
    turn = 0

    def read(data: bytes) -> None:
        nonlocal turn
        turn += 1
        read_any(mended(data) if turn % 4 else data)

    return f"archives: {fuzz(read, LayerError, mutator, count)}"


def test_archives(record_property: Figures) -> None:
    """Some thousand: the same on every run."""
    record_property("figure", _fuzz(number(0, anew=False), 4000))


@pytest.mark.long
def test_archives_at_length(record_property: Figures) -> None:
    """More of them, others on every run."""
    record_property("figure", _fuzz(number(0, anew=True), 200_000))
