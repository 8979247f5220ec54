"""Looking programs up in a drawn root."""

from __future__ import annotations

import pytest

from rootgen.errors import MissingError, RootgenError
from rootgen.sysroot.memory import draw
from rootgen.sysroot.program import find_program

DRAWING = """
bin -> usr/bin
usr/
  bin/
    bash = x
    ls = x
    broken -> nowhere
    dir/
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
    assert find_program(draw(DRAWING), name)[0] == opened


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bsh", "did you mean bash"),
        ("/usr/bin/bsh", "/usr/bin has no bsh"),
        ("/usr/bin/bsh", "did you mean bash"),
        ("/usr/bim/bash", "did you mean bin"),
        ("/usr/bin/broken", "leads nowhere"),
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
        find_program(draw(DRAWING), name)
    assert message in str(caught.value)
    assert isinstance(caught.value, MissingError) or "is a directory" in message
