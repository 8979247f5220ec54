"""Which names have no attributes: by listxattrat(2), and as kernels without it say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.linux import attribute
from rootgen.rootfs import attributes
from rootgen.rootfs.attributes import AttributesAt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    """Open a directory of names with and without attributes."""
    (tmp_path / "plain").write_text("")
    (tmp_path / "noted").write_text("")
    os.setxattr(tmp_path / "noted", "user.note", b"mine")
    os.setxattr(tmp_path / "noted", "user.also", b"")
    (tmp_path / "link").symlink_to("noted")
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


_EXPECTED = {
    "plain": (),
    "noted": (("user.also", b""), ("user.note", b"mine")),
    "link": (),
    "gone": (),
}


@pytest.mark.parametrize("asked", [True, False])
def test_attributes(directory: int, monkeypatch: pytest.MonkeyPatch, *, asked: bool) -> None:
    """The attributes are the same in both ways; no link is followed."""
    if not asked:
        monkeypatch.setattr(attributes, "can_ask", lambda _: False)
    found = AttributesAt(directory)
    assert {name: found.of(directory, name) for name in _EXPECTED} == _EXPECTED


def test_without_the_call(directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no such call it is not used, and nothing is said to have none."""
    monkeypatch.setattr(attribute, "LISTXATTRAT", 1_000_000)
    assert not attribute.can_ask(directory)
    assert not attribute.has_none(directory, "plain")
