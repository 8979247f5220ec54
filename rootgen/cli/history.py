"""``rootgen history``."""

from __future__ import annotations

from rootgen.api.images import find_image
from rootgen.cli.command import Argument, Command, flag
from rootgen.cli.output import write_json, write_lines
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.named import TYPE_CHECKING
from rootgen.report.table import table_lines
from rootgen.report.words import size_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.api.images import Image


def history(name: str, store: str, *, as_json: bool) -> None:
    """Tell how each layer of the image NAME came to be, the newest first.

    \b
      rootgen history tools/git:1.0

    NAME is NAME:TAG; without a tag, latest. The digest is the layer's diff
    ID, that of its tar uncompressed, by which two images share it.
    """
    image = find_image(store_path(store), name)
    steps = list(_steps(image))
    if as_json:
        keys = ("diff_id", "digest", "size", "created", "created_by", "comment")
        document = [dict(zip(keys, one, strict=True)) for one in reversed(steps)]
        write_json({"rootgen": 1, "command": "history", "name": image.name, "history": document})
        return
    rows = [
        (short_digest(diff_id), size_words(size), created, by or comment)
        for diff_id, _, size, created, by, comment in reversed(steps)
    ]
    write_lines(table_lines(("DIFF ID", "SIZE", "CREATED", "BY"), rows))


def _steps(image: Image) -> Iterator[tuple[str, str, int, str, str, str]]:
    """Yield each step from the bottom: diff ID, digest and size of its layer, when, how, why.

    A layer that the history does not tell of is a step all the same.
    """
    layers = list(zip(image.config.diff_ids, image.manifest.layers, strict=True))
    for one in image.config.history:
        told = (one.created, one.created_by, one.comment)
        if one.empty:
            yield "", "", 0, *told
        elif layers:
            diff_id, layer = layers.pop(0)
            yield diff_id, layer.digest, layer.size, *told
    for diff_id, layer in layers:
        yield diff_id, layer.digest, layer.size, "", "", ""


COMMAND = Command(
    "history",
    "Tell how the layers of an image came to be.",
    history,
    (
        Argument("name", "NAME"),
        STORE,
        flag("--json", "Print the result as JSON.", dest="as_json"),
    ),
)
