"""YAML that is hostile, broken, or not YAML: one message, soon, and little memory."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import ProfileError
from rootgen.profile.read import load_profiles
from tests.profile.writing import SHIPPED, load, refusal, refusal_of, write

if TYPE_CHECKING:
    from pathlib import Path

_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *x", "2:4: alias '*x' of an anchor that is not there"),
        ("a: &x [*x]", "2:8: alias '*x' stands inside what it names"),
        ("a: &x {*x : 1}", "2:8: alias '*x' stands inside what it names"),
        (_LAUGHS, "6:28: more than 50000 values, aliases counted as written out"),
        ("a: " + "[" * 17 + "]" * 17, "2:19: nested more than 16 deep"),
        ("a: " + "{a: " * 9000, "2:64: nested more than 16 deep"),
        ("a: &a [[[[[[[[[x]]]]]]]]]\nb: [[[[[[[[*a]]]]]]]]", "3:12: nested more than 16 deep"),
        (
            "a: !!python/object/apply:os.system [x]",
            "2:4: tag 'tag:yaml.org,2002:python/object/apply:os.system': profiles have no tags",
        ),
        ("name: !mine x", "2:7: tag '!mine': profiles have no tags"),
        ("---\nrootgen: 1", "2:1: a second document; a profile is one"),
        (b"name: \xff", "2:7: not UTF-8 text"),
        (b"# \xc3\xa4\xc3\xa4\nname: \xc3", "3:7: not UTF-8 text"),
        (b"name: \x07", "2:7: a character that YAML does not allow"),
        (b"name: a\x00b", "2:8: a character that YAML does not allow"),
        ("name: [a", "3:1: did not find expected ',' or ']' (while parsing a flow sequence)"),
    ],
)
def test_message(tmp_path: Path, text: str | bytes, message: str) -> None:
    """Bombs, loops, tags and bytes that are no text: told with their place."""
    started = time.process_time()
    told = refusal_of(str(tmp_path), text if isinstance(text, bytes) else f"{text}\n")
    assert time.process_time() - started < 10
    assert f"p.yaml:{message}" in [line.strip() for line in told.splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("".join(f"programz{n}: 1\n" for n in range(20_000)), id="unknown keys"),
        pytest.param(f"extends: [{', '.join(f'gi{n}' for n in range(15_000))}]\n", id="names"),
        pytest.param("name: " + "1:" * 200_000 + "1\n", id="a number in base sixty"),
        pytest.param("users: [{name: a, uid: " + "9" * 500_000 + "}]\n", id="a long number"),
        pytest.param("verify: [{run: a, expect: '" + "(" * 200_000 + "'}]\n", id="expression"),
        pytest.param("files: [{path: /a, from: '" + "a/" * 200_000 + "'}]\n", id="a long path"),
        pytest.param("name: '" + "a/" * 400_000 + "'\n", id="a long name"),
        pytest.param("- " * 300_000, id="nested lists in a line"),
        pytest.param("? " * 300_000, id="nested keys in a line"),
        pytest.param("#" * (1 << 21), id="two megabytes"),
    ],
)
def test_bounded(tmp_path: Path, text: str) -> None:
    """A file as large as is read, made to be slow, is refused within seconds."""
    started = time.process_time()
    assert refusal_of(str(tmp_path), text)
    assert time.process_time() - started < 10


def test_too_large(tmp_path: Path) -> None:
    """A file of 2 MB is no profile, and no more of it is read than tells so."""
    write(str(tmp_path), "p.yaml", b"#" * (2 << 20))
    told = refusal(str(tmp_path), "p.yaml")
    assert told == "cannot read profile p.yaml: larger than 1048576 bytes"


def test_a_fifo(tmp_path: Path) -> None:
    """A fifo with no writer does not make us wait."""
    os.mkfifo(tmp_path / "p.yaml")
    assert refusal(str(tmp_path), "p.yaml") == "cannot read profile p.yaml: not a regular file"


def test_aliases_mean_what_they_name(tmp_path: Path) -> None:
    """An alias stands for the value; a small one is as good as writing it twice."""
    text = "rootgen: 1\nprograms: &both [a, b]\nlibraries: *both\n"
    write(str(tmp_path), "p.yaml", text)
    profile = load(str(tmp_path), "p.yaml")
    assert [rule.name for rule in profile.libraries] == ["a", "b"]


def test_a_byte_order_mark(tmp_path: Path) -> None:
    """A file that begins with a byte order mark is text as well."""
    write(str(tmp_path), "p.yaml", "\ufeffrootgen: 1\nname: é\n")
    assert refusal(str(tmp_path), "p.yaml").startswith("p.yaml:2:7: name 'é' must be")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input, and places say so."""
    reader, writer = os.pipe()
    os.write(writer, b"rootgen: 1\nnam: x\n")
    os.close(writer)
    monkeypatch.setattr(os, "read", lambda _, size, read=os.read: read(reader, size))
    with pytest.raises(ProfileError, match=r"^<stdin>:2:1: unknown key 'nam'"):
        load_profiles(["-"], shipped=SHIPPED)
    os.close(reader)
