"""Opening beneath a directory: by openat2(2), and by the walk for kernels without it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.linux import path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["openat2", "walk"])
def root(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """Open a small hostile root, under a kernel with and without openat2."""
    if request.param == "walk":
        monkeypatch.setattr(path, "_openat2", lambda *_: None)
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/bash").write_text("inside")
    (root / "bin").symlink_to("usr/bin")
    (root / "absolute").symlink_to("/usr/bin/bash")
    (root / "climbing").symlink_to("../../../usr/bin/bash")
    (root / "outside").symlink_to(tmp_path / "secret")
    (root / "gone").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    (tmp_path / "secret").write_text("outside")
    os.mkfifo(root / "fifo")
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def _read(descriptor: int) -> str:
    with open(descriptor) as file:
        return file.read()


@pytest.mark.parametrize("name", ["usr/bin/bash", "/usr/bin/bash", "usr//bin/./bash"])
def test_beneath(root: int, name: str) -> None:
    """A path without links opens, whether it begins with a slash or not."""
    assert _read(path.open_beneath(root, name, os.O_RDONLY)) == "inside"


@pytest.mark.parametrize(
    "name", ["bin/bash", "bin", "absolute", "climbing", "outside", "gone", "../secret", "usr/../.."]
)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_PATH])
def test_beneath_refuses(root: int, name: str, flags: int) -> None:
    """A link anywhere in the path, or a way out, is an OSError; the link itself never opens."""
    with pytest.raises(OSError, match=r"symbolic links|cross-device|Not a directory"):
        path.open_beneath(root, name, flags)


@pytest.mark.parametrize(
    "name", ["bin/bash", "/bin/bash", "absolute", "climbing", "../../usr/bin/bash"]
)
def test_in_root(root: int, name: str) -> None:
    """Links are followed as under chroot: absolute ones and ``..`` stay within."""
    assert _read(path.open_in_root(root, name, os.O_RDONLY)) == "inside"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("outside", "No such file"),
        ("gone", "No such file"),
        ("loop", "symbolic links"),
        ("usr/bin/bash/", "Not a directory"),
        ("usr/bin/bash/..", "Not a directory"),
        ("gone/..", "No such file"),
    ],
)
def test_in_root_refuses(root: int, name: str, message: str) -> None:
    """What leads nowhere within the root is an error, wherever it leads outside."""
    with pytest.raises(OSError, match=message):
        path.open_in_root(root, name, os.O_RDONLY)


def test_close_on_exec(root: int) -> None:
    """No descriptor survives an exec."""
    for opened in (path.open_beneath(root, "usr", os.O_PATH), path.open_in_root(root, "bin", 0)):
        assert not os.get_inheritable(opened)
        os.close(opened)


def test_fifo(root: int) -> None:
    """A fifo opened as a place, not for reading, does not wait for a writer."""
    os.close(path.open_beneath(root, "fifo", os.O_PATH))


def test_first_link(root: int) -> None:
    """The link in the way is named; where there is none, none is."""
    assert path.first_link(root, "/bin/bash") == "/bin"
    assert path.first_link(root, "usr/bin/bash") is None
    assert path.first_link(root, "nowhere/at/all") is None
