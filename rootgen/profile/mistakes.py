"""Collecting every mistake of a profile, so that all are told at once."""

from __future__ import annotations

from rootgen.errors import ProfileError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.profile.model import Place

# A hostile file may have any number of mistakes, of any length; past these they teach
# nothing new.
_TOLD = 100
_LONGEST = 400


class Mistake(NamedTuple):
    """One mistake and where it stands; ``place`` None for a name of the command line."""

    place: Place | None
    message: str

    def __str__(self) -> str:
        """Render as compilers do: ``FILE:LINE:COLUMN: MESSAGE``."""
        return self.message if self.place is None else f"{self.place}: {self.message}"


class Mistakes:
    """The mistakes found so far, each told once."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[Mistake, None] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._found)

    @property
    def are_plenty(self) -> bool:
        """Whether there are so many that one more need not be explained."""
        return len(self._found) > _TOLD

    def add(self, place: Place | None, message: str) -> None:
        """Note a mistake."""
        if len(message) > _LONGEST:
            message = f"{message[:_LONGEST]}…"
        if not message.isprintable():
            # One mistake is one line, whatever the word that it repeats.
            message = "".join(one if one.isprintable() else _escaped(one) for one in message)
        self._found[Mistake(place, message)] = None

    def raise_if_any(self) -> None:
        """Raise them all as one ProfileError: file by file as read, each from top to bottom."""
        found = self._sorted()
        if len(found) == 1:
            raise ProfileError(str(found[0]))
        if found:
            lines = [str(one) for one in found[:_TOLD]]
            if len(found) > _TOLD:
                lines.append(f"… and {len(found) - _TOLD} more")
            files = dict.fromkeys(one.place.file for one in found if one.place is not None)
            where = f" in {', '.join(files)}" if files else ""
            raise ProfileError(f"{len(found)} mistakes{where}", why=tuple(lines))

    def _sorted(self) -> list[Mistake]:
        files: dict[str, int] = {}
        for one in self._found:
            files.setdefault(one.place.file if one.place is not None else "", len(files))

        def order(one: Mistake) -> tuple[int, int, int]:
            if one.place is None:
                return (files[""], 0, 0)
            return (files[one.place.file], one.place.line, one.place.column)

        return sorted(self._found, key=order)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "surrogatepass").decode("ascii")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the one of ``known`` that ``name`` is most like, or "" where none is near."""
    from difflib import get_close_matches  # only on the way to an error

    # The comparison is quadratic in the length of the names.
    near = get_close_matches(name[:64], list(known), n=1, cutoff=0.6)
    return near[0] if near else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'NEAREST'?`` or "" where nothing is near."""
    near = nearest(name, known)
    return f"; did you mean '{near}'?" if near else ""
