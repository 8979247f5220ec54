"""Looking programs up in a drawn root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rootgen.errors import MissingError, RootgenError, SysrootError
from rootgen.sysroot.memory import draw
from rootgen.sysroot.port import Kind
from rootgen.sysroot.program import find_program

if TYPE_CHECKING:
    from rootgen.sysroot.port import Sysroot

DRAWING = """
bin -> usr/bin
usr/
  bin/
    bash = x
    ls = x
    broken -> nowhere
    dir/
    plain = x
  sbin/
    ls = other
  lib/
    data = x
dev/
"""


@pytest.mark.parametrize(
    ("name", "opened"),
    [("bash", "/usr/bin/bash"), ("ls", "/usr/sbin/ls"), ("/bin/ls", "/bin/ls")],
)
def test_found(name: str, opened: str) -> None:
    """Names go by the root's own PATH, /usr/sbin before /usr/bin; paths are taken as they are."""
    assert find_program(_root(), name)[0] == opened


def _root() -> Sysroot:
    """Draw the root; one of its programs may not be executed."""
    root = draw(DRAWING)
    plain = root._nodes["/usr/bin/plain"]
    root._nodes["/usr/bin/plain"] = plain._replace(mode=0o644)
    root._nodes["/dev/null"] = plain._replace(kind=Kind.CHARACTER, device=(1, 3))
    return root


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bsh", "did you mean bash"),
        ("/usr/bin/bsh", "/usr/bin has no bsh"),
        ("/usr/bin/bsh", "did you mean bash"),
        ("/usr/bim/bash", "did you mean bin"),
        ("/usr/bin/broken", "broken is a symbolic link that leads nowhere: it says nowhere"),
        ("/bin/broken", "broken is a symbolic link that leads nowhere: it says nowhere"),
        ("/bin/broken/x", "/bin/broken is a symbolic link that leads nowhere: it says nowhere"),
        ("/usr/bin/ls/x", "/usr/bin/ls has no x"),
        ("broken", "/usr/bin/broken is a symbolic link that leads nowhere"),
        ("dir", "/usr/bin/dir is a directory"),
        ("plain", "/usr/bin/plain is not executable"),
        ("/usr/bin/dir", "is a directory"),
        ("dir", "no such program: dir"),
        ("data", "no such program: data"),
        ("..", "no such program"),
        ("", "no such program: (an empty name)"),
        ("/dev/null", "/dev/null is a character device, not a program"),
        ("/", "is a directory"),
    ],
)
def test_not_found(name: str, message: str) -> None:
    """Every failure says what was asked for and what comes near."""
    with pytest.raises(RootgenError) as caught:
        find_program(_root(), name)
    assert message in str(caught.value)
    assert isinstance(caught.value, MissingError) or "is a " in message
    assert f"did you mean {name.rpartition('/')[2]}" not in str(caught.value)


def test_closed_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not look into a directory is told so, and not that it lacks the program."""
    root = draw(DRAWING)

    def names(path: str) -> list[str]:
        message = f"cannot list {path}: Permission denied"
        raise SysrootError(message)

    monkeypatch.setattr(type(root), "names", staticmethod(names))
    with pytest.raises(MissingError, match="cannot list /usr/bin: Permission denied") as caught:
        find_program(root, "/usr/bin/none")
    assert "has no" not in str(caught.value)


def test_not_explained() -> None:
    """Where nobody will read it, no directory is listed for near names."""
    with pytest.raises(MissingError) as caught:
        find_program(_root(), "bsh", explain=False)
    assert str(caught.value) == "no such program: bsh"
