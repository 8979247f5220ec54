"""What tests/run makes of a run of pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.long_results import lines

_ROOT = Path(__file__).parents[2]
_PASS = "def test_pass(record_property):\n    record_property('figure', '7 compared')\n"
_SKIP = "import pytest\n@pytest.mark.skip\ndef test_skip():\n    pass\n"
_FAIL = "def test_fail():\n    assert False\n"


def _pytest(directory: Path, text: str, *options: str) -> tuple[int, dict[str, object]]:
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "test_it.py").write_text(text)
    numbers = directory / "numbers.json"
    options = ("-p", "tests.tools.verdict", "--numbers", str(numbers), *options)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        check=False,
    )
    return done.returncode, json.loads(numbers.read_text())


@pytest.mark.parametrize(
    ("text", "fails"),
    [(_PASS, False), (_PASS + _SKIP, True), ("", True)],
    ids=["pass", "skip", "none"],
)
def test_what_fails(tmp_path: Path, text: str, *, fails: bool) -> None:
    """A skip, and a suite of nothing, fail as a failure does; workers report like one process."""
    status, _ = _pytest(tmp_path, text, "-n", "1")
    assert (status != 0) == fails


def test_numbers(tmp_path: Path) -> None:
    """The counts are pytest's, and what went wrong has its name."""
    status, numbers = _pytest(tmp_path, _PASS + _FAIL)
    assert status != 0
    assert (numbers["passed"], numbers["failed"]) == (1, 1)
    assert numbers["failures"] == ["test_it.py::test_fail"]
    assert numbers["figures"] == ["7 compared"]


def test_page(tmp_path: Path) -> None:
    """The page of a long run has each run's numbers, and each failure."""
    numbers = tmp_path / "root.json"
    told = {"passed": 3, "failed": 1, "failures": ["t.py::x"], "figures": ["7 compared"]}
    numbers.write_text(json.dumps(told))
    page = "\n".join(lines("abc1234", [f"root={numbers}", f"user={tmp_path}/none.json"]))
    assert "abc1234" in page
    assert "| root | 3 | 1 |" in page
    assert "- root: `t.py::x`" in page
    assert "- root: 7 compared" in page
    assert "did not come to its end" in page
