"""Looking programs up in a drawn root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rootgen.errors import MissingError, RootgenError
from rootgen.sysroot.memory import draw
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
    root._nodes["/usr/bin/plain"] = root._nodes["/usr/bin/plain"]._replace(mode=0o644)
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
        ("", "no such program"),
        ("/", "is a directory"),
    ],
)
def test_not_found(name: str, message: str) -> None:
    """Every failure says what was asked for and what comes near."""
    with pytest.raises(RootgenError) as caught:
        find_program(_root(), name)
    assert message in str(caught.value)
    assert isinstance(caught.value, MissingError) or "is a directory" in message
    assert f"did you mean {name.rpartition('/')[2]}" not in str(caught.value)
