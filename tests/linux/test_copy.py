"""Copies: the same bytes, the same holes, whichever way the file systems leave open."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from rootgen.linux.copy import copy_data

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1 << 20


def _copied(source: Path, target: Path, size: int) -> int:
    with source.open("rb") as reader, target.open("wb") as writer:
        return copy_data(reader.fileno(), writer.fileno(), size)


def _refuse_range(*_arguments: object, **_options: object) -> int:
    raise OSError(18, "Invalid cross-device link")


def _refuse_clone(*_arguments: object) -> int:
    raise OSError(95, "Operation not supported")


@pytest.fixture(params=["as it comes", "no reflink", "neither"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave open each of the ways: any, copy_file_range(2), read and write."""
    if request.param != "as it comes":
        monkeypatch.setattr(fcntl, "ioctl", _refuse_clone)
    if request.param == "neither":
        monkeypatch.setattr(os, "copy_file_range", _refuse_range)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("size", [0, 1, 4096, MEBIBYTE + 3])
def test_bytes(tmp_path: Path, size: int) -> None:
    """A copy has the bytes of the original, and says how many."""
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    assert _copied(tmp_path / "source", tmp_path / "target", size) == size
    assert (tmp_path / "target").read_bytes() == data


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("data_at", [(), (0,), (5,), (0, 7), (7,)])
def test_holes(tmp_path: Path, data_at: tuple[int, ...]) -> None:
    """Holes stay holes: before, between and after the data, and where there is none."""
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.truncate(8 * MEBIBYTE)
        for position in data_at:
            file.seek(position * MEBIBYTE)
            file.write(b"data")
    assert _copied(source, target, 8 * MEBIBYTE) == 8 * MEBIBYTE
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks <= source.stat().st_blocks


@pytest.mark.usefixtures("_way")
def test_grown_and_shrunk(tmp_path: Path) -> None:
    """The size that was measured is the most that is copied; what is gone is told."""
    (tmp_path / "source").write_bytes(b"0123456789")
    assert _copied(tmp_path / "source", tmp_path / "short", 4) == 4
    assert (tmp_path / "short").read_bytes() == b"0123"
    assert _copied(tmp_path / "source", tmp_path / "long", 20) == 10
    assert (tmp_path / "long").read_bytes() == b"0123456789"


def test_no_space(tmp_path: Path) -> None:
    """A full disk is an error, and not another way to try."""
    (tmp_path / "source").write_bytes(b"x")
    with (
        (tmp_path / "source").open("rb") as reader,
        open("/dev/full", "wb") as writer,
        pytest.raises(OSError, match=r"Invalid argument|No space left"),
    ):
        copy_data(reader.fileno(), writer.fileno(), 1)
