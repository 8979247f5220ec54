"""Plans as layers of an image in the store: each over the one before, unchanged ones reused."""

from __future__ import annotations

import os
from time import gmtime, strftime

from rootgen.api.telling import byte_teller
from rootgen.errors import ElfError, SysrootError
from rootgen.image.addition import store_layer, write_image
from rootgen.image.base import base_annotations
from rootgen.image.config import Config, History, go_platform
from rootgen.image.descriptor import Platform
from rootgen.image.reuse import recall, remember
from rootgen.layer.whiteout import Layer
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.digest import plan_digest
from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.plan.manifest import MANIFEST_PATH, manifest_bytes, manifest_of
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig
from rootgen.rootfs.content import Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rootgen.api.images import Image
    from rootgen.image.addition import Stored
    from rootgen.image.descriptor import Descriptor
    from rootgen.image.store import Store
    from rootgen.named import Progress
    from rootgen.plan.as_sysroot import PlanSysroot
    from rootgen.sysroot.port import OpenFile, Sysroot


# On a layer's descriptor: its label, where an image was divided (``layer.split``). On the manifest:
# into how many, and with which others (image-spec, annotations.md: names are reverse domains).
LAYER, LAYERS = "dev.rootgen.layer", "dev.rootgen.layers"
MANIFEST_LAYER = "rootgen manifest"
# To be raised where the same Plan is packed as other bytes than before.
_PACKING = 2
# What its history says of a tree's own layer.
TREE_LAYER = "rootgen commit"
_REASON = (Reason(ReasonKind.SKELETON),)


class Step(NamedTuple):
    """One layer to be: ``plan`` has its files' digests, ``open`` gives their contents.

    ``label`` is what it is called where an image is divided into layers.
    """

    plan: Plan
    open: Callable[[Entry], OpenFile]
    created_by: str
    label: str = ""


class LayerReport(NamedTuple):
    """One layer that was made: ``size`` as it is stored; ``reused``: it was in the store."""

    created_by: str
    diff_id: str
    digest: str
    size: int
    entries: int
    reused: bool


class LayeredImage(NamedTuple):
    """An image that was made, with the reports of the layers that it has over its base."""

    name: str
    digest: str
    base_layers: int
    layers: tuple[LayerReport, ...]


class Written(NamedTuple):
    """An image that is written and has no name yet."""

    image: LayeredImage
    descriptor: Descriptor
    platform: Platform


class Target(NamedTuple):
    """What the image is to be: ``plan`` is all of it, ``start`` how it is started.

    ``divided`` is how it was divided into layers, "" where it was not.
    """

    name: str
    plan: Plan
    programs: tuple[str, ...]
    root: PlanSysroot
    start: ImageConfig = ImageConfig()
    compress: str = "gzip"
    epoch: int = 0
    divided: str = ""


def store_layers(
    store: Store,
    target: Target,
    base: Image | None,
    steps: Sequence[Step],
    *,
    base_steps: int = 0,
    progress: Progress | None = None,
) -> LayeredImage:
    """Store and name what ``write_layers`` writes; raise as that."""
    written = write_layers(store, target, base, steps, base_steps=base_steps, progress=progress)
    store.tag(written.descriptor, target.name)
    return written.image


def write_layers(
    store: Store,
    target: Target,
    base: Image | None,
    steps: Sequence[Step],
    *,
    base_steps: int = 0,
    progress: Progress | None = None,
) -> Written:
    """Write an image of the layers of ``base``, one for each of ``steps``, and a last one.

    That one holds the manifest of the whole, so that no other layer depends
    on what it lies over. Of ``steps`` the first ``base_steps`` are a base
    that was no image yet. To be called within ``store.adding``. Raises
    ImageError, LayerError, and what the sources raise.
    """
    config = config_for(target.root, target.programs) if base is None else base.config
    created = rfc_3339(target.epoch)
    start = _started(target.start, config.start)
    layers = () if base is None else base.manifest.layers
    under = len(layers) + base_steps
    reports: list[LayerReport] = []
    for step in (*steps, manifest_step(target, start)):
        stored, reused = store_step(store, step, target.compress, progress)
        config = config._replace(
            diff_ids=(*config.diff_ids, stored.diff_id),
            history=(*config.history, History(step.created_by, created)),
        )
        label = ((LAYER, step.label),) if step.label else ()
        layers = (*layers, stored.descriptor._replace(annotations=label))
        reports.append(layer_report(stored, step.created_by, len(step.plan), reused=reused))
    annotations = base_annotations(under, "" if base is None else base.digest)
    if target.divided:
        annotations = (*annotations, (LAYERS, target.divided))
    config = config._replace(created=created, start=start)
    descriptor, _ = write_image(store, layers, config, tuple(sorted(annotations)))
    image = LayeredImage(target.name, descriptor.digest, under, tuple(reports))
    return Written(image, descriptor, Platform(config.os, config.architecture, config.variant))


