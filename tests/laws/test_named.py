"""Our named tuples are those of typing, but for what they cost to define."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from rootgen.named import NamedTuple


class Ours(NamedTuple):
    """A value."""

    first: int
    second: str = "two"
    third: tuple[int, ...] = ()

    def total(self) -> int:
        """Return a sum."""
        return self.first + sum(self.third)

    @property
    def loud(self) -> str:
        """Return it loudly."""
        return self.second.upper()


class Theirs(typing.NamedTuple):
    """A value."""

    first: int
    second: str = "two"
    third: tuple[int, ...] = ()


def test_same_as_typing() -> None:
    """Fields, defaults, order, representation and documentation are the same."""
    ours, theirs = Ours(1, third=(2,)), Theirs(1, third=(2,))
    assert tuple(ours) == tuple(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    for name in ("_fields", "_field_defaults", "__match_args__", "__doc__", "__module__"):
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert [one.__name__ for one in Ours.__mro__[1:]] == [
        one.__name__ for one in Theirs.__mro__[1:]
    ]
    assert tuple(ours._replace(second="x")) == tuple(theirs._replace(second="x"))
    assert hash(ours) == hash(theirs)


def test_methods() -> None:
    """Methods and properties work, and a value cannot be changed."""
    ours = Ours(1, third=(2, 3))
    assert (ours.total(), ours.loud) == (6, "TWO")
    with pytest.raises(AttributeError):
        ours.first = 2  # type: ignore[misc]
    match ours:
        case Ours(first, second):
            assert (first, second) == (1, "two")


def test_copies() -> None:
    """It can be copied and pickled."""
    ours = Ours(1)
    assert copy.copy(ours) == copy.deepcopy(ours) == pickle.loads(pickle.dumps(ours)) == ours


def test_wrong_arguments() -> None:
    """A missing or unknown argument is a TypeError."""
    with pytest.raises(TypeError):
        Ours()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Ours(1, fourth=2)  # type: ignore[call-arg]
