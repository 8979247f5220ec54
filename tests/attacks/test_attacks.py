"""Each attack succeeds against a launcher made by hand, and fails against rootgen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.attacks.catalogue import ATTACKS, Attack
from tests.attacks.launchers import Joining, Naive, Rootgen
from tests.attacks.outcome import Verdict
from tests.attacks.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark.structures import ParameterSet

# What is another matter for a command that joins a launch.
JOINING = frozenset(
    "chroot_descriptor left_descriptor workdir_descriptor working_directory stream_directory "
    "reopened_stream launcher_overwritten file_handle host_device proc_root core_pattern sysctl "
    "kernel_memory device_mode keyring user_namespace bpf io_uring vsock host_name abstract_socket "
    "release_agent kill_process trace environment push_input push_input_high take_terminal "
    "controlling".split()
)
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


@pytest.mark.parametrize("attack", [_parameter(one) for one in ATTACKS if one.name in JOINING])
def test_joining(scene: Scene, attack: Attack) -> None:
    """Nor by what joins a launch that runs already, from which the tree is somebody else's."""
    outcome = attack.perform(scene, Joining())
    assert outcome.verdict is attack.rootgen, outcome.detail
