"""Values of ours as JSON has them, and back: for a file of ours, or another process of ours.

A named tuple is an object with the name of its class, so that what was a
``Mount`` is one again; a tuple is a list, and bytes are an object of their
hexadecimal digits. Nothing else can be made of what is read.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_KIND = "class"  # a word that no field can have for its name
_BYTES = "bytes"


def to_json(value: Any) -> Any:
    """Return a value of named tuples, tuples, bytes and plain values as JSON has it."""
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        if fields is None:
            return [to_json(one) for one in value]
        named = {name: to_json(one) for name, one in zip(fields, value, strict=True)}
        return {_KIND: type(value).__name__, **named}
    if isinstance(value, bytes):
        return {_KIND: _BYTES, "hex": value.hex()}
    if isinstance(value, dict):
        raise TypeError("a mapping is no value of ours")
    # Of what is a string and more (of an enumeration, say) the string.
    return str.__str__(value) if isinstance(value, str) else value


def from_json(value: Any, classes: Mapping[str, type]) -> Any:
    """Return the value that ``to_json`` wrote; raise ValueError for anything else.

    ``classes`` are those that may stand in it, by name. A field that is not
    written has its default, as what an older version wrote may have it.
    """
    if isinstance(value, list):
        return tuple(from_json(one, classes) for one in value)
    if not isinstance(value, dict):
        return value
    kind = value.get(_KIND)
    if kind == _BYTES:
        return bytes.fromhex(value["hex"])
    made = classes.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise ValueError(f"no such value here: {kind}")
    fields = {name: from_json(one, classes) for name, one in value.items() if name != _KIND}
    try:
        return made(**fields)
    except TypeError as error:
        raise ValueError(f"no {kind}: {error}") from error


def classes_of(*modules: object) -> dict[str, type]:
    """Return the named tuples that modules define or use, by name, for ``from_json``."""
    return {
        name: one
        for module in modules
        for name, one in vars(module).items()
        if isinstance(one, type) and hasattr(one, "_fields")
    }
