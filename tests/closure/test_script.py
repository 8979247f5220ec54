"""Interpreter lines, as the kernel and env(1) read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.closure.script import Shebang, env_program, parse_shebang


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"#!/bin/sh\n", Shebang("/bin/sh", "")),
        (b"#! /bin/sh -e\necho", Shebang("/bin/sh", "-e")),
        (b"#!/bin/sh -e \n", Shebang("/bin/sh", "-e")),
        (b"#!/bin/sh -e ", Shebang("/bin/sh", "-e ")),
        (b"#!/bin/sh " + b"x" * 243 + b"  ", Shebang("/bin/sh", "x" * 243)),
        (b"#!/bin/sh " + b"x" * 243 + b" ", Shebang("/bin/sh", "x" * 243 + " ")),
        (b"#!/bin/sh a\0b\n", Shebang("/bin/sh", "a")),
        (b"#!/bin/sh\0 -e\n", Shebang("/bin/sh", "")),
        (b"#!\0/bin/sh\n", None),
        (b"#!/bin/sh\r\n", Shebang("/bin/sh\r", "")),
        (b"#!sh\n", Shebang("sh", "")),
        (b"#!/bin/sh " + b"x" * 300, Shebang("/bin/sh", "x" * 245)),
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
        ("-S 'my program' -u", "my program"),
        ('-S "a\\_b"', "a b"),
        ("-S a\\_b", "a"),
        ("-S python3 # not this", "python3"),
        ("-S # nothing", None),
        ("-S -uHOME -C / python3", "python3"),
        ("-S --unset HOME --chdir=/ A=1 python3", "python3"),
        ("-S --ignore-env -- python3", "python3"),
        ("-S - python3", "python3"),
        ("-iS python3", "python3"),
        ("-S -S python3", "python3"),
        ("-S -S -S", None),
        ("-S ${HOME}/x", None),
        ("python3 -u", "python3 -u"),
        ("A=1 python3", None),
        ("-u HOME", None),
        ("-S", None),
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


@given(st.binary(max_size=400))
def test_any_bytes(head: bytes) -> None:
    """No input raises; what comes out is non-empty text."""
    shebang = parse_shebang(b"#!" + head)
    if shebang is not None:
        assert shebang.interpreter
        assert shebang == parse_shebang((b"#!" + head)[:256])
        env_program(shebang._replace(interpreter="env"))
