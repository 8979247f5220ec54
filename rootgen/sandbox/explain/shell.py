"""Words as a shell reads them."""

from __future__ import annotations


def quote(word: str) -> str:
    """Quote a word for a shell, where it needs it; what is no printable character is escaped."""
    if word and all((one.isalnum() and one.isascii()) or one in "@%+=:,./-_" for one in word):
        return word
    if word.isprintable():
        return "'" + word.replace("'", "'\"'\"'") + "'"
    escaped = "".join(
        one if one.isprintable() and one not in "\\'" else "".join(map(_octal, _bytes(one)))
        for one in word
    )
    return f"$'{escaped}'"


def _bytes(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def _octal(byte: int) -> str:
    return f"\\{byte:03o}"
