"""Scripts: which interpreter the kernel starts for a ``#!`` line, and what env(1) makes of it."""

from __future__ import annotations

import os
from typing import NamedTuple

# linux/binfmts.h, BINPRM_BUF_SIZE: the kernel reads no more of the line.
LINE_LIMIT = 256
# fs/exec.c, exec_binprm: "This allows 4 levels of binfmt rewrites before failing hard."
DEPTH_LIMIT = 5


class Shebang(NamedTuple):
    """A ``#!`` line: the interpreter's path, and its one argument ("" if none)."""

    interpreter: str
    argument: str


def parse_shebang(head: bytes) -> Shebang | None:
    """Read the ``#!`` line at the start of ``head`` (fs/binfmt_script.c, load_script).

    None where there is none, where it names nothing, or where the name is
    cut off by the kernel's limit of 256 bytes.
    """
    if head[:2] != b"#!":
        return None
    window = head[2:LINE_LIMIT]
    line, newline, _ = window.partition(b"\n")
    text = line.strip(b" \t")
    if not text:
        return None
    name, space, rest = _split(text)
    if not newline and len(window) == LINE_LIMIT - 2 and not space:
        return None
    return Shebang(os.fsdecode(name), os.fsdecode(rest))


def _split(text: bytes) -> tuple[bytes, bytes, bytes]:
    for index, byte in enumerate(text):
        if byte in b" \t\0":
            return text[:index], text[index : index + 1], text[index + 1 :].strip(b" \t\0")
    return text, b"", b""


def env_program(shebang: Shebang) -> str | None:
    """Return the program that ``env`` will look up on PATH, or None where it is not env.

    Understands ``env NAME``, ``env -S 'NAME …'``, options and ``VAR=value``
    words (coreutils, env invocation).
    """
    if shebang.interpreter.rpartition("/")[2] != "env":
        return None
    argument = shebang.argument
    words = [argument] if argument else []
    if argument.startswith(("-S", "--split-string", "-vS")):
        words = argument.split()
        words[0] = words[0].removeprefix("--split-string").removeprefix("-vS").removeprefix("-S")
        words[0] = words[0].lstrip("=")
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in {"-u", "-C", "--unset", "--chdir"}:
            skip = True
        elif word and not word.startswith("-") and "=" not in word:
            return word.strip("'\"")
    return None
