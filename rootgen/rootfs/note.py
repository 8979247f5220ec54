"""What could not be kept, in few words for many paths."""

from __future__ import annotations

from rootgen.named import NamedTuple


class Note(NamedTuple):
    """Something of a path that the tree does not have as the Plan has it."""

    path: str
    what: str


class Notes:
    """Notes being collected: those that say the same become one."""

    def __init__(self) -> None:
        """Start with none."""
        self._paths: dict[str, list[str]] = {}

    def add(self, path: str, what: str) -> None:
        """Note ``what`` of ``path``."""
        self._paths.setdefault(what, []).append(path)

    def all(self) -> tuple[Note, ...]:
        """Return one Note for each thing said, naming the first path it was said of."""
        return tuple(
            Note(paths[0], what + (f"; and {len(paths) - 1} more" if len(paths) > 1 else ""))
            for what, paths in self._paths.items()
        )
