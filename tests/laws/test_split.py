"""Splitting: the parts are the whole, each can be unpacked, and what did not change stays put."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rootgen.layer.split import split
from rootgen.layer.write import write_tar
from rootgen.plan.digest import plan_digest
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline, Reason, ReasonKind
from rootgen.plan.plan import Plan
from tests.laws.examples import at_most
from tests.laws.plans import hashed, plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

    from rootgen.layer.split import Part
    from tests.laws.plans import Drawn

_NAMES = (
    "libc.so.6",
    "ld-linux-x86-64.so.2",
    "liba.so.1",
    "libb.so.1",
    "tool",
    "data",
    "odd\udcff",
)
_SIZES = st.sampled_from([0, 10, 300_000, 400_000, 5_000_000])
_KINDS = st.sampled_from([ReasonKind.NEEDED, ReasonKind.REQUESTED, ReasonKind.ADDED])
_COUNTS = st.integers(1, 8)


def _file(path: str, size: int, kind: ReasonKind, *, ours: bool) -> Entry:
    """Return a file; its size says what is in it."""
    content = Inline(b"") if ours else FromSysroot(path)
    digest = sha256(f"{path} {size}".encode(errors="surrogateescape")).hexdigest()
    return Entry(
        path, EntryKind.FILE, 0o644, size=size, content=content, sha256=digest,
        reasons=(Reason(kind, "/x"),),
    )  # fmt: skip


@st.composite
def _whole(draw: DrawFn) -> Plan:
    """Return a Plan like those of programs: files for each role, with names and links more."""
    entries = {"/": Entry("/", EntryKind.DIRECTORY, 0o755)}
    for directory in ("/lib", "/usr", "/usr/bin", "/tmp"):
        entries[directory] = Entry(directory, EntryKind.DIRECTORY, draw(_MODES))
    for directory in ("/lib", "/usr/bin"):
        for name in draw(st.sets(st.sampled_from(_NAMES))):
            path = f"{directory}/{name}"
            entries[path] = _file(path, draw(_SIZES), draw(_KINDS), ours=draw(st.booleans()))
            more = draw(st.sampled_from(["", "hard", "symbolic"]))
            reason = (Reason(ReasonKind.LINK, path),)
            other = f"/usr/bin/{name}.link"
            if more == "hard":
                entries[other] = Entry(
                    other, EntryKind.HARDLINK, 0o644, target=path, reasons=reason
                )
            elif more == "symbolic":
                entries[other] = Entry(other, EntryKind.SYMLINK, 0o777, target=path, reasons=reason)
    return Plan(entries.values())


_MODES = st.sampled_from([0o755, 0o755, 0o755, 0o700])
_IMAGES = st.lists(_whole(), min_size=1, max_size=3)


def _names(images: Sequence[object]) -> list[str]:
    return [f"i{number}" for number in range(len(images))]


def _previous(made: Sequence[Sequence[Part]]) -> list[list[frozenset[str]]]:
    return [[part.units for part in parts] for parts in made]


def _origins(images: Sequence[Plan]) -> list[dict[str, str]]:
    """Say of some files what they were built from."""
    return [{path: "tools" for path in plan if path.endswith(("tool", "data"))} for plan in images]


def _check_parts(plan: Plan, parts: Sequence[Part], count: int) -> None:
    assert len(parts) <= count
    names = [name for part in parts for name in part.units]
    assert len(set(names)) == len(names)
    seen: dict[str, Entry] = {}
    for part in parts:
        for entry in part.plan.entries():
            assert entry.path == "/" or (entry.path.rpartition("/")[0] or "/") in part.plan
            assert entry.path not in seen or entry.kind is EntryKind.DIRECTORY
            seen[entry.path] = entry
            # What a hard link names is in the same layer: else no tar of it can be written.
            assert entry.kind is not EntryKind.HARDLINK or entry.target in part.plan
    assert Plan(seen.values()) == plan


@at_most(300)
@given(images=_IMAGES, count=_COUNTS)
def test_whole(images: list[Plan], count: int) -> None:
    """The parts of each image unite to it, as few as asked for, the same each time."""
    made = split(images, _names(images), count, origins=_origins(images))
    assert made == split(images, _names(images), count, origins=_origins(images))
    for plan, parts in zip(images, made, strict=True):
        _check_parts(plan, parts, count)


@at_most(300)
@given(drawn=plans(), count=_COUNTS)
def test_any_plan(drawn: Drawn, count: int) -> None:
    """That holds for any Plan, with devices, attributes and odd names; each is a tar archive."""
    plan = hashed(drawn)
    (parts,) = split([plan], ["a"], count)
    _check_parts(plan, parts, count)
    whole = Plan(drawn.plan.entries())
    for part in split([whole], ["a"], count)[0]:
        entries = list(part.plan.entries())
        write_tar(entries, lambda entry: drawn.sysroot.open(entry.path), len)


@at_most(300)
@given(images=_IMAGES, count=_COUNTS)
def test_shared(images: list[Plan], count: int) -> None:
    """A unit that is said to be of several images is the same in each."""
    made = split(images, _names(images), count, origins=_origins(images))
    found: dict[frozenset[str], str] = {}
    for number, parts in enumerate(made):
        for part in parts:
            for name in part.units:
                _, _, whose = name.partition("@")
                assert len(images) == 1 or f"i{number}" in whose.split(",")
            digest = plan_digest(part.plan)
            assert found.setdefault(part.units, digest) == digest


@at_most(300)
@given(images=_IMAGES, count=_COUNTS)
def test_again(images: list[Plan], count: int) -> None:
    """What did not change is divided as before."""
    made = split(images, _names(images), count)
    assert split(images, _names(images), count, _previous(made)) == made


@at_most(500)
@given(images=_IMAGES, count=_COUNTS, size=_SIZES, data=st.data())
def test_one_file(images: list[Plan], count: int, size: int, data: st.DataObject) -> None:
    """Where one file changes, whatever its size becomes, one layer of each image does."""
    made = split(images, _names(images), count, origins=_origins(images))
    paths = {entry.path for plan in images for entry in plan.files()}
    if not paths:
        return
    path = data.draw(st.sampled_from(sorted(paths)))
    new = [_with(plan, path, size + 1) for plan in images]
    again = split(new, _names(images), count, _previous(made), _origins(images))
    for plan, before, after in zip(images, made, again, strict=True):
        assert [one.units for one in before] == [one.units for one in after]
        changed = [
            one.words
            for one, other in zip(before, after, strict=True)
            if plan_digest(one.plan) != plan_digest(other.plan)
        ]
        assert len(changed) == (plan.get(path) is not None)


@at_most(300)
@given(images=_IMAGES, more=_IMAGES, count=_COUNTS)
def test_any_predecessor(images: list[Plan], more: list[Plan], count: int) -> None:
    """Whatever was there before, the parts are the whole; what there was is together still."""
    before = split(more, _names(more), count)
    previous = [*_previous(before), *[[]] * len(images)][: len(images)]
    made = split(images, _names(images), count, previous)
    for plan, parts in zip(images, made, strict=True):
        _check_parts(plan, parts, count)
    if len(images) == len(more) == 1:
        now = {name: part.units for part in made[0] for name in part.units}
        for units in previous[0]:
            assert len({now[name] for name in units if name in now}) <= 1


def _with(plan: Plan, path: str, size: int) -> Plan:
    """Return ``plan`` with other content at ``path``, where it has that as it had it."""
    there = plan.get(path)
    if there is None or there.kind is not EntryKind.FILE:
        return plan
    data = f"{there.sha256} {size}".encode()
    entry = there._replace(size=size, sha256=sha256(data).hexdigest())
    return Plan(entry if one.path == path else one for one in plan.entries())


def _example() -> Plan:
    return Plan(
        [
            *(Entry(path, EntryKind.DIRECTORY, 0o755) for path in ("/", "/lib", "/bin", "/etc")),
            _file("/lib/libc.so.6", 1_900_000, ReasonKind.NEEDED, ours=False),
            _file("/lib/ld-linux-x86-64.so.2", 200_000, ReasonKind.INTERPRETER, ours=False),
            _file("/lib/libsmall.so.1", 9_000, ReasonKind.NEEDED, ours=False),
            _file("/lib/libtiny.so.1", 5_000, ReasonKind.NEEDED, ours=False),
            _file("/lib/libunicode.so.2", 2_000_000, ReasonKind.NEEDED, ours=False),
            _file("/bin/tool", 3_000_000, ReasonKind.REQUESTED, ours=False),
            _file("/bin/other", 40_000, ReasonKind.REQUESTED, ours=False),
            _file("/etc/motd", 10, ReasonKind.ADDED, ours=True),
        ]
    )


def _divided(count: int, previous: Sequence[Sequence[frozenset[str]]] = ()) -> list[set[str]]:
    return [set(part.units) for part in split([_example()], [""], count, previous)[0]]


def test_scheme() -> None:
    """The largest alone, the small ones together; what is one's own is with what costs least."""
    small = {"/lib/libsmall.so.1", "/lib/libtiny.so.1", "own"}
    large = [{"/bin/other"}, {"/bin/tool"}, {"/lib/libunicode.so.2"}, {"libc"}]
    assert _divided(5) == [*large, small]
    assert {"own"} in _divided(7)
    assert _divided(1) == [small.union(*large)]


def test_new_unit() -> None:
    """What is new joins the layer where it costs least, and parts nothing."""
    before = _divided(5)
    previous = [[frozenset(one) for one in before]]
    new = _file("/bin/new", 10_000, ReasonKind.REQUESTED, ours=False)
    larger = Plan([*_example().entries(), new])
    after = [set(part.units) for part in split([larger], [""], 5, previous)[0]]
    assert [one - {"/bin/new"} for one in after] == before
    assert {"/bin/new", "/lib/libsmall.so.1", "/lib/libtiny.so.1", "own"} in after
