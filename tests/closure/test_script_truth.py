"""Interpreter lines against the kernel that starts them, and env(1) that splits them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rootgen.closure.script import (
    DEPTH_LIMIT,
    LINE_LIMIT,
    Shebang,
    env_program,
    parse_shebang,
    split_words,
)

if TYPE_CHECKING:
    from pathlib import Path

# Prints its own arguments; a script may be an interpreter too.
_PROBE = b'#!/bin/sh\nprintf \'%s\\0\' "$0" "$@"\n'


def _write(path: str, data: bytes) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755)
    os.write(descriptor, data)
    os.close(descriptor)
    return path


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a program that prints its arguments, each ended by a NUL."""
    return _write(os.path.join(tmp_path_factory.mktemp("probe"), "probe"), _PROBE)


def _arguments(command: list[str]) -> list[bytes] | None:
    """Return what the probe was called with; None where it was not started."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
    except OSError:
        return None
    return done.stdout.split(b"\0")[:-1] if done.returncode == 0 else None


def _is_same(path: str, probe: str) -> bool:
    """Tell whether ``path`` is the probe, as the kernel resolves it: ``probe/`` is not."""
    try:
        return os.path.samefile(path, probe)
    except OSError:
        return False


_BLANKS = st.sampled_from([b"", b" ", b"\t", b"  \t "])
_ARGUMENTS = st.binary(max_size=12) | st.sampled_from([b"", b"-e", b"a b", b"x" * 300, b"a\0b"])
_ENDS = st.sampled_from([b"\n", b"\nrest", b"", b"\0", b"\0\n", b" \n", b" ", b"\t\0"])


@example(before=b"", between=b"", argument=b"/", end=b"\n", length=None)
@example(before=b"", between=b"", argument=b"/.", end=b"\n", length=None)
@given(
    before=_BLANKS,
    between=_BLANKS,
    argument=_ARGUMENTS,
    end=_ENDS,
    length=st.none() | st.integers(LINE_LIMIT - 8, LINE_LIMIT + 3),
)
def test_what_the_kernel_starts(
    probe: str, before: bytes, between: bytes, argument: bytes, end: bytes, length: int | None
) -> None:
    """Odd blanks, NULs, no newline, names and arguments at the 256th byte: the same argv."""
    name = os.fsencode(probe)
    if length is not None:
        # The same file by a longer name, so that it ends near the kernel's limit.
        padding = length - 2 - len(before) - len(name)
        name = os.path.dirname(name) + b"/" * (padding + 1) + os.path.basename(name)
    head = b"#!" + before + name + between + argument + end
    script = _write(os.path.join(os.path.dirname(probe), "script"), head)
    started = _arguments([script])
    shebang = parse_shebang(head)
    if shebang is None or not _is_same(shebang.interpreter, probe):
        assert started is None
        return
    wanted = [shebang.interpreter, shebang.argument, script]
    assert started is not None
    # An argument that is there and empty counts for nothing.
    assert [one for one in started if one] == [os.fsencode(one) for one in wanted if one]


@pytest.mark.parametrize("length", range(1, DEPTH_LIMIT + 3))
def test_scripts_in_a_row(probe: str, tmp_path: Path, length: int) -> None:
    """As many scripts may interpret each other as the kernel lets; the probe is the last."""
    interpreter = probe
    for number in range(length - 1):
        interpreter = _write(str(tmp_path / f"s{number}"), f"#!{interpreter}\n".encode())
    assert (_arguments([interpreter]) is not None) == (length <= DEPTH_LIMIT)


@pytest.mark.parametrize(
    "argument",
    [
        "one",
        "one -u",
        "-S one -u",
        "-S two one",
        "-Stwo",
        "-vS one",
        "-iS {one}",
        "-S -i {one}",
        "-S - {one}",
        "-S -- one",
        "-S -uone two",
        "-S -u one two",
        "-S -C / one",
        "-S --chdir=/ one",
        "-S --chdir / one",
        "-S --unset=A one",
        "-S --ignore-env {one}",
        "-S A=1 B=2 one",
        "-S A=1",
        "-S 'one'",
        '-S "o"ne',
        "-S o\\\\ne",
        "-S -S one",
        "-S -S -S two",
        "--split-string=one two",
        "--split=two",
        "A=1",
        "-i",
        "-S # one",
        "-S one\\c two",
    ],
)
def test_what_env_starts(argument: str, tmp_path: Path) -> None:
    """The program that env would look up is the one that it starts."""
    # Behind -i there is no PATH left: a program there is named by its own.
    argument = argument.replace("{one}", str(tmp_path / "one"))
    for name in ("one", "two"):
        _write(str(tmp_path / name), b"#!/bin/sh\necho $0\n")
    program = env_program(Shebang("/usr/bin/env", argument))
    command = ["/usr/bin/env", argument, "/usr/bin/true"]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, check=False, env=path, timeout=20)
    started = done.stdout.decode().strip().rpartition("/")[2] if done.stdout else None
    name = (program or "").rpartition("/")[2]
    assert started == (name if name in {"one", "two"} else None)


@given(st.text(alphabet="ab '\"\\_#\tc$n", max_size=12))
def test_words_as_env_splits_them(probe: str, text: str) -> None:
    """Quotes, escapes and comments come apart as env -S has it, where env accepts them."""
    started = _arguments(["/usr/bin/env", f"-S{probe} {text}", "last"])
    words = split_words(f"{probe} {text}")
    if started is not None:
        assert started == [os.fsencode(word) for word in [*words, "last"]]
