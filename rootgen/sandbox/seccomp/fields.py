"""Values of a JSON document with their places in it, and the mistakes found in them."""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

_SHOWN = 20
_WORD_LIMIT = 60


class Mistakes:
    """The mistakes found so far in one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: list[str] = []

    def add(self, place: str, text: str) -> None:
        """Add what is wrong at ``place``."""
        self._lines.append(f"{place}: {text}" if place else text)

    def raise_any(self) -> None:
        """Raise LaunchError with all mistakes, where there are some."""
        if not self._lines:
            return
        more = len(self._lines) - _SHOWN
        lines = self._lines[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        raise LaunchError(
            f"{self._path}: no seccomp profile that can be used",
            why=tuple(lines),
            hint="the format: github.com/opencontainers/runtime-spec, config-linux.md, Seccomp",
        )


class Field:
    """A value and where it stands: ``syscalls[3].args[0].op``. What is not there is None."""

    def __init__(self, value: object, place: str, mistakes: Mistakes) -> None:
        self.value = value
        self._place = place
        self._mistakes = mistakes

    def mistake(self, text: str) -> None:
        """Tell that something is wrong here."""
        self._mistakes.add(self._place, text)

    def get(self, name: str) -> Field:
        """Return the field ``name`` of an object."""
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Field(value, f"{self._place}.{name}" if self._place else name, self._mistakes)

    def items(self) -> Iterator[Field]:
        """Yield the items of a list."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.mistake(f"expected a list, not {_shown(self.value)}")
            return
        for index, value in enumerate(self.value):
            yield Field(value, f"{self._place}[{index}]", self._mistakes)

    def check_fields(self, known: Collection[str]) -> None:
        """Tell where this is no object, or has fields that are not among the known ones."""
        if not isinstance(self.value, dict):
            self.mistake(f"expected an object, not {_shown(self.value)}")
            return
        for name in self.value:
            if name not in known:
                self.mistake(f"no field {_shown(name)} is known{_meant(name, known)}")

    def text(self) -> str:
        """Return a string that is not empty; "" where this is none."""
        if isinstance(self.value, str) and self.value:
            return self.value
        self.mistake(f"expected a name, not {_shown(self.value)}")
        return ""

    def word(self, known: Mapping[str, object]) -> str:
        """Return one of the known words; "" where this is none."""
        if isinstance(self.value, str) and self.value in known:
            return self.value
        if self.value is None:
            self.mistake("is missing")
        elif isinstance(self.value, str):
            self.mistake(f"{_shown(self.value)} is not known{_meant(self.value, known)}")
        else:
            self.mistake(f"expected a word, not {_shown(self.value)}")
        return ""

    def number(self, most: int) -> int:
        """Return a whole number from 0 to ``most``; 0 where this is none."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            if 0 <= self.value <= most:
                return self.value
            self.mistake(f"expected a number from 0 to {most}")
        elif self.value is None:
            self.mistake("is missing")
        else:
            self.mistake(f"expected a number, not {_shown(self.value)}")
        return 0


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value if len(value) <= _WORD_LIMIT else f"{value[:_WORD_LIMIT]}…")
    return {dict: "an object", list: "a list", bool: "true or false"}.get(type(value), "a number")


def _meant(written: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(written[:_WORD_LIMIT], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