def manifest_step(target: Target, start: ImageConfig) -> Step:
    """Return the layer that holds the manifest of ``target``, and nothing else."""
    from hashlib import sha256

    data = manifest_bytes(manifest_of(target.programs, target.plan, start))
    entry = Entry(
        MANIFEST_PATH,
        EntryKind.FILE,
        0o644,
        size=len(data),
        content=Inline(data),
        sha256=sha256(data).hexdigest(),
        reasons=_REASON,
    )
    plan = Plan([*above(MANIFEST_PATH, target.plan), entry])
    return Step(plan, Sources(target.root, target.root).open, MANIFEST_LAYER)


def above(path: str, plan: Plan) -> Iterator[Entry]:
    """Return the directories that ``path`` is in, as ``plan`` has them; made where it has not."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield plan.get(path) or Entry(path, EntryKind.DIRECTORY, 0o755, reasons=_REASON)


def layer_key(plan: Plan, compress: str) -> str:
    """Return the digest of all that a layer's bytes are made of: its Plan, times included."""
    from hashlib import sha256

    digest = sha256(f"{_PACKING} {compress} {plan_digest(plan)}".encode())
    digest.update(",".join(str(entry.mtime) for entry in plan.entries()).encode())
    return f"sha256:{digest.hexdigest()}"


def machine_of_programs(root: Sysroot, programs: Sequence[str]) -> str:
    """Return the machine that the programs are for, as uname(2) calls it; "" where none says it."""
    from rootgen.elf.names import machine_name
    from rootgen.elf.reader import is_elf, read_facts

    for program in programs:
        found = root.lookup(program)
        try:
            if found is None:
                continue
            with root.open(found.path) as file:
                if is_elf(file.pread(4, 0)):
                    return machine_name(read_facts(file.pread, found.path))
        except (ElfError, SysrootError):
            continue
    return ""


def config_for(root: Sysroot, programs: Sequence[str]) -> Config:
    """Return the config of an image of no layer yet: for its programs' machine, or for this one."""
    return Config(*go_platform(machine_of_programs(root, programs) or os.uname().machine))


def rfc_3339(epoch: int) -> str:
    """Return a time (seconds since 1970) as images have it."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(epoch))


def _started(start: ImageConfig, base: ImageConfig) -> ImageConfig:
    """Return how the image is started: as is said, and where nothing is, as its base."""
    entrypoint = start.entrypoint or ((), base.entrypoint)[not start.command]
    return ImageConfig(
        entrypoint,
        start.command or ((), base.command)[not start.entrypoint],
        start.user or base.user,
        start.workdir or base.workdir,
        tuple({**dict(base.env), **dict(start.env)}.items()),
        tuple({**dict(base.labels), **dict(start.labels)}.items()),
    )


def store_step(
    store: Store,
    step: Step,
    compress: str,
    progress: Progress | None = None,
) -> tuple[Stored, bool]:
    """Store a step as a layer, and tell whether it was there; raise as ``store_layer``."""
    key = layer_key(step.plan, compress)
    known = recall(store, key)
    if known is not None:
        return known, True
    layer = Layer(tuple(step.plan.entries()), ())
    stored = store_layer(
        store,
        layer,
        step.open,
        compress,
        tell=byte_teller(progress, "writing layers", layer.entries),
    )
    remember(store, key, stored)
    return stored, False


def layer_report(stored: Stored, created_by: str, entries: int, *, reused: bool) -> LayerReport:
    """Return what is told of a layer."""
    descriptor = stored.descriptor
    return LayerReport(
        created_by, stored.diff_id, descriptor.digest, descriptor.size, entries, reused
    )
