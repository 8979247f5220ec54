"""What ``pack`` did: a few lines for people, JSON for programs."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.report.make import Remark


class PackedFile(NamedTuple):
    """One output: its format and compression, where it is, and what identifies it."""

    out: str
    format: str
    compression: str
    entries: int
    size: int
    digest: str
    diff_id: str


def pack_lines(packed: PackedFile, notes: Sequence[Remark]) -> Iterator[str]:
    """Say what was packed, and what of the tree is not in it."""
    form = packed.format
    if packed.compression != "none":
        form = f"{form}, {packed.compression}"
    where = "standard output" if packed.out == "-" else printable(packed.out)
    size = size_words(packed.size)
    yield f"{where}: {form}, {count_words(packed.entries, 'entry', 'entries')}, {size}"
    yield f"digest  {packed.digest}"
    if packed.diff_id != packed.digest:
        yield f"diff ID {packed.diff_id}"
    for note in notes:
        yield f"note: {printable(note.path)}: {printable(note.what)}"


def pack_json(packed: PackedFile, notes: Sequence[Remark]) -> dict[str, object]:
    """Return the same as an object."""
    fields = {**packed._asdict(), "out": None if packed.out == "-" else packed.out}
    remarks = [{"path": note.path, "what": note.what} for note in notes]
    return {"rootgen": 1, "command": "pack", **fields, "notes": remarks}
