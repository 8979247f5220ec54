"""``--layers``: what an image has beside its base, divided into layers as its predecessor was."""

from __future__ import annotations

from rootgen.api.images import image_in
from rootgen.api.layered import LAYER, LAYERS, Step
from rootgen.errors import ImageError, LayerError, PlanError, SysrootError
from rootgen.image.reference import Reference, parse_reference
from rootgen.image.stack import read_layer
from rootgen.image.store import Store
from rootgen.layer.read import Whiteout
from rootgen.layer.split import NOTHING, Previous, split
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.manifest_reader import parse_manifest
from rootgen.rootfs.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.api.images import Image

_LARGEST_MANIFEST = 512 << 20


class Divided(NamedTuple):
    """The layers of each image; ``how`` is what their manifests say of the division."""

    images: tuple[tuple[Step, ...], ...]
    how: str


def divide(store: str, tags: Sequence[str], steps: Sequence[Step], count: int) -> Divided:
    """Divide each of ``steps``, what the images ``tags`` are to have, into ``count`` at most.

    Of images that were divided so before (the same tag's, else the last one
    of that name in the store) what did not change stays in its layer.
    Raises ImageError where the store cannot be read.
    """
    references = [parse_reference(tag) for tag in tags]
    names = [one.name for one in references]
    if len(set(names)) < len(names):
        names = [str(one) for one in references]
    how = f"{count} {','.join(names)}" if len(names) > 1 else str(count)
    previous = _previous(store, references, how)
    parts = split([one.plan for one in steps], names, count, previous)
    images = tuple(
        tuple(
            Step(part.plan, step.open, f"{step.created_by} ({part.words})", part.label)
            for part in own
        )
        for step, own in zip(steps, parts, strict=True)
    )
    return Divided(images, how)


def _previous(path: str, references: Sequence[Reference], how: str) -> Previous:
    labels: set[str] = set()
    paths: set[str] = set()
    with Store.open_or_make(path) as store:
        for reference in references:
            image = _predecessor(store, reference)
            if image is None or dict(image.manifest.annotations).get(LAYERS) != how:
                return NOTHING
            for layer in image.manifest.layers:
                labels.add(dict(layer.annotations).get(LAYER, ""))
            try:
                paths |= _paths(store, image)
            except (ImageError, LayerError, PlanError, SysrootError):
                return NOTHING  # it is as if there were none: what is made now is whole
    return Previous(frozenset(labels), frozenset(paths))


def _predecessor(store: Store, reference: Reference) -> Image | None:
    """Return the image of that name; else the last one whose name differs by the tag alone."""
    names = [one.name() for one in reversed(store.index().manifests)]
    alike = str(reference._replace(tag=""))
    near = [str(reference), *(one for one in names if one.startswith(alike) and "@" not in one)]
    for name in near:
        try:
            return image_in(store, name)
        except ImageError:
            continue
    return None


def _paths(store: Store, image: Image) -> set[str]:
    """Return the paths that an image's own manifest names, which its last layer holds."""
    kept = Kept()
    archive = read_layer(store, image.manifest.layers[-1], image.config.diff_ids[-1], kept.keep)
    kept.settle(archive)
    for member in archive.members:
        if not isinstance(member, Whiteout) and member.entry.path == MANIFEST_PATH:
            with kept.open(member.entry.sha256) as file:
                return set(parse_manifest(file.pread(_LARGEST_MANIFEST, 0)).plan)
    raise PlanError(f"{image.name} has no manifest in its last layer")
