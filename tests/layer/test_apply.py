"""What is there after a layer was unpacked over a base."""

from __future__ import annotations

import pytest

from rootgen.errors import LayerError
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind, hard_link
from tests.layer.archives import directory, file, plan, symlink, unpacked
from tests.layer.raw import END, member

ONE = file("/a/one", b"1")
BASE = plan(
    directory("/a"),
    ONE,
    hard_link(ONE._replace(path="/a/two"), "/a/one"),
    directory("/b"),
    directory("/b/c"),
    file("/b/c/y", b"y"),
    file("/b/z", b"z"),
    symlink("/l", "b/c"),
    symlink("/up", "../../.."),
    symlink("/far", "/b"),
    symlink("/loop", "loop"),
    symlink("/nowhere", "/made/up"),
)
HERE = list(BASE)


def paths(*members: bytes) -> list[str]:
    """Return the paths that are new (+) and gone (-) after a layer of ``members``."""
    found = unpacked(b"".join(members) + END, BASE)
    gone = [f"-{path}" for path in HERE if path not in found]
    return [*(f"+{path}" for path in found if path not in BASE), *gone]


ROWS: dict[str, tuple[tuple[bytes, ...], list[str]]] = {
    "a file": ((member(b"b/new"),), ["+/b/new"]),
    "a directory that no member made": ((member(b"x/y/z"),), ["+/x", "+/x/y", "+/x/y/z"]),
    "through a link": ((member(b"l/new"),), ["+/b/c/new"]),
    "through an absolute link": ((member(b"far/new"),), ["+/b/new"]),
    "through a link upwards": ((member(b"up/new"),), ["+/new"]),
    "through a link that leads nowhere": (
        (member(b"nowhere/f"),), ["+/made", "+/made/up", "+/made/up/f"],
    ),
    "through a link that the layer brings": (
        (member(b"s", b"2", link=b"/b/c"), member(b"s/new")), ["+/b/c/new", "+/s"],
    ),
    "a directory over a link": ((member(b"l", b"5"), member(b"l/in")), ["+/l/in"]),
    "a directory over a directory": ((member(b"b", b"5"),), []),
    "a file over a directory": ((member(b"b"),), ["-/b/c", "-/b/c/y", "-/b/z"]),
    "a whiteout": ((member(b"b/.wh.c"),), ["-/b/c", "-/b/c/y"]),
    "a whiteout through a link": ((member(b"l/.wh.y"),), ["-/b/c/y"]),
    "a whiteout of nothing": ((member(b"b/.wh.no"), member(b"no/.wh.x")), []),
    "a whiteout of a link": ((member(b".wh.l"),), ["-/l"]),
    "opaque": ((member(b"b/.wh..wh..opq"),), ["-/b/c", "-/b/c/y", "-/b/z"]),
    "opaque, then more": (
        (member(b"b/.wh..wh..opq"), member(b"b/new")), ["+/b/new", "-/b/c", "-/b/c/y", "-/b/z"],
    ),
    "more, then opaque": (
        (member(b"b/new"), member(b"b/.wh..wh..opq")), ["+/b/new", "-/b/c", "-/b/c/y", "-/b/z"],
    ),
    "opaque spares what is in what it spares": (
        (member(b"b/c/new"), member(b"b/.wh..wh..opq")), ["+/b/c/new", "-/b/c/y", "-/b/z"],
    ),
    "a whiteout of what the layer made": ((member(b"new"), member(b".wh.new")), ["+/new"]),
    "a whiteout of a directory that the layer has": (
        (member(b"b", b"5"), member(b"b/new"), member(b".wh.b")),
        ["+/b/new", "-/b/c", "-/b/c/y", "-/b/z"],
    ),
    "all of it opaque": ((member(b"new"), member(b".wh..wh..opq")), ["+/new", *(
        f"-{path}" for path in HERE if path != "/")]),
    "twice, the later one": ((member(b"n", b"5"), member(b"n/x"), member(b"n")), ["+/n"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    """Each kind of member, each place."""
    members, expected = ROWS[name]
    assert paths(*members) == expected


REFUSED = {
    "in a file": ((member(b"a/one/x"),), "is in no directory"),
    "in a link to a file": ((member(b"s", b"2", link=b"a/one"), member(b"s/x")), "in no directory"),
    "through a loop": ((member(b"loop/x"),), "links without end"),
    "a link to what is not there": ((member(b"h", b"1", link=b"no"),), "which is no file there"),
    "a link out of the root": (
        (member(b"h", b"1", link=b"../../etc/shadow"),), "which is no file there",
    ),
    "a link to a directory": ((member(b"h", b"1", link=b"b"),), "which is no file there"),
    "a link to itself": ((member(b"h", b"1", link=b"./h"),), "hard link to itself"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What no unpacker could do is an error."""
    members, message = REFUSED[name]
    with pytest.raises(LayerError, match=message):
        paths(*members)


def test_inodes() -> None:
    """A name that is replaced leaves its inode; the others keep it."""
    found = unpacked(member(b"a/one", data=b"new") + END, BASE)
    assert found["/a/one"].sha256 == file("/x", b"new").sha256
    assert found["/a/two"].kind is EntryKind.FILE
    assert found["/a/two"].sha256 == ONE.sha256


def test_links() -> None:
    """A hard link through links is one to the file; of a link or device it is one more."""
    data = member(b"h", b"1", link=b"far/z") + member(b"s", b"1", link=b"l")
    found = unpacked(data + member(b"d", b"3") + member(b"e", b"1", link=b"d") + END, BASE)
    assert (found["/b/z"].kind, found["/h"].target) == (EntryKind.FILE, "/b/z")
    assert found["/s"] == found["/l"]._replace(path="/s")
    assert found["/e"] == found["/d"]._replace(path="/e")


def test_a_later_file_of_the_same_name() -> None:
    """A hard link is to the file that was there when it was made."""
    data = member(b"f", data=b"1") + member(b"h", b"1", link=b"f") + member(b"f", data=b"2")
    found = unpacked(data + END)
    assert found["/h"].sha256 == ONE.sha256
    assert found["/f"].sha256 == file("/f", b"2").sha256


def test_reasons() -> None:
    """What is as it was keeps its reasons, and what is new has the layer's."""
    from rootgen.layer.apply import apply_layer
    from tests.layer.archives import packed, read

    why, layer = (Reason(ReasonKind.ADDED, "x"),), (Reason(ReasonKind.PROFILE, "layer"),)
    base = plan(directory("/d", reasons=why), file("/d/f", b"f", reasons=why))
    entries = [directory("/"), directory("/d"), file("/d/f", b"f"), file("/d/g")]
    found = apply_layer(base, read(packed(entries)[0]), reasons=layer)
    assert {path: entry.reasons for path, entry in found.items()} == {
        "/": (), "/d": why, "/d/f": why, "/d/g": layer,
    }  # fmt: skip


def test_no_top() -> None:
    """A tarball without a top has one all the same."""
    assert unpacked(member(b"f") + END)["/"] == Entry("/", EntryKind.DIRECTORY, 0o755)


@pytest.mark.parametrize("count", [20_000])
def test_time(count: int) -> None:
    """Whiteouts without number take time by their number, not by that times the tree."""
    files = b"".join(member(b"d/%d" % number) for number in range(count))
    found = unpacked(files + member(b"d/.wh..wh..opq") * count + END)
    assert len(found) == count + 2
