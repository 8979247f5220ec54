"""Dynamic string tokens, and search path strings taken apart (glibc elf/dl-load.c)."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = ("ORIGIN", "PLATFORM", "LIB")


class Tokens(NamedTuple):
    """What the tokens stand for in one object.

    ``origin`` is the directory of the path that the object was opened by
    (of the program: of its real path); ``library`` is a suffix such as
    ``lib/x86_64-linux-gnu``. None: unknown, and then what names it is no path.
    """

    origin: str | None
    library: str | None
    platform: str | None


def secure_origin(text: str) -> bool:
    """Tell whether ``text`` may be expanded in a set-user-ID program's process.

    ``$ORIGIN`` may stand at its beginning only, with a slash or nothing
    behind (``_dl_dst_substitute``).
    """
    at = -1
    while (at := text.find("$", at + 1)) >= 0:
        name, length = _token(text[at + 1 :])
        if name == "ORIGIN" and (
            at > 0 or text[at + 1 + length : at + 2 + length] not in {"", "/"}
        ):
            return False
    return True


def expand_tokens(text: str, tokens: Tokens) -> str | None:
    """Return ``text`` with its tokens replaced; None where one of them is unknown.

    ``$NAME`` and ``${NAME}`` are tokens where no identifier goes on behind;
    anything else after a dollar stays as it is (``is_dst``,
    ``_dl_dst_substitute``).
    """
    if "$" not in text:
        return text
    parts: list[str] = []
    rest = text
    while True:
        before, dollar, rest = rest.partition("$")
        parts.append(before)
        if not dollar:
            return "".join(parts)
        name, length = _token(rest)
        if not name:
            parts.append("$")
            continue
        value = _value(name, tokens)
        if value is None:
            return None
        parts.append(value)
        rest = rest[length:]


def split_path(text: str, tokens: Callable[[], Tokens], separators: str = ":") -> tuple[str, ...]:
    """Return the directories of a search path string, each once, without a final slash.

    An empty element and a relative one are the working directory's
    (``fillin_rpath``): the empty one is "". ``tokens`` is asked only where
    there is a dollar.
    """
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    directories: dict[str, None] = {}
    for element in text.split(separators[0]):
        expanded: str | None = element
        if "$" in element:
            expanded = expand_tokens(element, tokens())
            if not expanded:
                continue
        if expanded:
            expanded = expanded.rstrip("/") or "/"
        directories[expanded or ""] = None
    return tuple(directories)


def _token(rest: str) -> tuple[str, int]:
    """Return the token that ``rest`` (what follows a dollar) starts with, and its length."""
    curly = rest.startswith("{")
    start = 1 if curly else 0
    for name in _NAMES:
        end = start + len(name)
        following = rest[end : end + 1]
        if not rest.startswith(name, start) or (curly and following != "}"):
            continue
        if following.isascii() and (following.isalnum() or following == "_"):
            continue
        return name, end + 1 if curly else end
    return "", 0


def _value(name: str, tokens: Tokens) -> str | None:
    if name == "ORIGIN":
        return tokens.origin
    return tokens.library if name == "LIB" else tokens.platform
