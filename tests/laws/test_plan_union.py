"""A Union is one file system: its questions agree with each other, whatever the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import SysrootError
from rootgen.plan.as_sysroot import PlanSysroot, Union
from rootgen.plan.entry import Entry, EntryKind
from rootgen.plan.plan import Plan
from rootgen.plan.rules import real_target
from rootgen.sysroot.memory import MemorySysroot, draw
from rootgen.sysroot.port import Kind, Node
from tests.plan.building import directory, text

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_NAMES = ["a", "b", "c"]
_PATHS = st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3).map(
    lambda names: "/" + "/".join(names)
)
_TARGETS = st.lists(st.sampled_from([*_NAMES, ".."]), min_size=1, max_size=3).map("/".join)
_LINKS = st.tuples(st.booleans(), _TARGETS).map(lambda one: ("/" if one[0] else "") + one[1])
_EVERY = ["/", *(f"/{a}" for a in _NAMES), *(f"/{a}/{b}" for a in _NAMES for b in _NAMES)]
_EVERY += [f"{path}/{name}" for path in _EVERY[4:] for name in _NAMES]


def _lowers() -> SearchStrategy[MemorySysroot]:
    things = st.dictionaries(_PATHS, st.sampled_from(["directory", "file"]) | _LINKS, max_size=10)
    return things.map(_lower)


def _lower(things: dict[str, str]) -> MemorySysroot:
    nodes = {"/": Node(Kind.DIRECTORY, 0o755, 0, 0, 0, 0, (0, 0))}
    contents: dict[str, bytes] = {}
    for number, (path, thing) in enumerate(sorted(things.items()), start=1):
        parent = path.rpartition("/")[0] or "/"
        if parent not in nodes or nodes[parent].kind is not Kind.DIRECTORY:
            continue
        kind = {"directory": Kind.DIRECTORY, "file": Kind.FILE}.get(thing, Kind.SYMLINK)
        target = thing if kind is Kind.SYMLINK else ""
        nodes[path] = Node(kind, 0o755, 0, 0, 0, 0, (0, number), target=target)
        if kind is Kind.FILE:
            contents[path] = b"lower"
    return MemorySysroot(nodes, contents)


def _uppers() -> SearchStrategy[list[Entry]]:
    link = st.builds(
        lambda path, target: Entry(path, EntryKind.SYMLINK, 0o777, target=target), _PATHS, _LINKS
    )
    entry = _PATHS.map(text) | _PATHS.map(directory) | link
    return st.lists(entry, max_size=5)


def _union(lower: MemorySysroot, wanted: list[Entry]) -> tuple[Union, dict[str, Entry]]:
    own: dict[str, Entry] = {}
    for entry in wanted:
        path = real_target(lower, entry.path)
        # Beneath a file of our own there is no place: assembling refuses that.
        above = [path[:at] for at in range(1, len(path)) if path[at] == "/"]
        clash = any(one in own and own[one].kind is not EntryKind.DIRECTORY for one in above)
        if not clash and not any(other.startswith(f"{path}/") for other in own):
            own[path] = entry._replace(path=path)
    return Union(PlanSysroot(Plan(own.values()), lower, draw("")), lower), own


@given(_lowers(), _uppers())
def test_listing_is_what_is_there(lower: MemorySysroot, wanted: list[Entry]) -> None:
    """A directory lists exactly the names that have a node; nothing else can be listed."""
    root, _ = _union(lower, wanted)
    for path in _EVERY:
        node = root.node(path)
        try:
            names = root.names(path)
        except SysrootError:
            assert node is None or node.kind is not Kind.DIRECTORY
            continue
        assert node is not None
        below = path.rstrip("/")
        assert names == [name for name in _NAMES if root.node(f"{below}/{name}") is not None]


@given(_lowers(), _uppers())
def test_what_is_ours_is_seen(lower: MemorySysroot, wanted: list[Entry]) -> None:
    """Each entry stands at its path and can be reached by it, with its own bytes."""
    root, own = _union(lower, wanted)
    for path, entry in own.items():
        node = root.node(path)
        assert node is not None
        assert node.kind.value == entry.kind.value
        assert root.is_upper(path)
        if entry.kind is EntryKind.FILE:
            found = root.lookup(path)
            assert found is not None
            assert found.path == path
            with root.open(path) as file:
                assert file.pread(9, 0) == b"ours"


@given(_lowers(), _uppers())
def test_what_is_not_covered_stays(lower: MemorySysroot, wanted: list[Entry]) -> None:
    """Where neither a path nor what is above it is ours, the lower layer answers."""
    root, own = _union(lower, wanted)
    for path in _EVERY:
        above = [path, *(path[:at] for at in range(1, len(path)) if path[at] == "/")]
        if not any(one in own for one in above) and lower.node(path) is not None:
            kind = lower.node(path).kind  # type: ignore[union-attr]
            if kind is Kind.DIRECTORY or not any(one.startswith(f"{path}/") for one in own):
                assert root.node(path) == lower.node(path)


@given(_lowers())
def test_nothing_over_a_root_is_the_root(lower: MemorySysroot) -> None:
    """An empty Plan over a root changes no answer."""
    root, _ = _union(lower, [])
    for path in _EVERY:
        assert root.node(path) == lower.node(path)
        assert root.lookup(path) == lower.lookup(path)
        assert root.lookup(f"{path}/..") == lower.lookup(f"{path}/..")


@given(_lowers(), _PATHS)
def test_a_real_target_is_real(lower: MemorySysroot, path: str) -> None:
    """A target has no link above it that leads anywhere, and is its own target."""
    real = real_target(lower, path)
    assert real_target(lower, real) == real
    assert real.rpartition("/")[2] == path.rpartition("/")[2]
    parent = real.rpartition("/")[0]
    found = lower.lookup(parent or "/")
    assert found is None or found.path == (parent or "/")
