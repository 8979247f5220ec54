"""Scripts: which interpreter the kernel starts for a ``#!`` line, and what env(1) makes of it."""

from __future__ import annotations

import os

# linux/binfmts.h, BINPRM_BUF_SIZE: the kernel reads no more of the line.
from rootgen.named import NamedTuple

LINE_LIMIT = 256
# fs/exec.c, exec_binprm: "This allows 4 levels of binfmt rewrites before failing hard."
DEPTH_LIMIT = 5

_BLANK = b" \t"


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
    text, nul, _ = line.partition(b"\0")
    if len(text) == LINE_LIMIT - 2 and not any(byte in _BLANK for byte in text.lstrip(_BLANK)):
        # Cut off: the argument may be, the name not.
        return None
    # Blanks before the end are taken off: the newline, or the last byte read, which makes room
    # for the end of the string. One that ends before (the buffer is zeros past the file) keeps
    # its own.
    ends = bool(newline and not nul) or len(text) >= LINE_LIMIT - 3
    text = text[: LINE_LIMIT - 3].lstrip(_BLANK)
    text = text.rstrip(_BLANK) if ends else text
    length = next((at for at, byte in enumerate(text) if byte in _BLANK), len(text))
    name, argument = text[:length], text[length:].lstrip(_BLANK)
    return Shebang(os.fsdecode(name), os.fsdecode(argument)) if name else None


def line_hint(interpreter: str) -> str:
    """Return what is wrong with the line itself that names ``interpreter``, or ""."""
    if interpreter.endswith("\r"):
        return "the line ends as on Windows: take the carriage return out"
    return ""


# env(1), coreutils: options that take a word, and the long options by their beginnings.
_TAKES_WORD = "uCaS"
_LONG_TAKES_WORD = ("unset", "chdir", "argv0", "split-string")


def env_program(shebang: Shebang) -> str | None:
    """Return the program that ``env`` will look up on PATH, or None where it is not env.

    Understands ``env NAME``, ``env -S 'NAME …'`` with its quoting, options
    and ``VAR=value`` words (coreutils, env invocation). A name that depends
    on the environment (``${VAR}``) is none that could be found.
    """
    if shebang.interpreter.rpartition("/")[2] != "env" or not shebang.argument:
        return None
    words = [shebang.argument]
    while words and words[0].startswith("-") and words[0] not in {"-", "--"}:
        words = _without_option(words)
    if words and words[0] in {"-", "--"}:
        del words[0]
    names = [word for word in words if "=" not in word]
    return names[0] if names and names[0] and "${" not in names[0] else None


def _without_option(words: list[str]) -> list[str]:
    """Return ``words`` without the option that they begin with, ``-S`` split."""
    option, rest = words[0], words[1:]
    if option.startswith("--"):
        name, equals, value = option[2:].partition("=")
        full = next((one for one in _LONG_TAKES_WORD if name and one.startswith(name)), "")
        if not full:
            return rest
        letter = "S" if full == "split-string" else "u"
        given = bool(equals)
    else:
        at = next((at for at, one in enumerate(option) if one in _TAKES_WORD), 0)
        if not at:
            return rest
        letter, value = option[at], option[at + 1 :]
        given = bool(value)
    if not given:
        value, rest = (rest[0], rest[1:]) if rest else ("", [])
    return split_words(value) + rest if letter == "S" else rest


_PIECES = r"""
    (?P<blank> \s+ | \\_ )
  | ' (?P<single> (?: [^'\\] | \\. )* ) '
  | " (?P<double> (?: [^"\\] | \\. )* ) "
  | \\ (?P<escaped> . )
  | (?P<plain> [^\s'"\\]+ )
"""
_ESCAPES = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "_": " "}


def split_words(text: str) -> list[str]:
    """Split ``text`` as ``env -S`` does (coreutils src/env.c, build_argv)."""
    import re  # 5 ms at start-up, for few scripts

    words: list[str] = []
    word: str | None = None
    for piece in re.finditer(_PIECES, text, re.VERBOSE | re.DOTALL):
        kind, content = piece.lastgroup, piece[piece.lastgroup or 0]
        if kind == "blank":
            words += [] if word is None else [word]
            word = None
            continue
        if piece[0] == "\\c" or (word is None and piece[0].startswith("#")):
            break
        if kind == "single":
            content = re.sub(r"\\([\\'])", r"\1", content)
        elif kind == "double":
            content = re.sub(r"(?s)\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), content)
        elif kind == "escaped":
            content = _ESCAPES.get(content, content)
        word = (word or "") + content
    return words if word is None else [*words, word]
