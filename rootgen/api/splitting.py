"""``--layers``: what an image has beside its base, divided into layers as its predecessor was."""

from __future__ import annotations

import re

from rootgen.api.images import image_in
from rootgen.api.layered import LAYER, LAYERS, Step
from rootgen.errors import ImageError, SysrootError
from rootgen.image.platform import platform_words
from rootgen.image.reference import Reference, parse_reference
from rootgen.image.store import Store
from rootgen.layer.split import split
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import FromSysroot
from rootgen.sysroot.owner import databases, owners_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.api.images import Image
    from rootgen.image.descriptor import Platform
    from rootgen.plan.plan import Plan
    from rootgen.sysroot.port import Sysroot

# What Python compiled at installation, which no package lists (PEP 3147).
_COMPILED = re.compile(r"/__pycache__/([^/]+)\.[a-z]+-\d+(\.opt-\d)?\.pyc$")


class Whole(NamedTuple):
    """What an image called ``tag`` is to have over its base, read from ``sysroot``.

    Several of one tag are for several platforms.
    """

    tag: str
    step: Step
    sysroot: Sysroot
    platform: Platform


class Divided(NamedTuple):
    """The layers of each image; ``how`` is what their manifests say of the division."""

    images: tuple[tuple[Step, ...], ...]
    how: str


def divide(store: str, wholes: Sequence[Whole], count: int) -> Divided:
    """Divide each of ``wholes``, images built together, into ``count`` layers at most.

    Of images that were divided so before (of the same tag, else the last one
    of that name in the store) what there was stays in its layer. Raises
    ImageError where the store cannot be read.
    """
    names = _names(wholes)
    how = f"{count} {','.join(names)}" if len(names) > 1 else str(count)
    plans = [one.step.plan for one in wholes]
    origins = [_origins(one.step.plan, one.sysroot) for one in wholes]
    parts = split(plans, names, count, _previous(store, wholes, how), origins)
    images = tuple(
        tuple(
            one.step._replace(
                plan=part.plan,
                created_by=f"{one.step.created_by} ({part.words})",
                label=" ".join(sorted(part.units)),
            )
            for part in own
        )
        for one, own in zip(wholes, parts, strict=True)
    )
    return Divided(images, how)


def _names(wholes: Sequence[Whole]) -> list[str]:
    """Return what tells the images apart: names; where they are one, platforms, or tags as well.

    No tag where it can be without: the next build may have another.
    """
    references = [parse_reference(one.tag) for one in wholes]
    platforms = [f"({platform_words(one.platform)})" for one in wholes]
    names = [one.name for one in references]
    for first in (names, [str(one) for one in references]):
        for second in ([""] * len(wholes), platforms):
            found = [a + b for a, b in zip(first, second, strict=True)]
            if len(set(found)) == len(found):
                return found
    return found


def _origins(plan: Plan, sysroot: Sysroot) -> Mapping[str, str]:
    """Return what the packages that files are of were built from, where a database says it."""
    listed = {
        entry.path: _COMPILED.sub(r"/\1.py", entry.path)
        for entry in plan.files()
        if isinstance(entry.content, FromSysroot)
    }
    try:
        owners = owners_of(databases(sysroot), listed.values())
        packages = {path: owner.package() for path, owner in owners.items()}
    except SysrootError:
        return {}  # what nobody may read, or is broken, tells nothing; nothing depends on it
    sources = {path: one.source or one.name for path, one in packages.items()}
    return {path: sources[source] for path, source in listed.items() if source in sources}


def _previous(
    path: str, wholes: Sequence[Whole], how: str
) -> tuple[tuple[frozenset[str], ...], ...]:
    """Return what units each layer of the predecessors has; nothing unless all of them are."""
    found = []
    with Store.open_or_make(path) as store:
        for one in wholes:
            image = _predecessor(store, parse_reference(one.tag), one.platform)
            if image is None or dict(image.manifest.annotations).get(LAYERS) != how:
                return ()
            layers = image.manifest.layers
            labels = [dict(layer.annotations).get(LAYER, "") for layer in layers]
            found.append(tuple(frozenset(label.split(" ")) for label in labels if label))
    return tuple(found)


def _predecessor(store: Store, reference: Reference, platform: Platform) -> Image | None:
    """Return the image of that name; else the last one whose name differs by the tag alone."""
    names = [one.name() for one in reversed(store.index().manifests)]
    alike = str(reference._replace(tag=""))
    near = [str(reference), *(one for one in names if one.startswith(alike) and "@" not in one)]
    for name in near:
        try:
            return image_in(store, name, platform)
        except ImageError:
            continue
    return None
