"""``rootgen gc``."""

from __future__ import annotations

from rootgen.api.garbage import collect_garbage
from rootgen.cli.command import Command, flag
from rootgen.cli.output import write_json, write_lines
from rootgen.cli.store import STORE, store_path
from rootgen.report.words import count_words, size_words


def gc(store: str, *, as_json: bool) -> None:
    """Remove from the store what no image uses any more.

    \b
      rootgen gc

    What a build, a pull or a commit that goes on at the same time has
    written is waited for and kept, and so is the image of a launch that
    goes on.
    """
    collected = collect_garbage(store_path(store))
    if as_json:
        write_json({"rootgen": 1, "command": "gc", **collected._asdict()})
        return
    blobs = count_words(collected.blobs, "blob")
    unfinished = f", {collected.unfinished} unfinished" if collected.unfinished else ""
    layers = ""
    if collected.unpacked:
        layers = f", {count_words(collected.unpacked, 'unpacked layer')}"
    write_lines([f"{blobs} removed{unfinished}{layers}, {size_words(collected.size)} freed"])


COMMAND = Command(
    "gc",
    "Remove what no image uses.",
    gc,
    (STORE, flag("--json", "Print the result as JSON.", dest="as_json")),
)
