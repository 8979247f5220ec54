"""Which programs a script goes through, in a drawn root."""

from __future__ import annotations

import pytest

from rootgen.closure.resolve import interpreters_of
from rootgen.errors import RootgenError
from rootgen.sysroot.memory import draw

DRAWING = r"""
bin -> usr/bin
sh = \x7fELF top
usr/
  bin/
    sh = \x7fELF
    env = \x7fELF
    python3 -> python3.11
    python3.11 = \x7fELF
    plain = #!/bin/sh\n
    by-env = #!/usr/bin/env python3\n
    by-split = #!/usr/bin/env -S A=1 python3 -u\n
    relative = #!bin/sh\n
    bare = #!sh\n
    no-path = #!python3\n
    nested = #!/usr/bin/plain -x\n
    nested-env = #!/usr/bin/by-env\n
    one = #!/usr/bin/two\n
    two = #!/usr/bin/one\n
    round = #!/usr/bin/env round\n
    windows = #!/bin/sh\r\n
    text = hello
    empty
    none = #!\n
    away = #!/opt/tool\n
    away-env = #!/usr/bin/env pyton3\n
    folder = #!/usr\n
"""


@pytest.mark.parametrize(
    ("name", "interpreters"),
    [
        ("sh", ()),
        ("plain", ("/bin/sh",)),
        ("by-env", ("/usr/bin/python3",)),
        ("by-split", ("/usr/bin/python3",)),
        ("relative", ("/bin/sh",)),
        ("bare", ("/sh",)),
        ("nested", ("/usr/bin/plain", "/bin/sh")),
        ("nested-env", ("/usr/bin/by-env", "/usr/bin/python3")),
    ],
)
def test_interpreters(name: str, interpreters: tuple[str, ...]) -> None:
    """Every script in the row, then the program that runs in the end."""
    assert interpreters_of(draw(DRAWING), f"/usr/bin/{name}") == interpreters


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "text",
            """/usr/bin/text is neither an ELF file nor a script
  it begins with b'hell', not with '\\x7fELF' or '#!'
  hint: to bring it as data: --add /usr/bin/text""",
        ),
        ("empty", "/usr/bin/empty is empty, not a program"),
        (
            "none",
            "/usr/bin/none is no script: its first line names no interpreter",
        ),
        ("one", "/usr/bin/one: more than 5 scripts in a row"),
        ("round", "/usr/bin/round: more than 5 scripts in a row"),
        (
            "away",
            """/usr/bin/away: its interpreter is not there
  no such program: /opt/tool
  / has no opt""",
        ),
        (
            "away-env",
            """/usr/bin/away-env: its interpreter is not there
  no such program: pyton3
  searched /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin in (memory)
  hint: did you mean python3, python3.11?""",
        ),
        (
            "no-path",
            """/usr/bin/no-path: its interpreter is not there
  no such program: /python3
  / has no python3""",
        ),
        (
            "windows",
            """/usr/bin/windows: its interpreter is not there
  no such program: /bin/sh\r
  /bin has no sh\r
  hint: the line ends as on Windows: take the carriage return out""",
        ),
        (
            "folder",
            """/usr/bin/folder: its interpreter is not there
  /usr is a directory, not a program""",
        ),
    ],
)
def test_message(name: str, message: str) -> None:
    """Each says which script, what it asks for, and what is there instead."""
    with pytest.raises(RootgenError) as caught:
        interpreters_of(draw(DRAWING), f"/usr/bin/{name}")
    assert str(caught.value) == message
