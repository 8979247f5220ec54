"""One line of a manifest, asked for its members by type; whoever wrote it may be hostile."""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Reason, ReasonKind

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

MAXIMUM_PATH = 4096  # PATH_MAX, limits.h
ID_LIMIT = (1 << 32) - 1  # uid_t; -1 is "no such"
_MAXIMUM_NAME = 255  # NAME_MAX
_DIGITS = 64  # of a SHA-256
_REASONS = {kind.value: kind for kind in ReasonKind}


class Fields:
    """One JSON object of a manifest; what its methods refuse is a PlanError."""

    def __init__(self, source: bytes | dict[str, Any], line: int) -> None:
        self._line = line
        value = self._parsed(source) if isinstance(source, bytes) else source
        if not isinstance(value, dict):
            raise self.wrong("not an object")
        self._members = value

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a member ``key``."""
        return key in self._members

    def wrong(self, message: str) -> PlanError:
        """Return the error that says ``message`` of this line."""
        return PlanError(f"manifest line {self._line}: {message}")

    def only(self, required: Collection[str], optional: Collection[str] = ()) -> None:
        """Demand that there are all of ``required``, and nothing but those and ``optional``."""
        lacking = set(required) - self._members.keys()
        unknown = self._members.keys() - set(required) - set(optional)
        if lacking or unknown:
            wrong = f"no '{min(lacking)}'" if lacking else f"unknown '{min(unknown)[:40]}'"
            raise self.wrong(wrong)

    def text(self, key: str) -> str:
        """Return a text that can be a name on a file system."""
        return self._text(self._members.get(key), key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(self._text(one, key) for one in self._list(key))

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return a list of pairs of texts."""
        return tuple((self._text(a, key), self._text(b, key)) for a, b in self._pairs(key))

    def number(self, key: str, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``."""
        return self._number(self._members.get(key), key, low, high)

    def table(self, key: str) -> Fields:
        """Return a member that is an object itself."""
        value = self._members.get(key)
        if not isinstance(value, dict):
            raise self.wrong(f"'{key}' is not an object")
        return Fields(value, self._line)

    def mode(self) -> int:
        """Return the twelve permission bits."""
        text = self.text("mode")
        if len(text) != len("0755") or not set(text) <= set("01234567"):
            raise self.wrong("'mode' is not four octal digits")
        return int(text, 8)

    def sha256(self) -> str:
        """Return a SHA-256 in hexadecimal."""
        text = self.text("sha256")
        if len(text) != _DIGITS or not set(text) <= set("0123456789abcdef"):
            raise self.wrong("'sha256' is not 64 hexadecimal digits")
        return text

    def device(self) -> tuple[int, int]:
        """Return the major and minor number of a device."""
        numbers = [self._number(one, "device", 0, ID_LIMIT) for one in self._list("device")]
        if len(numbers) != 2:  # noqa: PLR2004 - a pair
            raise self.wrong("'device' is not two numbers")
        return numbers[0], numbers[1]

    def xattrs(self) -> tuple[tuple[str, bytes], ...]:
        """Return the extended attributes; none where they are not written."""
        if "xattrs" not in self:
            return ()
        try:
            found = [(name, bytes.fromhex(value)) for name, value in self.pairs("xattrs")]
        except ValueError:
            raise self.wrong("'xattrs' has a value that is not hexadecimal") from None
        names = [name for name, _ in found]
        if not found or "" in names or names != sorted(set(names)):
            raise self.wrong("'xattrs' has names that are empty, not in order, or there twice")
        return tuple(found)

    def reasons(self) -> tuple[Reason, ...]:
        """Return the reasons of an entry."""
        found: list[Reason] = []
        for one in self._list("reasons"):
            fields = Fields(one, self._line)
            fields.only(("kind", "by", "detail"))
            kind = _REASONS.get(fields.text("kind"))
            if kind is None:
                raise self.wrong("'reasons' has an unknown kind")
            found.append(Reason(kind, fields.text("by"), fields.text("detail")))
        return tuple(found)

    def check_path(self, path: str) -> str:
        """Return ``path``, which must be absolute, normalised and no longer than Linux has it."""
        names = path.split("/")[1:] if path != "/" else []
        if not path.startswith("/") or {"", ".", ".."}.intersection(names):
            raise self.wrong("a path is not absolute and normalised")
        raw = path.encode(errors="surrogateescape")
        if len(raw) >= MAXIMUM_PATH or any(len(one) > _MAXIMUM_NAME for one in raw.split(b"/")):
            raise self.wrong("a path is longer than a path can be")
        return path

    def _parsed(self, source: bytes) -> object:
        from json import loads

        try:
            return loads(source.decode("ascii"), object_pairs_hook=self._unique)
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"not JSON in ASCII ({type(error).__name__})") from None

    def _unique(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise self.wrong("a key is there twice")
        return members

    def _list(self, key: str) -> list[Any]:
        value = self._members.get(key)
        if not isinstance(value, list):
            raise self.wrong(f"'{key}' is not a list")
        return value

    def _pairs(self, key: str) -> list[tuple[object, object]]:
        found = self._list(key)
        if not all(isinstance(one, list) and len(one) == 2 for one in found):  # noqa: PLR2004
            raise self.wrong(f"'{key}' is not a list of pairs")
        return [(first, second) for first, second in found]

    def _text(self, value: object, key: str) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise self.wrong(f"'{key}' is not a text")
        # Surrogates stand for single bytes that are no UTF-8 (PEP 383), and for nothing else:
        # else two texts would be one name.
        try:
            same = value.encode(errors="surrogateescape").decode(errors="surrogateescape") == value
        except UnicodeEncodeError:
            same = False
        if not same:
            raise self.wrong(f"'{key}' has surrogates that stand for no bytes")
        return value

    def _number(self, value: object, key: str, low: int, high: int) -> int:
        # bool is an int to Python, and not to JSON.
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(f"'{key}' is not a number from {low} to {high}")
        return value
