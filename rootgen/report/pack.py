"""What ``pack`` did: a few lines for people, JSON for programs."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.report.make import Remark


class PackedFile(NamedTuple):
    """One output: its format and compression, where it is, and what identifies it.

    What it has not is empty: a directory no ``digest``, an image no
    ``entries`` and no ``diff_id``, everything else no ``image`` and ``layers``.
    """

    out: str
    format: str
    compression: str
    size: int
    digest: str
    entries: int
    diff_id: str
    image: str
    layers: int


def pack_lines(packed: PackedFile, notes: Sequence[Remark]) -> Iterator[str]:
    """Say what was packed, and what of the tree is not in it."""
    form = packed.format
    if packed.compression not in {"", "none"}:
        form = f"{form}, {packed.compression}"
    where = "standard output" if packed.out == "-" else printable(packed.out)
    count = count_words(packed.entries, "entry", "entries")
    if packed.image:
        count = count_words(packed.layers, "layer")
    yield f"{where}: {form}, {count}, {size_words(packed.size)}"
    names = {"digest": packed.digest, "diff ID": packed.diff_id, "image": packed.image}
    if packed.diff_id == packed.digest:
        del names["diff ID"]
    for name, digest in names.items():
        if digest:
            yield f"{name:<7} {digest}"
    for note in notes:
        yield f"note: {printable(note.path)}: {printable(note.what)}"


def pack_json(packed: PackedFile, notes: Sequence[Remark]) -> dict[str, object]:
    """Return the same as an object; null is what the output has not."""
    fields = {name: value or None for name, value in packed._asdict().items()}
    remarks = [{"path": note.path, "what": note.what} for note in notes]
    out = None if packed.out == "-" else packed.out
    return {"rootgen": 1, "command": "pack", **fields, "out": out, "notes": remarks}
