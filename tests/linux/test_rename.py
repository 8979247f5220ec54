"""Renames that need renameat2(2)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.linux.rename import exchange
from rootgen.linux.sync import sync_filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    """Open a directory that holds ``a/in-a`` and ``b/in-b``."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"in-{name}").touch()
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_exchange(directory: int, tmp_path: Path) -> None:
    """Two directories change places."""
    exchange(directory, "a", directory, "b")
    assert os.listdir(tmp_path / "a") == ["in-b"]
    assert os.listdir(tmp_path / "b") == ["in-a"]


def test_exchange_with_nothing(directory: int) -> None:
    """Both names must be there; the message says which two were meant."""
    with pytest.raises(FileNotFoundError, match="'a' -> 'none'"):
        exchange(directory, "a", directory, "none")


def test_undecodable_name(directory: int, tmp_path: Path) -> None:
    """Names are bytes: one that is no UTF-8 goes through."""
    (tmp_path / "\udcff").mkdir()
    exchange(directory, "a", directory, "\udcff")
    assert os.listdir(os.fsencode(tmp_path) + b"/\xff") == [b"in-a"]


def test_sync(directory: int) -> None:
    """A file system is flushed; a descriptor that is none is an OSError."""
    sync_filesystem(directory)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_filesystem(-1)
