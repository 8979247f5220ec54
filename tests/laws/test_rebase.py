"""Increments over another base: what is not refused does there what it did."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rootgen.api.images import find_image
from rootgen.api.rebase import RebaseRequest, rebase
from rootgen.image.addition import store_image
from rootgen.image.config import Config
from rootgen.image.descriptor import LAYER
from rootgen.image.stack import image_plan
from rootgen.image.store import Store
from rootgen.layer.apply import apply_layer
from rootgen.layer.reliance import Weight, reliances
from rootgen.layer.whiteout import layer_of
from rootgen.plan.entry import EntryKind
from rootgen.plan.plan import Plan
from tests.laws.examples import at_most
from tests.laws.test_layer import mixed, whole_plans
from tests.layer.archives import bare, directory, packed, read, symlink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DataObject

    from rootgen.plan.entry import Entry


def _what(path: str, plan: Plan) -> Entry | None:
    """Return what is at ``path``, by whichever of its names."""
    entry = plan.get(path)
    if entry is not None and entry.kind is EntryKind.HARDLINK:
        return plan[entry.target]._replace(path=path)
    return entry


@at_most(300)
@given(base=whole_plans(), other=whole_plans(), data=st.data())
def test_moved(base: Plan, other: Plan, data: DataObject) -> None:
    """Without a conflict: what is the increment's is as it was, the rest as the new base's."""
    new, newer = mixed(base, other, data), bare(mixed(base, other, data))
    layer = layer_of(base, new)
    archive = read(packed(layer.members())[0])
    if any(one.weight is Weight.CONFLICT for one in reliances(archive, base, newer)):
        return
    moved, new = bare(apply_layer(newer, archive)), bare(new)
    own = {entry.path for entry in layer.entries}
    for path in own:
        assert _what(path, moved) == _what(path, new)
    files = {path for path in own if moved[path].kind is not EntryKind.DIRECTORY}
    away = [f"{path}/" for path in (*layer.removed, *files)]
    for path in newer.keys() - own:
        gone = any(f"{path}/".startswith(one) for one in away)
        assert _what(path, moved) == (None if gone else _what(path, newer))


def _add(store: Store, name: str, bases: Sequence[Plan]) -> None:
    """Add an image of the layers that make each of ``bases`` of the one before."""
    descriptors = []
    for before, after in pairwise([Plan(), *bases]):
        data = packed(layer_of(before, after).members())[0]
        descriptors.append(store.write(LAYER, data))
    config = Config("amd64", diff_ids=tuple(one.digest for one in descriptors))
    store_image(store, name, tuple(descriptors), config)


def _flat(path: str, name: str) -> Plan:
    image = find_image(path, name)
    with Store(path) as store:
        return bare(image_plan(store, image.manifest, image.config))


def test_no_way_back() -> None:
    """What put a file in the place of a directory, and then of nothing, is not put there again."""
    top = directory("/")
    base, newer = Plan([top, directory("/d")]), Plan([top])
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/store"
        with Store.open_or_make(path) as store, store.adding():
            _add(store, "base:1", [base])
            _add(store, "newer:1", [newer])
            _add(store, "image:1", [base, Plan([top, symlink("/d", "l")])])
        there = RebaseRequest("image:1", "newer:1", path, base="base:1", tag="moved:1")
        assert rebase(there).image is not None
        back = rebase(RebaseRequest("moved:1", "base:1", path, tag="back:1"))
        refusal = back.refusal()
        assert refusal is not None
        assert "and is a directory in the new base" in str(refusal)


@at_most(30)
@given(base=whole_plans(), other=whole_plans(), data=st.data())
def test_rebased(base: Plan, other: Plan, data: DataObject) -> None:
    """The image is its layers over the new base; onto its own base it is itself, and back again."""
    new, newer = mixed(base, other, data), mixed(base, other, data)
    with tempfile.TemporaryDirectory() as top:
        path = f"{top}/store"
        with Store.open_or_make(path) as store, store.adding():
            _add(store, "base:1", [base])
            _add(store, "newer:1", [newer])
            _add(store, "image:1", [base, new])
        asked = RebaseRequest("image:1", "base:1", path, base="base:1", tag="same:1")
        assert rebase(asked).image is not None
        same = find_image(path, "same:1").digest
        done = rebase(RebaseRequest("same:1", "newer:1", path, tag="moved:1"))
        if done.image is None:
            assert done.refusal() is not None
            return
        archive = read(packed(layer_of(base, new).members())[0])
        assert _flat(path, "moved:1") == bare(apply_layer(bare(newer), archive))
        back = rebase(RebaseRequest("moved:1", "base:1", path, tag="back:1"))
        if back.image is None:
            # It puts a file in the place of a directory of its first base, of which the other base
            # has nothing: what it did there nobody knows any more, so from there it is refused.
            found = list(reliances(archive, bare(newer), bare(base)))
            (first, *others) = [one.path for one in found if one.weight is Weight.CONFLICT]
            for one in (first, *others):
                assert base[one].kind is EntryKind.DIRECTORY
                assert newer.get(one) is None or newer[one].kind is not EntryKind.DIRECTORY
            return
        assert find_image(path, "back:1").digest == same
