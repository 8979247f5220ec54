"""Drawings: what the tests of every room stand on."""

from __future__ import annotations

import pytest

from rootgen.errors import SysrootError
from rootgen.sysroot.memory import draw
from rootgen.sysroot.port import Kind

DRAWING = r"""
usr/
  bin/
    bash = \x7fELF
    sh -> bash
    rbash == bash
  lib/
    empty
"""


def test_kinds_modes_and_bytes() -> None:
    """A line is a directory, a link or a file; beneath bin/ a file is executable."""
    root = draw(DRAWING, {"/usr/lib/raw": b"\xff\0"})
    bash, link, empty = (root.node(f"/usr/{name}") for name in ("bin/bash", "bin/sh", "lib/empty"))
    assert bash is not None and link is not None and empty is not None  # noqa: PT018
    assert (bash.kind, bash.mode, bash.size) == (Kind.FILE, 0o755, 4)
    assert (link.kind, link.target) == (Kind.SYMLINK, "bash")
    assert (empty.kind, empty.mode, empty.size) == (Kind.FILE, 0o644, 0)
    with root.open("/usr/lib/raw") as file:
        assert file.pread(1, 0) + file.pread(9, 1) == b"\xff\0"
    assert root.names("/usr/bin") == ["bash", "rbash", "sh"]


def test_hard_links_are_one_inode() -> None:
    """A hard link has its twin's identity, and both count two links."""
    root = draw(DRAWING)
    bash, twin = root.node("/usr/bin/bash"), root.node("/usr/bin/rbash")
    assert bash is not None
    assert bash == twin
    assert bash.nlink == 2


def test_every_inode_is_its_own() -> None:
    """No two paths share an identity unless they are hard links."""
    root = draw(DRAWING, {"/opt/new/file": b"x", "/opt/other": b"y"})
    paths = ["/", "/usr", "/usr/bin/bash", "/usr/bin/sh", "/usr/lib/empty", "/opt"]
    paths += ["/opt/new", "/opt/new/file", "/opt/other"]
    nodes = [root.node(path) for path in paths]
    assert len({node.identity for node in nodes if node is not None}) == len(paths)


def test_contents_need_no_drawn_parents() -> None:
    """A file given by path can be found by that path."""
    found = draw("", {"/opt/new/file": b"x"}).lookup("/opt/new/../new/file")
    assert found is not None
    assert found.path == "/opt/new/file"


@pytest.mark.parametrize("path", ["/usr/bin/bash", "/nowhere", "/usr/bin/sh"])
def test_only_directories_are_listed(path: str) -> None:
    """Listing anything else is an error that names it."""
    with pytest.raises(SysrootError, match=path):
        draw(DRAWING).names(path)


def test_a_file_has_nothing_beneath() -> None:
    """A drawing that indents a name under a file is refused."""
    with pytest.raises(ValueError, match="not beneath a directory: below = x"):
        draw("file = x\n  below = x")
