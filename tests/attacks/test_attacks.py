"""Each attack succeeds against a launcher made by hand, and fails against rootgen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.attacks.catalogue import ATTACKS, Attack
from tests.attacks.launchers import Naive, Rootgen
from tests.attacks.outcome import Verdict
from tests.attacks.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark.structures import ParameterSet

WHO = "user" if os.geteuid() else "root"


def _parameter(attack: Attack) -> ParameterSet:
    marks = [pytest.mark.root] if attack.needs_root else []
    return pytest.param(attack, id=attack.name, marks=marks)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Lay out the ground of one attack."""
    with Scene() as ground:
        yield ground


@pytest.mark.parametrize("attack", [_parameter(one) for one in ATTACKS if WHO in one.naive])
def test_naive(scene: Scene, attack: Attack) -> None:
    """It is an attack: it succeeds where nobody defends."""
    outcome = attack.perform(scene, Naive())
    assert outcome.verdict is Verdict.SUCCEEDED, outcome.detail


@pytest.mark.parametrize("attack", [_parameter(one) for one in ATTACKS])
def test_rootgen(scene: Scene, attack: Attack) -> None:
    """It gains nothing against rootgen, and ends as it was said to."""
    outcome = attack.perform(scene, Rootgen())
    assert outcome.verdict is attack.rootgen, outcome.detail
