"""What the commands that make trees and layers share."""

from __future__ import annotations

from rootgen.cli.command import Option, flag
from rootgen.cli.store import short_digest
from rootgen.named import TYPE_CHECKING
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.api.layered import LayeredImage, LayerReport

RECORDS = flag(
    "--records",
    "Bring what scanners read: the distribution, the packages and their licences.",
)
LAYERS = Option(
    ("--layers",), "layers", metavar="N", kind="int", least=1, most=100, default=None,
    help="Divide what the base lacks into N layers at most, that other images share and an update "
    "leaves as they are.",
)  # fmt: skip


def image_json(image: LayeredImage) -> dict[str, object]:
    """Return the JSON object of an image that was made."""
    layers = [one._asdict() for one in image.layers]
    return {**image._asdict(), "layers": layers}


def image_lines(image: LayeredImage) -> Iterator[str]:
    """Say what was made, a line for each layer."""
    count = image.base_layers + len(image.layers)
    yield f"{image.name}: {count_words(count, 'layer')}, {short_digest(image.digest)}"
    yield from (layer_line(one, "reused") for one in image.layers)


def layer_line(layer: LayerReport, reused: str) -> str:
    """Say what a layer is; ``reused`` is the word for one that was there."""
    how = reused if layer.reused else "new"
    entries = count_words(layer.entries, "entry", "entries")
    return f"  {how:<6} {size_words(layer.size):>9}  {printable(layer.created_by)} ({entries})"
