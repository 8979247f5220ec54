"""JSON that a registry, an archive or another tool wrote: read with bounds, asked for by type."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

# What registries take for a manifest (OCI distribution-spec, "Pushing Manifests").
LIMIT = 4 << 20
_MAXIMUM_SIZE = (1 << 63) - 1  # int64, image-spec descriptor.md


class Document:
    """One JSON object; what its methods refuse is an ImageError that says where it stands.

    Members that are not asked for are no mistake: extensions of the
    specification are to be ignored (image-spec considerations.md).
    """

    def __init__(self, members: Mapping[str, Any], where: str) -> None:
        self._members = members
        self.where = where

    def wrong(self, message: str) -> ImageError:
        """Return the error that says ``message`` of this object."""
        return ImageError(f"{self.where}: {message}")

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a member ``key`` that is not null."""
        return self._members.get(key) is not None

    def keys(self) -> tuple[str, ...]:
        """Return the names of the members, in their order."""
        return tuple(self._members)

    def text(self, key: str, default: str | None = None) -> str:
        """Return the text ``key``; ``default`` (None: none) where there is none."""
        value = self._members.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.wrong(f"'{key}' is not a text" if value is not None else f"no '{key}'")
        return value

    def size(self, key: str) -> int:
        """Return a size in bytes."""
        value = self._members.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAXIMUM_SIZE:
            raise self.wrong(f"'{key}' is not a size")
        return value

    def version(self, key: str, wanted: int) -> None:
        """Demand that ``key`` is the number ``wanted``."""
        if self._members.get(key) != wanted:
            raise self.wrong(f"'{key}' is not {wanted}")

    def flag(self, key: str) -> bool:
        """Return a truth value, false where there is none."""
        value = self._members.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"'{key}' is neither true nor false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty where there is none."""
        values = self._list(key)
        if not all(isinstance(one, str) for one in values):
            raise self.wrong(f"'{key}' is not a list of texts")
        return tuple(values)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return an object of texts as sorted pairs, empty where there is none."""
        value = self._members.get(key)
        if value is None:
            return ()
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self.wrong(f"'{key}' is not an object of texts")
        return tuple(sorted(value.items()))

    def inner(self, key: str) -> Document:
        """Return the object ``key``; one without members where there is none."""
        value = self._members.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self.wrong(f"'{key}' is not an object")
        return Document(value, f"{self.where}, {key}")

    def each(self, key: str) -> Iterator[Document]:
        """Return the objects of the list ``key``, none where there is none."""
        for number, value in enumerate(self._list(key)):
            if not isinstance(value, dict):
                raise self.wrong(f"'{key}' is not a list of objects")
            yield Document(value, f"{self.where}, {key}[{number}]")

    def _list(self, key: str) -> list[Any]:
        value = self._members.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"'{key}' is not a list")
        return value


def parse_document(data: bytes, where: str) -> Document:
    """Return the JSON object that ``data`` is; ``where`` names it in errors.

    Raises ImageError for what is none, is longer than LIMIT, nests without
    end, or has a member twice (which tools would read differently).
    """
    import json

    if len(data) > LIMIT:
        raise ImageError(f"{where}: over {LIMIT >> 20} MiB, which no registry would take")
    try:
        value = json.loads(data, object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{where}: not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise ImageError(f"{where}: not a JSON object")
    return Document(value, where)


def render(value: Mapping[str, object]) -> bytes:
    """Return ``value`` as JSON in one form: members sorted, no white space, UTF-8."""
    import json

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
