"""A well-formed command line → a command and its values, without click.

Importing click takes as long as most commands. So what is plainly right is
read here, by the same definitions; at the first word that is not, ``parse``
gives up, and click reads the line again from its beginning: help, mistakes
and rare spellings (``-eNAME``) are its own. Where both read a line they read
the same (tests/laws/test_command_line.py).
"""

from __future__ import annotations

from rootgen.cli.command import Argument, Named, Option
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rootgen.cli.command import Command, Group

    Values = dict[str, object]


def find_command(group: Group, words: Sequence[str]) -> tuple[Named, Sequence[str]] | None:
    """Return the command that ``words`` begin with, and the words after it; None for click."""
    while words:
        found = group.table.get(words[0])
        words = words[1:]
        if found is None:
            return None
        if isinstance(found, Named):
            return found, words
        group = found
    return None


def parse(command: Command, words: Sequence[str]) -> Values | None:
    """Return the value of each parameter of ``command``; None where click is to read ``words``."""
    options = {
        spelled: one
        for one in command.parameters
        if isinstance(one, Option)
        for spelled in one.flags
    }
    values: Values = {one.name: one.without() for one in options.values()}
    left = _take_options(words, options, values, interspersed=command.interspersed)
    if left is None:
        return None
    arguments = [one for one in command.parameters if isinstance(one, Argument)]
    return values if _take_arguments(arguments, left, values) else None


def _take_options(
    words: Sequence[str], options: dict[str, Option], values: Values, *, interspersed: bool
) -> list[str] | None:
    """Keep the options' values, and return the words that are arguments."""
    left: list[str] = []
    ahead = iter(words)
    for word in ahead:
        if word == "--":
            return left + list(ahead)
        if not word.startswith("-") or word == "-":
            left.append(word)
            if not interspersed:
                return left + list(ahead)
        elif not _take_option(word, ahead, options, values):
            return None
    return left


def _take_option(
    word: str, ahead: Iterable[str], options: dict[str, Option], values: Values
) -> bool:
    spelled, equals, written = word.partition("=")
    option = options.get(spelled)
    if option is None or (equals and not spelled.startswith("--")):
        return False
    if option.kind == "flag":
        values[option.name] = True
        return not equals
    value = written if equals else next(iter(ahead), None)
    if value is None:
        return False
    try:
        converted = option.convert(value)
    except ValueError:
        return False
    before = values[option.name]
    values[option.name] = (*before, converted) if isinstance(before, tuple) else converted
    return True


def _take_arguments(arguments: Sequence[Argument], words: list[str], values: Values) -> bool:
    """Share ``words`` among the arguments, of which only the last may take many."""
    for one in arguments:
        if one.many:
            values[one.name] = tuple(words)
            return bool(words) or not one.required
        if not words:
            return False
        values[one.name] = words.pop(0)
    return not words
