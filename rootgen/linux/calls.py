"""Calls as values: recorded once, then made one after the other by a loop that touches little.

Process 1 of a launch is a copy of the launcher, and the kernel copies each page that one of them
writes to. In Python that is wherever something is referred to: ordinary code that makes the four
hundred calls of a launch touches 590 pages, and much of its time goes there. Recorded, they are
a list of functions and of where their arguments lie, and half of the pages are touched.

A call that fails is handed to its handler, ordinary code again: that makes up for it, goes on
elsewhere, or says what was being done.
"""

from __future__ import annotations

from operator import itemgetter

from rootgen.linux.libc import error, last_errno, padded
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Returns the position of the call to go on with, or raises. It is given the values so far,
    # the position of what failed, and how.
    Handler = Callable[[list[Any], int, OSError], int]
    _Recorded = tuple[Callable[..., Any], Callable[[list[Any]], Any], int, dict[int, int]]


# The index of the first value that is asked for.
FIRST = 2

_NOWHERE: dict[int, int] = {}
# Of these each constant is kept once.
_ONCE = frozenset((int, bytes, str))


class Slot(NamedTuple):
    """The place of a value that is known when the calls are made: the result of one, say."""

    at: int


class Label:
    """A position among the calls, to be gone on with from elsewhere."""

    position = 0


class Program(NamedTuple):
    """Calls to be made in order.

    Each of ``calls`` is a function, what takes its arguments out of the
    values, the index of the value that its result becomes, and where to go
    on after failures that are expected, by their errno.
    """

    calls: tuple[_Recorded, ...]
    handlers: tuple[Handler, ...]
    values: list[Any]


class Recorder:
    """Takes calls, and what is to be done where one fails."""

    def __init__(self) -> None:
        """Begin with a zero, which fills registers, and a place for what nobody asks for."""
        self._values: list[Any] = [0, None]
        self._constants: dict[tuple[type, Any], int] = {(int, 0): 0}
        self._calls: list[_Recorded] = []
        self._expected: list[tuple[dict[int, int], tuple[int, ...], Label]] = []
        self._handlers: list[Handler] = []

    def value(self) -> Slot:
        """Return a place for a value that is not known yet."""
        self._values.append(None)
        return Slot(len(self._values) - 1)

    def call(
        self,
        function: Callable[..., Any],
        *arguments: object,
        failed: Handler,
        into: Slot | None = None,
        expected: tuple[int, ...] = (),
        then: Label | None = None,
    ) -> None:
        """Add a call of ``function``, of which a negative result, or an OSError, is a failure.

        A Slot among the arguments stands for the value that is in it by then.
        After a failure of the C library's by one of the ``expected`` errnos
        it goes on at ``then``, or with the next call.
        """
        self._add(function, self._indices(arguments), failed, into, expected, then)

    def system_call(
        self,
        number: int,
        *arguments: object,
        failed: Handler,
        into: Slot | None = None,
        expected: tuple[int, ...] = (),
        then: Label | None = None,
    ) -> None:
        """Add a system call by its number, with arguments as ``libc.system_call`` has them."""
        function, padding = padded(len(arguments))
        indices = self._indices((number, *arguments)) + [0] * len(padding)
        self._add(function, indices, failed, into, expected, then)

    def mark(self, label: Label) -> None:
        """Have ``label`` stand for the call that is added next."""
        label.position = len(self._calls)

    def program(self) -> Program:
        """Return the calls, once all that is gone on with is marked."""
        for onward, expected, then in self._expected:
            onward.update(dict.fromkeys(expected, then.position))
        return Program(tuple(self._calls), tuple(self._handlers), self._values)

    def _add(
        self,
        function: Callable[..., Any],
        indices: list[int],
        failed: Handler,
        into: Slot | None,
        expected: tuple[int, ...],
        then: Label | None,
    ) -> None:
        onward: dict[int, int] = {} if expected else _NOWHERE
        self._calls.append((function, _taker(indices), into[0] if into else 1, onward))
        self._handlers.append(failed)
        if expected and then is not None:
            self._expected.append((onward, expected, then))
        elif expected:
            onward.update(dict.fromkeys(expected, len(self._calls)))

    def _indices(self, arguments: tuple[Any, ...]) -> list[int]:
        values, constants = self._values, self._constants
        indices = []
        for argument in arguments:
            kind = type(argument)
            if kind is Slot:
                indices.append(argument[0])
                continue
            index = len(values)
            if kind in _ONCE:
                index = constants.setdefault((kind, argument), index)
            if index == len(values):
                values.append(argument)
            indices.append(index)
        return indices


def _taker(indices: list[int]) -> Callable[[list[Any]], Any]:
    """Return what takes the values at ``indices``, as a sequence."""
    if len(indices) > 1:
        return itemgetter(*indices)
    # Of one index alone an itemgetter would return no sequence.
    return itemgetter(slice(indices[0], indices[0] + 1) if indices else slice(0))


def perform(program: Program) -> None:
    """Make the calls; raise what a handler raises.

    The values are changed: a program is performed once in a process.
    """
    calls, handlers, values = program
    position, end = 0, len(calls)
    while position < end:
        function, arguments, into, onward = calls[position]
        try:
            result = function(*arguments(values))
        except OSError as failure:
            position = handlers[position](values, position, failure)
            continue
        if type(result) is not int or result >= 0:
            values[into] = result
            position += 1
        elif (number := last_errno()) in onward:
            position = onward[number]
        else:
            position = handlers[position](values, position, error(number))


def going_on(_values: list[Any], position: int, _error: OSError) -> int:
    """Go on with the next call: a handler for what may fail."""
    return position + 1
