"""What an image says of the one that it began as, and what it is over another.

Image-spec, annotations.md: ``org.opencontainers.image.base.digest`` is the
digest of the base's manifest. How many layers are the base's it has no word for.
"""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.config import History
from rootgen.named import TYPE_CHECKING
from rootgen.profile.model import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.config import Config
    from rootgen.image.manifest import ImageManifest

# Names of our own are reverse domains, as the specification wants them.
BASE_LAYERS = "dev.rootgen.base.layers"
BASE_DIGEST = "org.opencontainers.image.base.digest"

Pairs = tuple[tuple[str, str], ...]


def base_annotations(layers: int, digest: str = "") -> Pairs:
    """Return what an image says of a base of so many ``layers``; none: it has no base."""
    said = {BASE_LAYERS: str(layers)} if layers else {}
    return tuple(sorted((said | ({BASE_DIGEST: digest} if digest else {})).items()))


def recorded_base(manifest: ImageManifest, where: str) -> tuple[int, str]:
    """Return how many layers an image says are its base's, and the digest: 0, "" for no word.

    Raises ImageError for a number that can be none.
    """
    said = dict(manifest.annotations)
    count, most = said.get(BASE_LAYERS, "0"), len(manifest.layers)
    if not (count.isascii() and count.isdigit() and len(count) <= len(str(most))):
        raise ImageError(f"{where}: '{count[:40]}' layers are said to be its base's")
    if int(count) > most:
        raise ImageError(f"{where}: of its {most} layers {count} are said to be its base's")
    return int(count), said.get(BASE_DIGEST, "")


def is_over(config: Config, base: Config) -> bool:
    """Tell whether an image's first layers are those of another, and not all it has."""
    count = len(base.diff_ids)
    return count < len(config.diff_ids) and config.diff_ids[:count] == base.diff_ids


def layer_histories(config: Config) -> list[tuple[History, ...]]:
    """Return for each layer its steps, those that made none before the one that made it.

    What a history says after its last layer is the last layer's. A layer
    that no step tells of has one that says nothing; a step more than there
    are layers is left out.
    """
    steps: list[tuple[History, ...]] = []
    empty: tuple[History, ...] = ()
    for one in config.history:
        if one.empty:
            empty = (*empty, one)
        elif len(steps) < len(config.diff_ids):
            steps.append((*empty, one))
            empty = ()
    while len(steps) < len(config.diff_ids):
        steps.append((*empty, History()))
        empty = ()
    if steps and empty:
        steps[-1] += empty
    return steps


def rebased_start(image: ImageConfig, old: ImageConfig, new: ImageConfig) -> ImageConfig:
    """Return how an image is started over the base ``new`` that had the base ``old``.

    What it has otherwise than its old base it goes on to have; the rest is
    the new base's. Variables and labels are compared one by one.
    """
    # Docker's rule for a layer that says one of the two: it forgets the base's other one.
    started = (image.entrypoint, image.command) != (old.entrypoint, old.command)
    source = image if started else new
    return ImageConfig(
        source.entrypoint,
        source.command,
        image.user if image.user != old.user else new.user,
        image.workdir if image.workdir != old.workdir else new.workdir,
        tuple(_merged(image.env, old.env, new.env)),
        tuple(_merged(image.labels, old.labels, new.labels)),
    )


def _merged(image: Pairs, old: Pairs, new: Pairs) -> Iterator[tuple[str, str]]:
    """Give the pairs of ``new`` with what ``image`` changed in, added to and took from ``old``."""
    mine, before = dict(image), dict(old)
    for name, value in new:
        if name not in mine and name in before:
            continue  # taken away
        if name in mine and mine[name] != before.get(name):
            yield name, mine[name]
        else:
            yield name, value
    have = dict(new)
    for name, value in image:
        if name not in have and value != before.get(name):
            yield name, value
