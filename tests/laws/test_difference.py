"""Differences: applied to the base they give the new Plan; the other way round they undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from rootgen.errors import PlanError
from rootgen.layer.difference import NOT_OF_THE_DIGEST, Difference, apply, difference
from rootgen.plan.digest import plan_digest
from rootgen.plan.plan import Plan
from tests.laws.examples import at_most
from tests.laws.plans import hashed, plans

if TYPE_CHECKING:
    from tests.laws.plans import Drawn


@at_most(300)
@given(base=plans(), new=plans())
def test_apply(base: Drawn, new: Drawn) -> None:
    """apply(base, difference(base, new)) is new."""
    assert apply(base.plan, difference(base.plan, new.plan)) == new.plan


@at_most(300)
@given(base=plans(), new=plans())
def test_reverse(base: Drawn, new: Drawn) -> None:
    """What the one adds the other removes; what changed, changed in the same fields."""
    there, back = difference(base.plan, new.plan), difference(new.plan, base.plan)
    assert there.added == back.removed
    assert there.removed == back.added
    assert [(one.before, one.fields) for one in there.changed] == [
        (one.after, one.fields) for one in back.changed
    ]


@at_most(300)
@given(base=plans(), new=plans())
def test_digest(base: Drawn, new: Drawn) -> None:
    """Two Plans have one digest exactly if nothing differs that the digest is of."""
    one, other = hashed(base), hashed(new)
    same = difference(one, other, ignoring=(*NOT_OF_THE_DIGEST, "size")).is_empty()
    assert same == (plan_digest(one) == plan_digest(other))


@at_most(300)
@given(base=plans())
def test_nothing(base: Drawn) -> None:
    """A Plan does not differ from itself, and from nothing by all it has."""
    assert difference(base.plan, base.plan) == Difference()
    assert difference(Plan(), base.plan).added == tuple(base.plan.entries())


@at_most(300)
@given(base=plans())
def test_other_base(base: Drawn) -> None:
    """A difference from another Plan is refused."""
    with pytest.raises(PlanError, match="another plan"):
        apply(Plan(), difference(base.plan, Plan()))
