"""Layers: unpacked over the base they give the new Plan; what is written is read back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rootgen.layer.whiteout import layer_of
from rootgen.plan.entry import EntryKind, Inline
from rootgen.plan.plan import Plan
from tests.laws.examples import at_most
from tests.laws.plans import plans
from tests.layer.archives import bare, over, packed, unpacked

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject, SearchStrategy

    from rootgen.plan.entry import Entry
    from tests.laws.plans import Drawn


def inlined(drawn: Drawn) -> Plan:
    """Return the Plan with the content of each file in it, and without names no layer can hold."""
    entries = {}
    for path, entry in drawn.plan.items():
        data = b""
        if isinstance(entry.content, Inline):
            data = entry.content.data
        elif entry.content is not None:
            data = drawn.sysroot.open(path).pread(entry.size, 0)
        if entry.kind is EntryKind.FILE:
            sha256 = hashlib.sha256(data).hexdigest()
            entry = entry._replace(content=Inline(data), sha256=sha256)  # noqa: PLW2901
        if "/.wh." not in path:
            entries[path] = entry
    return sound(entries)


def whole_plans() -> SearchStrategy[Plan]:
    """Return Plans with their contents."""
    return plans().map(inlined)


def sound(entries: dict[str, Entry]) -> Plan:
    """Return the Plan of those ``entries`` that stand in a directory, or link to a file there."""
    kept: dict[str, Entry] = {}
    for path, entry in Plan(entries.values()).items():
        parent = kept.get(path.rpartition("/")[0] or "/")
        if path != "/" and (parent is None or parent.kind is not EntryKind.DIRECTORY):
            continue
        if entry.kind is EntryKind.HARDLINK:
            target = kept.get(entry.target)
            if target is None or target.kind is not EntryKind.FILE or target[2:6] != entry[2:6]:
                continue
        kept[path] = entry
    return Plan(kept.values())


def mixed(one: Plan, other: Plan, data: DataObject) -> Plan:
    """Return a Plan that has some of each, and lacks some of both."""
    choices = data.draw(st.lists(st.integers(0, 3), min_size=40, max_size=40))
    entries: dict[str, Entry] = {}
    for number, path in enumerate(sorted({*one, *other})):
        source = (one, one, other, None)[choices[number % len(choices)] if path != "/" else 0]
        entry = None if source is None else source.get(path)
        if entry is not None:
            entries[path] = entry
    return sound(entries)


@at_most(500)
@given(base=whole_plans(), other=whole_plans(), data=st.data())
def test_applied(base: Plan, other: Plan, data: DataObject) -> None:
    """A layer over its base gives the new Plan, whatever became of each path."""
    new = mixed(base, other, data)
    assert bare(over(base, new)) == bare(new)


@at_most(200)
@given(base=whole_plans(), new=whole_plans())
def test_replaced(base: Plan, new: Plan) -> None:
    """So it is where little of the base is left."""
    assert bare(over(base, new)) == bare(new)


@at_most(200)
@given(plan=whole_plans())
def test_written_and_read(plan: Plan) -> None:
    """A whole Plan written and read is itself; the writer says what it wrote."""
    data, written = packed(list(plan.entries()))
    assert written == (len(data), hashlib.sha256(data).hexdigest())
    assert len(data) % 512 == 0
    assert unpacked(data) == bare(plan)


@at_most(100)
@given(plan=whole_plans())
def test_nothing(plan: Plan) -> None:
    """Where nothing changed, the layer is the top alone, and leaves all as it was."""
    assert [entry.path for entry in layer_of(plan, plan).members()] == ["/"]
    assert over(plan, plan) == plan
