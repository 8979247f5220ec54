"""The power goes in the middle of a make: afterwards there is the old tree or the new one, whole.

A make onto a file system is recorded write by write (``recorded_disk``), and the disk is
made anew as it was at many moments: with all that was written until then, and as
disks with a cache of their own leave it, where any block written since the last
flush may be lost and a later one kept. The file system is mounted, which replays
its journal, and what stands under the final name is checked as a user would.

A flush is taken for done when the kernel asks for it, and the blocks before it
for kept: a disk that lies about that, or tears a block of 4 KiB, is not tried.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.truth.power_cut import FILE_SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Figures = Callable[[str, object], None]

pytestmark = [pytest.mark.long, pytest.mark.root]

NONE, OLD, NEW = "", "true", "bash ls true"


def cut(directory: Path, name: str, *made: str) -> tuple[set[str], str]:
    """Cut the power while the trees ``made`` are; return what was found, and the figure."""
    command = ["unshare", "--mount", sys.executable, "-m", "tests.truth.power_cut"]
    done = subprocess.run(
        [*command, str(directory), name, *made], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    states = found["states"]
    told = ", ".join(f"{count} times {tree or 'none'}" for tree, count in sorted(states.items()))
    figure = (
        f"power cut {sum(states.values())} times in {found['writes']} writes and "
        f"{found['flushes']} flushes of {name}: whole each time, {told}"
    )
    return set(states), figure


@pytest.mark.parametrize("name", FILE_SYSTEMS)
def test_replacing(tmp_path: Path, name: str, record_property: Figures) -> None:
    """A tree that is replaced, and replaced again, is the one or the other at any moment."""
    states, figure = cut(tmp_path, name, OLD, NEW, OLD, NEW)
    record_property("figure", figure)
    assert states == {OLD, NEW}


# With data=writeback a new tree may have its name before its bytes (rootgen/rootfs/flush.py).
@pytest.mark.parametrize("name", ["ext4", "btrfs", "xfs"])
def test_first(tmp_path: Path, name: str, record_property: Figures) -> None:
    """A tree where there was none is there, or not."""
    states, figure = cut(tmp_path, name, NONE, NEW)
    record_property("figure", figure)
    assert states <= {NONE, NEW}
