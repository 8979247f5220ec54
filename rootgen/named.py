"""What ``typing`` has and we need at run time, at a small part of its cost.

``typing.NamedTuple`` compiles the annotation of every field: 130 us for each
of our classes, 7 ms of every command. Ours leaves annotations as they are
written. Type checkers see the one of ``typing``, whose semantics it has.

Of use to checkers alone: ``Progress`` and ``Tell``, what callers are called
back with.
"""

from __future__ import annotations

__all__ = ["TYPE_CHECKING", "NamedTuple", "Protocol"]

# Checkers take the name for typing's; importing that costs 5 ms.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NamedTuple, Protocol

    # What is being done, how much of it is, and of how much.
    Progress = Callable[[str, int, int], None]
    # What a person should know although it is no error.
    Tell = Callable[[str], None]
else:
    from collections import namedtuple

    # What a class body has besides its fields and methods.
    _NOT_MEMBERS = {"__annotations__", "__module__", "__qualname__", "__orig_bases__"}

    class _Meta(type):
        """Turns the body of a class into a ``collections.namedtuple`` with its methods."""

        def __new__(cls, name: str, _bases: tuple, body: dict) -> type:
            fields = list(body.get("__annotations__", ()))
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])  # noqa: PYI024
            made.__annotations__ = body.get("__annotations__", {})
            made.__qualname__ = body["__qualname__"]
            for key, value in body.items():
                if key not in _NOT_MEMBERS and key not in made._fields:
                    setattr(made, key, value)
            return made

    class _Base:
        """Stands for ``NamedTuple`` among the bases of a class (PEP 560)."""

        def __mro_entries__(self, _bases: tuple) -> tuple:
            return (_ROOT,)

    _ROOT = type.__new__(_Meta, "_Root", (), {})
    NamedTuple = _Base()
    # A port is looked at by checkers alone.
    Protocol = object
