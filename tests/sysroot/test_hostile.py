"""A root that means harm: special files, names that are none, links out of it."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import SysrootError
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from pathlib import Path


def _refusal(root: Path, path: str) -> str:
    with pytest.raises(SysrootError) as caught:
        DirectorySysroot(str(root)).open(path)
    return str(caught.value)


def test_a_fifo_and_a_socket_are_not_opened(tmp_path: Path) -> None:
    """What is no regular file is refused by its kind, before opening it could do anything."""
    os.mkfifo(tmp_path / "fifo")
    here = os.open(tmp_path, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/socket")  # a path of 108 bytes at most
    os.close(here)
    for name in ("fifo", "socket"):
        assert (
            _refusal(tmp_path, f"/{name}") == f"cannot read {tmp_path}/{name}: not a regular file"
        )
    root = DirectorySysroot(str(tmp_path))
    kinds = {name: root.node(f"/{name}") for name in root.names("/")}
    assert {name: node.kind for name, node in kinds.items() if node is not None} == {
        "fifo": Kind.FIFO,
        "socket": Kind.SOCKET,
    }


@pytest.mark.root
def test_a_device_is_not_opened(tmp_path: Path) -> None:
    """Opening a device may act (a watchdog): here one that has no driver would give ENXIO."""
    os.mknod(tmp_path / "device", stat.S_IFCHR | 0o600, os.makedev(1234, 5))
    assert _refusal(tmp_path, "/device").endswith("not a regular file")
    node = DirectorySysroot(str(tmp_path)).node("/device")
    assert node is not None
    assert (node.kind, node.device) == (Kind.CHARACTER, (1234, 5))


def test_a_name_with_nul(tmp_path: Path) -> None:
    """No file has a NUL in its name: nothing is there, and nothing else is raised."""
    root = DirectorySysroot(str(tmp_path))
    for path in ("/\0", "/a\0b/c", "\0"):
        assert root.lookup(path) is None
        assert root.node(path) is None
        assert root.xattrs(path) == ()
        with pytest.raises(SysrootError, match="cannot list"):
            root.names(path)
        with pytest.raises(SysrootError, match="cannot read"):
            root.open(path)


def test_names_are_bytes(tmp_path: Path) -> None:
    """A name that is no UTF-8 is found by the name that the listing gives."""
    with open(os.fsencode(tmp_path) + b"/\xff\n\xe9", "wb") as file:
        file.write(b"x")
    root = DirectorySysroot(str(tmp_path))
    (name,) = root.names("/")
    found = root.lookup(f"/{name}")
    assert found is not None
    with root.open(found.path) as opened:
        assert opened.pread(9, 0) == b"x"


@pytest.mark.parametrize("name", ["x" * 256, "x/" * 3000])
def test_a_name_too_long(tmp_path: Path, name: str) -> None:
    """A name longer than the kernel takes is not there."""
    assert DirectorySysroot(str(tmp_path)).lookup(f"/{name}") is None


def test_a_listing_stays_inside(tmp_path: Path) -> None:
    """A directory swapped for a link out of the root, after it was resolved, is not listed."""
    (tmp_path / "root/directory").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"")
    root = DirectorySysroot(str(tmp_path / "root"))
    assert root.lookup("/directory/x") is None
    (tmp_path / "root/directory").rmdir()
    (tmp_path / "root/directory").symlink_to("../outside")
    with pytest.raises(SysrootError, match="cannot list"):
        root.names("/directory")


@pytest.mark.parametrize("target", ["/etc", "../../../../../../../../etc", "/proc/self/root/etc"])
def test_links_out_lead_inside(tmp_path: Path, target: str) -> None:
    """A link that climbs out of the root ends within it, where there is no passwd."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "way").symlink_to(target)
    root = DirectorySysroot(str(tmp_path))
    assert root.lookup("/way/passwd") is None
    found = root.lookup("/way")
    assert found is None or found.path == "/etc"


def test_a_magic_link_is_a_link() -> None:
    """/proc/self/exe of the host leads where its text says, as for any link."""
    found = DirectorySysroot("/").lookup("/proc/self/exe")
    assert found is not None
    assert found.path == os.path.realpath("/proc/self/exe")
    assert found.node.kind is Kind.FILE
