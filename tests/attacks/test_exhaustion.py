"""What is taken of the machine: without limits as much as there is, with limits no more than that.

How far the naive launcher is followed is bounded by the attacks themselves.
For memory and processors of ordinary users see ``tests/guest``: that takes a
machine whose systemd, or whose owner, gives them groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks import exhaustion
from tests.attacks.launchers import Naive, Rootgen
from tests.attacks.outcome import Verdict
from tests.attacks.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.launchers import Launcher
    from tests.attacks.outcome import Outcome

    Attack = Callable[[Scene, Launcher], Outcome]

# What takes a cgroup.
_ROOT = [pytest.mark.root]
ATTACKS = [
    pytest.param(exhaustion.memory_files("/dev/shm"), id="memory: /dev/shm", marks=_ROOT),
    pytest.param(exhaustion.memory_files("/tmp"), id="memory: /tmp", marks=_ROOT),
    pytest.param(exhaustion.memory_files("/scratch"), id="memory: --tmpfs", marks=_ROOT),
    pytest.param(exhaustion.processor, id="processor", marks=_ROOT),
    pytest.param(exhaustion.processes, id="processes"),
    pytest.param(exhaustion.disk, id="disk"),
    pytest.param(exhaustion.large_file, id="large file"),
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_exhaustion(attack: Attack) -> None:
    """It succeeds where nothing is limited, and fails where that is."""
    with Scene() as scene:
        outcome = attack(scene, Naive())
        assert outcome.verdict is Verdict.SUCCEEDED, outcome.detail
    with Scene() as scene:
        outcome = attack(scene, Rootgen())
        assert outcome.verdict is Verdict.HELD, outcome.detail
