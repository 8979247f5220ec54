"""How far writing is, told by the bytes that were written."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rootgen.named import Progress
    from rootgen.plan.entry import Entry

    Tell = Callable[[bytes], None]


def byte_teller(
    progress: Progress | None, doing: str, entries: Iterable[Entry] | int
) -> Tell | None:
    """Return what takes all bytes that are written of ``entries``; None where nobody asks.

    What is written besides contents does not count beyond their sum, which
    may be given instead, and as 0 where it is not known.
    """
    if progress is None:
        return None
    total = entries if isinstance(entries, int) else sum(entry.size for entry in entries)
    done = 0

    def tell(data: bytes) -> None:
        nonlocal done
        done += len(data)
        progress(doing, min(done, total) if total else done, total)

    return tell
