"""What a layer takes for granted of its base: told where another base has it otherwise."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from rootgen.layer.reliance import Reliance, Weight, reliances
from rootgen.layer.whiteout import layer_of
from rootgen.plan.entry import Entry, hard_link
from tests.image.stacks import archive, link
from tests.layer.archives import directory, file, packed, plan, read, symlink

if TYPE_CHECKING:
    from rootgen.plan.plan import Plan

OLD, MINE, NEWER = (file("/d/x", data) for data in (b"old", b"mine", b"newer"))
D = directory("/d")
LINKED = (D, OLD, hard_link(OLD._replace(path="/d/y"), "/d/x"))


def _found(base: Plan, new: Plan, other: Plan) -> list[Reliance]:
    data, _ = packed(layer_of(base, new).members())
    return list(reliances(read(data), base, other))


@pytest.mark.parametrize(
    ("base", "new", "other", "told"),
    [
        # What is the same beneath, or the increment's alone, is not told.
        ([D, OLD], [D, MINE], [D, OLD], []),
        ([D], [D, MINE], [D], []),
        ([D], [D, MINE], [], []),
        ([D], [D, MINE], [D, MINE], []),
        ([D, OLD], [D], [D, OLD], []),
        # Files over files.
        ([D, OLD], [D, MINE], [D, NEWER], ["/d/x hides the new base's, which"]),
        ([D, OLD], [D, MINE], [D, MINE], []),
        ([D, OLD], [D, MINE], [D], []),
        (
            [D],
            [D, MINE],
            [D, NEWER],
            ["/d/x hides a file of the new base; the old one had nothing"],
        ),
        (
            [D, OLD],
            [D, OLD._replace(mode=0o600)],
            [D, NEWER],
            ["/d/x brings the old base's back; the new one has another"],
        ),
        (
            [D, OLD],
            [D, OLD._replace(mode=0o600)],
            [D],
            ["/d/x stays as the old base had it; the new one has it no more"],
        ),
        (
            [D, OLD],
            [D, MINE],
            [D, symlink("/d/x", "z")],
            ["/d/x hides a symbolic link to z of the"],
        ),
        # Hard links come all together.
        (
            LINKED,
            [D, *(one._replace(mode=0o600) for one in LINKED[1:])],
            [D, NEWER],
            ["/d/x brings the old base's back", "/d/y stays as the old base had it"],
        ),
        # Directories that a layer only repeats.
        (
            [D, OLD],
            [D, MINE],
            [D._replace(mode=0o700), OLD],
            ["/d brings the old base's mode back"],
        ),
        ([D, OLD], [D._replace(uid=5), OLD], [D._replace(mode=0o700), OLD], ["/d brings the old"]),
        ([D, OLD], [D._replace(mode=0o711), OLD], [D._replace(mode=0o700), OLD], []),
        # What is removed.
        ([D, OLD], [D], [D], ["/d/x is removed, and is not there any more"]),
        ([D, OLD], [D], [D, NEWER], []),
        ([D, OLD], [D], [D, directory("/d/x")], ["!/d/x is removed: it was a file, and is a dir"]),
        ([D, directory("/d/x")], [D], [D, OLD], ["!/d/x is removed: it was a directory, and is"]),
        # Other kinds.
        ([D, OLD], [D, MINE], [D, directory("/d/x")], ["!/d/x is a file, and is a directory in"]),
        ([D, directory("/d/x")], [D, MINE], [D, directory("/d/x")], []),
        ([D], [D, directory("/d/x")], [D, OLD], ["!/d/x is a directory, and is a file in the new"]),
        ([D, OLD], [D, directory("/d/x")], [D, NEWER], ["/d/x hides the new base's, which is"]),
        ([D, OLD], [D, MINE], [symlink("/d", "e")], ["!/d is a directory, and is a symbolic link"]),
    ],
)
def test_told(base: list[Entry], new: list[Entry], other: list[Entry], told: list[str]) -> None:
    """Each of the cases is told so, and nothing beside; what begins with ! is refused."""
    found = _found(plan(*base), plan(*new), plan(*other))
    words = [f"{'!' * (one.weight is Weight.CONFLICT)}{one.path} {one.what}" for one in found]
    assert len(words) == len(told), words
    for one, beginning in zip(words, told, strict=True):
        assert one.startswith(beginning)


def _over(old: Plan, new: Plan, *members: Entry) -> list[str]:
    """Say what a layer meets that holds just these members."""
    return _said(packed(members)[0], old, new)


def _said(layer: bytes, old: Plan, new: Plan) -> list[str]:
    found = reliances(read(layer), old, new)
    return [f"{one.weight.value} {one.path} {one.what}" for one in found]


def test_through_links() -> None:
    """A name is put where its directory's links lead: elsewhere than before is refused."""
    there, elsewhere = symlink("/lib", "usr"), symlink("/lib", "opt")
    roots = [plan(one, directory("/usr"), directory("/opt")) for one in (there, elsewhere)]
    assert _over(roots[0], roots[0], file("/lib/x")) == []
    assert _over(roots[0], roots[1], file("/lib/x")) == [
        "conflict /lib/x would be put at /opt/x: /lib is a symbolic link to opt now"
    ]
    assert _over(roots[0], plan(directory("/lib")), file("/lib/x")) == [
        "conflict /lib/x would be put at /lib/x: /lib is a directory now"
    ]
    assert _over(plan(directory("/lib")), plan(symlink("/lib", "nowhere")), file("/lib/x")) == [
        "conflict /lib/x would be in no directory: /lib is a symbolic link to nowhere now"
    ]
    assert _over(plan(), plan(file("/lib")), file("/lib/x")) == [
        "conflict /lib/x would be in no directory: /lib is a file now"
    ]


def test_links_of_others() -> None:
    """A hard link to what another layer brought is to what the new base has there."""
    layer = archive([link("d/z", "d/x", tarfile.LNKTYPE)])
    old, newer, none = plan(D, OLD), plan(D, NEWER), plan(D)
    assert _said(layer, old, old) == []
    assert _said(layer, old, newer) == [
        "told /d/z is a hard link to /d/x, which is another file now"
    ]
    assert _said(layer, old, none) == ["conflict /d/z is a hard link to /d/x, which is not there"]


def test_opaque() -> None:
    """A directory that is emptied is one still, or is not there."""
    opaque = file("/d/.wh..wh..opq", mode=0)
    old = plan(D, OLD)
    assert _over(old, plan(D, NEWER), opaque) == []
    assert _over(old, plan(), opaque) == []
    assert _over(old, plan(file("/d")), D, opaque) == [
        "conflict /d is a directory, and is a file in the new base",
        "conflict /d what is in it is hidden, and it is a file now",
    ]
