"""``rootgen images``."""

from __future__ import annotations

from rootgen.api.images import Image, list_images
from rootgen.cli.command import Command, flag
from rootgen.cli.output import write_json, write_lines, write_notes
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.named import TYPE_CHECKING
from rootgen.report.table import table_lines
from rootgen.report.words import printable, size_words

if TYPE_CHECKING:
    from rootgen.api.images import Unreadable


def images(store: str, *, as_json: bool) -> int:
    """List the images of the store.

    \b
      rootgen images
      rootgen images --json

    Sizes are those of the layers as they are stored, compressed. Exits 1
    where something that the store names cannot be read.
    """
    listed = list_images(store_path(store))
    readable = [one for one in listed if isinstance(one, Image)]
    if as_json:
        write_json({"rootgen": 1, "command": "images", "images": list(map(_json, listed))})
    elif readable:
        head = ("NAME", "DIGEST", "PLATFORM", "LAYERS", "SIZE")
        write_lines(table_lines(head, map(_row, readable)))
    broken = [one for one in listed if not isinstance(one, Image)]
    write_notes(printable(f"{one.name or one.digest}: {one.why}") for one in broken)
    return int(bool(broken))


def _row(image: Image) -> tuple[str, ...]:
    layers = str(len(image.manifest.layers))
    platform = _platform(image)
    return image.name, short_digest(image.digest), platform, layers, size_words(image.size())


def _platform(image: Image) -> str:
    config = image.config
    return "/".join(one for one in (config.os, config.architecture, config.variant) if one)


def _json(one: Image | Unreadable) -> dict[str, object]:
    if not isinstance(one, Image):
        return {"name": one.name, "digest": one.digest, "error": one.why}
    return {
        "name": one.name,
        "digest": one.digest,
        "platform": _platform(one),
        "created": one.config.created,
        "size": one.size(),
        "layers": [layer.digest for layer in one.manifest.layers],
    }


COMMAND = Command(
    "images",
    "List the images of the store.",
    images,
    (STORE, flag("--json", "Print the result as JSON.", dest="as_json")),
)
