"""Interpreter lines, as the kernel and env(1) read them."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.closure.script import Shebang, env_program, parse_shebang

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"#!/bin/sh\n", Shebang("/bin/sh", "")),
        (b"#! /bin/sh -e\necho", Shebang("/bin/sh", "-e")),
        (b"#!\t/bin/sh\t -e x \n", Shebang("/bin/sh", "-e x")),
        (b"#!/bin/sh", Shebang("/bin/sh", "")),
        (b"#!/usr/bin/env python3\n", Shebang("/usr/bin/env", "python3")),
        (b"#!" + b"/x" * 130, None),
        (b"#!\n/bin/sh\n", None),
        (b"#!   \n", None),
        (b"#", None),
        (b"", None),
        (b"\x7fELF", None),
    ],
)
def test_parse(head: bytes, expected: Shebang | None) -> None:
    """The first line, up to the kernel's 256 bytes."""
    assert parse_shebang(head) == expected


@pytest.mark.parametrize(
    ("argument", "program"),
    [
        ("python3", "python3"),
        ("-S python3 -u", "python3"),
        ("-S LANG=C awk -f", "awk"),
        ("-Spython3", "python3"),
        ("-vS python3 -u", "python3"),
        ("--split-string=python3 -u", "python3"),
        ("-S -u HOME python3", "python3"),
        ("-S -i perl", "perl"),
        ("", None),
        ("-i", None),
    ],
)
def test_env(argument: str, program: str | None) -> None:
    """The word that env looks up on PATH."""
    assert env_program(Shebang("/usr/bin/env", argument)) == program


def test_only_env_is_env() -> None:
    """Any other interpreter's argument is its own business."""
    assert env_program(Shebang("/bin/sh", "python3")) is None


def test_the_kernel_agrees(tmp_path: Path) -> None:
    """What we read is what the kernel starts: the interpreter prints its own arguments."""
    script = tmp_path / "script"
    script.write_bytes(b"#!  /usr/bin/printf \t%s|%s\\n \nignored")
    script.chmod(stat.S_IRWXU)
    printed = subprocess.run([os.fspath(script)], stdout=subprocess.PIPE, check=True).stdout
    shebang = parse_shebang(script.read_bytes())
    assert shebang is not None
    assert shebang.interpreter == "/usr/bin/printf"
    assert printed == os.fsencode(f"{script}|\n")
    assert shebang.argument == "%s|%s\\n"


@given(st.binary(max_size=400))
def test_any_bytes(head: bytes) -> None:
    """No input raises; what comes out is non-empty text."""
    shebang = parse_shebang(b"#!" + head)
    if shebang is not None:
        assert shebang.interpreter
        assert shebang == parse_shebang((b"#!" + head)[:256])
