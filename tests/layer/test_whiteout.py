"""What goes into a layer, and what is taken away by it."""

from __future__ import annotations

import pytest

from rootgen.errors import PlanError
from rootgen.layer.whiteout import layer_of
from rootgen.plan.entry import Entry, EntryKind, hard_link
from rootgen.plan.plan import Plan
from tests.layer.archives import directory, file, plan, symlink

ONE = file("/a/one", b"1")
BASE = (
    directory("/a"),
    directory("/a/deep"),
    file("/a/deep/x", b"x"),
    ONE,
    hard_link(ONE._replace(path="/a/two"), "/a/one"),
    directory("/b"),
    file("/b/y", b"y"),
    symlink("/l", "a"),
)


def changed(*entries: Entry, without: tuple[str, ...] = ()) -> Plan:
    """Return the base with ``entries`` put in place, and without what is beneath some paths."""
    table = {entry.path: entry for entry in plan(*BASE).entries()}
    table.update((entry.path, entry) for entry in entries)
    gone = [path for path in table for top in without if f"{path}/".startswith(f"{top}/")]
    return Plan(entry for path, entry in table.items() if path not in gone)


ROWS: dict[str, tuple[Plan, list[str]]] = {
    "nothing": (changed(), ["/"]),
    "added": (changed(file("/a/deep/new")), ["/", "/a", "/a/deep", "/a/deep/new"]),
    "a mode": (changed(file("/b/y", b"y", 0o600)), ["/", "/b", "/b/y"]),
    "a directory's mode": (changed(directory("/a", 0o700)), ["/", "/a"]),
    "one of two names": (
        changed(
            ONE._replace(mode=0o600),
            hard_link(ONE._replace(path="/a/two", mode=0o600), "/a/one"),
        ),
        ["/", "/a", "/a/one", "/a/two"],
    ),
    "one more name": (
        changed(hard_link(ONE._replace(path="/b/three"), "/a/one")),
        ["/", "/a", "/a/one", "/a/two", "/b", "/b/three"],
    ),
    "content of the file that has two names": (
        changed(file("/a/one", b"2")), ["/", "/a", "/a/one", "/a/two"],
    ),
    "a name that left its inode": (changed(file("/a/two", b"1")), ["/", "/a", "/a/two"]),
    "a name gone": (changed(without=("/a/two",)), ["/", "/a", "/a/.wh.two"]),
    "a tree gone": (changed(without=("/a/deep",)), ["/", "/a", "/a/.wh.deep"]),
    "a file instead of a tree": (changed(file("/a/deep"), without=("/a/deep/x",)),
                                 ["/", "/a", "/a/deep"]),
    "a link instead of a tree": (changed(symlink("/b", "a"), without=("/b/y",)), ["/", "/b"]),
    "a directory instead of a link": (changed(directory("/l"), file("/l/in")),
                                      ["/", "/l", "/l/in"]),
    "at the top": (changed(without=("/l",)), ["/", "/.wh.l"]),
    "a target": (changed(symlink("/l", "b")), ["/", "/l"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_members(name: str) -> None:
    """What differs, whole, with the directories above it; what is gone, at its top only."""
    new, paths = ROWS[name]
    assert [entry.path for entry in layer_of(plan(*BASE), new).members()] == paths


def test_times() -> None:
    """Times count, unless they are said not to."""
    new = changed(file("/b/y", b"y", mtime=9))
    assert len(layer_of(plan(*BASE), new).entries) == 3
    assert len(layer_of(plan(*BASE), new, ignoring=("mtime",)).entries) == 1


@pytest.mark.parametrize("name", [".wh.x", ".wh.", ".wh..wh..opq"])
def test_reserved_names(name: str) -> None:
    """A name that means a whiteout is refused where it would be written or removed."""
    strange = plan(file(f"/{name}"))
    for base, new in ((Plan(), strange), (strange, plan())):
        with pytest.raises(PlanError, match="cannot be in a layer"):
            layer_of(base, new)
    assert layer_of(strange, strange).removed == ()


def test_no_digest() -> None:
    """Contents that were not read cannot be compared."""
    unread = plan(Entry("/f", EntryKind.FILE, 0o644, size=3))
    with pytest.raises(PlanError, match="/f has no digest"):
        layer_of(unread, plan())
