"""Walking paths inside a drawn root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import SysrootError
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.memory import draw
from rootgen.sysroot.port import Kind, Link

if TYPE_CHECKING:
    from pathlib import Path

DRAWING = """
bin -> usr/bin
usr/
  bin/
    bash = shell
    sh -> bash
    awk -> /etc/alternatives/awk
    mawk = awk
    up -> ../lib/tool
    out -> ../../../../../usr/bin/bash
    gone -> /nowhere
    self -> self
    ping -> pong
    pong -> ping
    slash -> bash/
    dots -> ./../bin/./bash
    bare -> .
  lib/
    tool = x
etc/
  alternatives/
    awk -> /usr/bin/mawk
"""


@pytest.mark.parametrize(
    ("path", "real", "links"),
    [
        ("/usr/bin/bash", "/usr/bin/bash", []),
        ("/bin/bash", "/usr/bin/bash", ["/bin"]),
        ("/bin/sh", "/usr/bin/bash", ["/bin", "/usr/bin/sh"]),
        ("/bin/awk", "/usr/bin/mawk", ["/bin", "/usr/bin/awk", "/etc/alternatives/awk"]),
        ("/usr/bin/up", "/usr/lib/tool", ["/usr/bin/up"]),
        ("/usr/bin/out", "/usr/bin/bash", ["/usr/bin/out"]),
        ("/usr/bin/dots", "/usr/bin/bash", ["/usr/bin/dots"]),
        ("/bin/../lib/tool", "/usr/lib/tool", ["/bin"]),
        ("/../../usr//bin/./bash", "/usr/bin/bash", []),
        ("/bin", "/usr/bin", ["/bin"]),
        ("/bin/", "/usr/bin", ["/bin"]),
        ("/", "/", []),
        ("/..", "/", []),
    ],
)
def test_leads_to(path: str, real: str, links: list[str]) -> None:
    """Every hop is kept, in the order met; nothing leads out of the root."""
    found = draw(DRAWING).lookup(path)
    assert found is not None
    assert found.path == real
    assert [link.path for link in found.links] == links


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/gone",
        "/usr/bin/self",
        "/usr/bin/ping",
        "/usr/bin/slash",
        "/usr/bin/bash/",
        "/usr/bin/bash/x",
        "/usr/bin/bash/..",
        "/nowhere/../usr",
        "/usr/bin/nothing",
    ],
)
def test_leads_nowhere(path: str) -> None:
    """Loops, missing names and files used as directories are simply not there."""
    assert draw(DRAWING).lookup(path) is None


def test_agrees_with_the_kernel(tmp_path: Path) -> None:
    """The walk inside a directory is what chroot-relative resolution gives."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/tool").write_bytes(b"x")
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "abs").symlink_to("/usr/bin/tool")
    (tmp_path / "chain").symlink_to("abs")
    root = DirectorySysroot(str(tmp_path))
    found = root.lookup("/chain")
    assert found is not None
    assert found.path == "/usr/bin/tool"
    assert found.links == (Link("/chain", "abs"), Link("/abs", "/usr/bin/tool"))
    assert root.node("/usr/bin/tool").kind is Kind.FILE  # type: ignore[union-attr]
    with root.open("/usr/bin/tool") as file:
        assert file.pread(10, 0) == b"x"


@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "absent"])
def test_opens_regular_files_only(tmp_path: Path, kind: str) -> None:
    """A fifo does not make us wait, a link is not followed, each is one clear error."""
    path = tmp_path / "thing"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    with pytest.raises(SysrootError, match="cannot read"):
        DirectorySysroot(str(tmp_path)).open("/thing")


def test_a_directory_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    """What was resolved stays inside even if the tree changes under our hands."""
    (tmp_path / "root/dir").mkdir(parents=True)
    (tmp_path / "root/dir/file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"outside")
    root = DirectorySysroot(str(tmp_path / "root"))
    assert root.lookup("/dir/file") is not None
    (tmp_path / "root/dir").rename(tmp_path / "root/old")
    (tmp_path / "root/dir").symlink_to("../outside")
    with pytest.raises(SysrootError):
        root.open("/dir/file")


def test_forty_links_and_no_more(tmp_path: Path) -> None:
    """path_resolution(7): the kernel follows forty links; so do we, in the same place."""
    (tmp_path / "l0").write_bytes(b"end")
    for number in range(1, 43):
        (tmp_path / f"l{number}").symlink_to(f"l{number - 1}")
    root = DirectorySysroot(str(tmp_path))
    for number in (39, 40, 41, 42):
        kernel = os.path.exists(tmp_path / f"l{number}")
        assert (root.lookup(f"/l{number}") is not None) == kernel, number


def test_a_root_that_is_none(tmp_path: Path) -> None:
    """A root that does not exist, or is a file, is named in the error."""
    (tmp_path / "file").write_bytes(b"")
    for name in ("absent", "file"):
        with pytest.raises(SysrootError, match=name):
            DirectorySysroot(str(tmp_path / name))
