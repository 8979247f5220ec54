"""Reading one field: a value of the document as text, number, truth or table.

Each function notes what is wrong, with what it wanted, and returns a value
that lets reading go on, so that one run tells every mistake.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.profile.document import Items, Scalar, Table
from rootgen.profile.mistakes import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection

    from rootgen.profile.document import Value
    from rootgen.profile.mistakes import Mistakes

    Fields = dict[str, tuple[Scalar, Value]]

# Characters of a value that a message repeats.
_SHOWN = 40
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def text(value: Value, what: str, mistakes: Mistakes, *, empty: bool = False) -> str | None:
    """Return the text of ``value``; None, and a mistake, where it is no text."""
    if not isinstance(value, Scalar):
        mistakes.add(value.place, f"{what} must be text, not {described(value)}")
        return None
    if value.kind != "text":
        quoted = f'; in quotes it is text: "{value.text}"' if value.text else ""
        mistakes.add(value.place, f"{what} must be text, not {described(value)}{quoted}")
        return None
    if not value.text and not empty:
        mistakes.add(value.place, f"{what} is empty")
        return None
    return value.text


def texts(value: Value, what: str, mistakes: Mistakes) -> tuple[Scalar, ...]:
    """Return the texts of ``value``, a text or a sequence of texts."""
    items = value.items if isinstance(value, Items) else (value,)
    return tuple(
        item
        for item in items
        if text(item, what, mistakes) is not None and isinstance(item, Scalar)
    )


def truth(value: Value, what: str, mistakes: Mistakes) -> bool:
    """Return whether ``value`` is true; false, and a mistake, where it is neither."""
    if isinstance(value, Scalar) and value.kind == "boolean":
        return _TRUTHS[value.text.lower()]
    mistakes.add(value.place, f"{what} must be true or false, not {described(value)}")
    return False


def integer(value: Value, what: str, largest: int, mistakes: Mistakes) -> int | None:
    """Return the decimal number of ``value``, at least 0 and at most ``largest``."""
    is_number = isinstance(value, Scalar) and value.kind == "integer"
    if is_number and isinstance(value, Scalar):
        digits = value.text
        plain = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0")
        # int() of a long digit string is quadratic, and refused past 4,300 digits.
        if plain and len(digits) <= len(str(largest)) and int(digits) <= largest:
            return int(digits)
    mistakes.add(
        value.place, f"{what} must be a decimal number from 0 to {largest}, not {described(value)}"
    )
    return None


def sequence(value: Value, what: str, mistakes: Mistakes) -> tuple[Value, ...]:
    """Return the items of ``value``; none, and a mistake, where it is no sequence."""
    if isinstance(value, Items):
        return value.items
    mistakes.add(value.place, f"{what} must be a list, not {described(value)}")
    return ()


def table(value: Value, what: str, known: Collection[str], mistakes: Mistakes) -> Fields:
    """Return the fields of ``value`` by key; keys that are not ``known`` are mistakes."""
    if not isinstance(value, Table):
        mistakes.add(value.place, f"{what} must be a mapping, not {described(value)}")
        return {}
    fields: Fields = {}
    for key, content in value.entries:
        if key.text in known:
            fields[key.text] = (key, content)
        else:
            hint = "" if mistakes.are_plenty else did_you_mean(key.text, known)
            hint = hint or f"; {what} has {', '.join(known)}"
            mistakes.add(key.place, f"unknown key '{key.text}'{hint}")
    return fields


def is_bare(value: Value, fields: Fields) -> bool:
    """Tell whether a table lacks a field, and not because its keys were already mistakes."""
    return isinstance(value, Table) and (bool(fields) or not value.entries)


def path(value: Value, what: str, mistakes: Mistakes) -> str | None:
    """Return the absolute, normalised path of ``value``."""
    written = text(value, what, mistakes)
    if written is None:
        return None
    if not written.startswith("/"):
        mistakes.add(value.place, f"{what} '{written}' must be an absolute path")
        return None
    parts = written.split("/")
    if ".." in parts:
        mistakes.add(value.place, f"{what} '{written}' must not have '..' in it")
        return None
    return "/" + "/".join(part for part in parts if part not in {"", "."})


def described(value: Value) -> str:
    """Return what people call ``value``: ``the number 644``, ``a list``."""
    if isinstance(value, Items):
        return "a list"
    if isinstance(value, Table):
        return "a mapping"
    shown = value.text if len(value.text) <= _SHOWN else f"{value.text[:_SHOWN]}…"
    if value.kind in {"integer", "number"}:
        return f"the number {shown}"
    if value.kind == "boolean":
        return f"the truth value {shown}"
    if value.kind == "null":
        return "nothing"
    return f"the date {shown}" if value.kind == "timestamp" else f"'{shown}'"
