"""Commands, arguments and options as values: each is defined once, and click is not needed for it.

``parse`` reads a well-formed command line by them; ``with_click`` makes
click's commands of them, for help, completion and every mistake.
"""

from __future__ import annotations

from rootgen.errors import UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class OptionError(UsageError):
    """Options that are each well-formed and make no sense; shown with the command's usage."""


def invalid_value(option: str, message: str) -> OptionError:
    """Return the error that says what is wrong with the value of ``option``, in click's words."""
    return OptionError(f"Invalid value for '{option}': {message}")


class Argument(NamedTuple):
    """A positional parameter; ``many`` takes all that are left, of which ``required`` wants one."""

    name: str
    metavar: str
    many: bool = False
    required: bool = True


class Option(NamedTuple):
    """An option, given as any of ``flags``; ``kind`` is what its value is.

    ``text``; ``flag``, which has none; ``choice``, one of ``choices``;
    ``int`` or ``float``, from ``least`` to ``most``. ``name`` is the keyword
    that the command takes it by. A ``multiple`` one may be repeated: its
    value is a tuple. ``shown`` says that the help tells the default.
    """

    flags: tuple[str, ...]
    name: str
    help: str
    metavar: str = ""
    kind: str = "text"
    default: Any = ""
    multiple: bool = False
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 0
    shown: bool = False

    def without(self) -> object:
        """Return the value where the option is not given."""
        if self.multiple:
            return ()
        return False if self.kind == "flag" else self.default

    def convert(self, written: str) -> object:
        """Return the value that ``written`` means; raise ValueError with what is wrong with it."""
        if self.kind == "choice":
            if written not in self.choices:
                raise ValueError(f"{written!r} is not one of {', '.join(map(repr, self.choices))}.")
            return written
        if self.kind == "text":
            return written
        try:
            number = int(written) if self.kind == "int" else float(written)
        except ValueError:
            noun = "integer" if self.kind == "int" else "float"
            raise ValueError(f"{written!r} is not a valid {noun}.") from None
        if not self.least <= number <= self.most:
            raise ValueError(f"{written} is not in the range {self.least}<=x<={self.most}.")
        return number


def flag(name: str, help_: str, *, dest: str = "") -> Option:
    """Return an option without a value, by its one flag."""
    return Option((name,), dest or name.lstrip("-").replace("-", "_"), help_, kind="flag")


class Command(NamedTuple):
    """One command: ``run`` is called with a keyword for each parameter; its docstring is the help.

    It returns the exit status, or None for 0. Where ``interspersed`` is
    false, options end at the first argument. ``failure`` is the exit status where
    the system refuses what no error of ours foresees: standard output is full.
    """

    name: str
    summary: str
    run: Callable[..., int | None]
    parameters: tuple[Argument | Option, ...] = ()
    interspersed: bool = True
    failure: int = 1


class Named(NamedTuple):
    """Where a command is: the module whose ``COMMAND`` it is, and one line of help."""

    module: str
    help: str

    def load(self) -> Command:
        """Import the module, and return its command."""
        from importlib import import_module

        command: Command = import_module(self.module).COMMAND
        return command


class Group(NamedTuple):
    """A command that is a table of commands; ``text`` is its help."""

    help: str
    text: str
    table: Mapping[str, Named | Group]
