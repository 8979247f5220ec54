"""Splitting: the parts are the whole, each can be unpacked, and what did not change stays put."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rootgen.layer.split import NOTHING, Previous, split
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


def _previous(made: Sequence[Sequence[Part]], images: Sequence[Plan]) -> Previous:
    labels = frozenset(part.label for parts in made for part in parts)
    return Previous(labels, frozenset(path for plan in images for path in plan))


def _check_parts(plan: Plan, parts: Sequence[Part], count: int) -> None:
    assert len(parts) <= count
    assert len({part.label for part in parts}) == len(parts)
    seen: dict[str, Entry] = {}
    for part in parts:
        for entry in part.plan.entries():
            assert entry.path == "/" or (entry.path.rpartition("/")[0] or "/") in part.plan
            assert entry.path not in seen or entry.kind is EntryKind.DIRECTORY
            seen[entry.path] = entry
            # What a hard link names is in the same layer: else no tar of it can be written.
            assert entry.kind is not EntryKind.HARDLINK or entry.target in part.plan
        assert all(entry.kind is EntryKind.DIRECTORY for entry in part.plan.entries()) == (
            part.words == "directories"
        )
    assert Plan(seen.values()) == plan


@at_most(300)
@given(images=_IMAGES, count=_COUNTS)
def test_whole(images: list[Plan], count: int) -> None:
    """The parts of each image unite to it, as few as asked for, the same each time."""
    made = split(images, _names(images), count)
    assert made == split(images, _names(images), count)
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
    """A layer that is said to be of several images is the same in each."""
    made = split(images, _names(images), count)
    for number, parts in enumerate(made):
        for part in parts:
            _, _, whose = part.label.partition(":")
            whose = whose.partition(":")[0]
            if not whose:
                continue
            assert f"i{number}" in whose.split(",")
            for other in whose.split(","):
                there = {one.label: one.plan for one in made[int(other[1:])]}
                assert plan_digest(there[part.label]) == plan_digest(part.plan)


@at_most(300)
@given(images=_IMAGES, count=_COUNTS)
def test_again(images: list[Plan], count: int) -> None:
    """What did not change is divided as before."""
    made = split(images, _names(images), count)
    assert split(images, _names(images), count, _previous(made, images)) == made


@at_most(500)
@given(images=_IMAGES, count=_COUNTS, size=_SIZES, data=st.data())
def test_one_file(images: list[Plan], count: int, size: int, data: st.DataObject) -> None:
    """Where one file changes, whatever its size becomes, one layer of each image does."""
    made = split(images, _names(images), count)
    paths = {entry.path for plan in images for entry in plan.files()}
    if not paths:
        return
    path = data.draw(st.sampled_from(sorted(paths)))
    new = [_with(plan, path, size + 1) for plan in images]
    again = split(new, _names(images), count, _previous(made, images))
    for plan, before, after in zip(images, made, again, strict=True):
        assert [one.label for one in before] == [one.label for one in after]
        changed = [
            one.label
            for one, other in zip(before, after, strict=True)
            if plan_digest(one.plan) != plan_digest(other.plan)
        ]
        assert len(changed) == (plan.get(path) is not None)


def _with(plan: Plan, path: str, size: int) -> Plan:
    """Return ``plan`` with other content at ``path``, where it has that as it had it."""
    there = plan.get(path)
    if there is None or there.kind is not EntryKind.FILE:
        return plan
    data = f"{there.sha256} {size}".encode()
    entry = there._replace(size=size, sha256=sha256(data).hexdigest())
    return Plan(entry if one.path == path else one for one in plan.entries())


def test_default() -> None:
    """The scheme: C library, libraries, programs, the largest alone; what is one's own is last."""
    whole = Plan(
        [
            *(Entry(path, EntryKind.DIRECTORY, 0o755) for path in ("/", "/lib", "/bin", "/etc")),
            _file("/lib/libc.so.6", 1_900_000, ReasonKind.NEEDED, ours=False),
            _file("/lib/ld-linux-x86-64.so.2", 200_000, ReasonKind.INTERPRETER, ours=False),
            _file("/lib/libsmall.so.1", 9_000, ReasonKind.NEEDED, ours=False),
            _file("/lib/libunicode.so.2", 2_000_000, ReasonKind.NEEDED, ours=False),
            _file("/bin/tool", 3_000_000, ReasonKind.REQUESTED, ours=False),
            _file("/bin/other", 400_000, ReasonKind.PROFILE, ours=False),
            _file("/etc/motd", 10, ReasonKind.PROFILE, ours=True),
        ]
    )
    words = {
        count: [part.words for part in split([whole], [""], count)[0]] for count in (1, 2, 3, 4, 6)
    }
    assert words == {
        1: ["C library, libraries, programs, own files"],
        2: ["C library", "libraries, programs, own files"],
        3: ["C library", "libraries", "programs, own files"],
        4: ["C library", "libraries", "programs", "own files"],
        6: [
            "C library", "/lib/libunicode.so.2", "libraries", "/bin/tool", "programs", "own files",
        ],
    }  # fmt: skip
    # A large file that is new takes a layer that is free, and no other's place.
    before = split([whole], [""], 5)[0]
    known = Previous(frozenset(part.label for part in before), frozenset(whole))
    larger = Plan([*whole.entries(), _file("/bin/new", 9_000_000, ReasonKind.PROFILE, ours=False)])
    assert [one.label for one in split([larger], [""], 5, known)[0]] == [
        one.label for one in before
    ]
    assert "file::/bin/new" in {one.label for one in split([larger], [""], 6, known)[0]}
    assert "file::/bin/new" in {one.label for one in split([larger], [""], 5, NOTHING)[0]}
