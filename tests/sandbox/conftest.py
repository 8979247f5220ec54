"""What the tests of the sandbox share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.tree import build_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a small tree that a test may change."""
    return build_tree(tmp_path / "tree")
