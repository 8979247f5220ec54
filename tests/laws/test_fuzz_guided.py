"""Coverage-guided fuzzing of the readers of archives, ELF files, caches and ld.so.conf."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_RUNS = 400_000


@pytest.mark.long
@pytest.mark.parametrize("target", ["archive", "elf", "cache", "configuration"])
def test_guided(
    target: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """No input that new branches lead to raises anything but the reader's own error."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.laws.guided", target, str(_RUNS), str(tmp_path)],
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stderr[-4000:]
    covered = re.findall(r"cov: (\d+)", done.stderr)
    record_property(
        "figure", f"{target}: {_RUNS:,} inputs led by coverage, {covered[-1]} branches reached"
    )
