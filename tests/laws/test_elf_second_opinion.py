"""Two readers that share no line agree on whatever a sound file says."""

from __future__ import annotations

from hypothesis import given

from tests.elf.image import Recipe, build
from tests.elf.reading import facts_of, second_facts_of
from tests.laws.strategies import recipes


@given(recipes())
def test_our_reader_equals_pyelftools(recipe: Recipe) -> None:
    """Class, order, names of any bytes, notes, extended numbering: the same facts."""
    data = build(recipe).data
    assert facts_of(data) == second_facts_of(data)
