"""``commit``: what a tree has over its base, as one more layer of an image."""

from __future__ import annotations

import os

from rootgen.api.layered import (
    TREE_LAYER,
    Step,
    Target,
    machine_of_programs,
    rfc_3339,
    store_layers,
)
from rootgen.api.telling import byte_teller
from rootgen.errors import ImageError
from rootgen.image.addition import store_image, store_layer, with_layer
from rootgen.image.base import base_annotations
from rootgen.image.config import Config, History, go_platform
from rootgen.image.reference import parse_reference
from rootgen.image.store import Store
from rootgen.layer.difference import NOT_OF_THE_TARGET, difference
from rootgen.layer.whiteout import layer_of
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.rootfs.packing import PackedTree
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from rootgen.api.images import Image
    from rootgen.named import Progress
    from rootgen.plan.manifest import Manifest
    from rootgen.rootfs.note import Note
    from rootgen.rootfs.packing import Meant


class CommitRequest(NamedTuple):
    """Which tree, as which image of which store; ``base`` is the image that it began as, or "".

    ``epoch`` is the time (seconds since 1970) that the image is said to be
    of; ``compress`` one of ``image.compress.COMPRESSIONS``.
    """

    rootfs: str
    name: str
    store: str
    base: str = ""
    compress: str = "gzip"
    epoch: int = 0


class CommitResult(NamedTuple):
    """The image that was made: ``added`` and ``removed`` count paths of its new layer.

    ``size`` is that of the layer as it is stored; ``digest`` is the
    manifest's.
    """

    name: str
    digest: str
    diff_id: str
    layers: int
    added: int
    removed: int
    size: int
    notes: tuple[Note, ...]


def commit(request: CommitRequest, *, progress: Progress | None = None) -> CommitResult:
    """Make an image of the base's layers and of what the tree has that they have not.

    The same tree gives the same image, whoever commits it. Raises
    UsageError for a name that can be none, TreeError, PlanError, LayerError,
    ImageError.
    """
    name = str(parse_reference(request.name))
    with (
        Store.open_or_make(request.store) as store,
        store.adding(),
        PackedTree(request.rootfs) as tree,
    ):
        meant = tree.meant(progress, contents=True)
        if meant.manifest is not None and meant.manifest.base:
            return _commit_increment(store, request, name, tree, meant, progress)
        base, config, below = _base(store, request.base, progress)
        _check_not_the_same(below, meant.plan, request)
        layer = layer_of(below, meant.plan)
        if meant.manifest is not None:
            config = _started_as(config, meant.manifest, request.rootfs)
        created = rfc_3339(request.epoch)
        stored = store_layer(
            store,
            layer,
            tree.contents.open,
            request.compress,
            tell=byte_teller(progress, "writing the layer", layer.entries),
        )
        history = History(TREE_LAYER, created)
        under = None if base is None else base.manifest
        layers, config = with_layer(under, config._replace(created=created), stored, history)
        said = () if base is None else base_annotations(len(layers) - 1, base.digest)
        descriptor = store_image(store, name, layers, config, said)
    return CommitResult(
        name,
        descriptor.digest,
        stored.diff_id,
        len(layers),
        len(layer.entries),
        len(layer.removed),
        stored.descriptor.size,
        meant.notes,
    )


def _commit_increment(
    store: Store,
    request: CommitRequest,
    name: str,
    tree: PackedTree,
    meant: Meant,
    progress: Progress | None,
) -> CommitResult:
    """Lay what ``make --base`` wrote over the image that it was made for; raise ImageError."""
    from rootgen.api.bases import image_base
    from rootgen.api.images import image_in
    from rootgen.plan.base import replaced
    from rootgen.plan.digest import plan_digest

    assert meant.manifest is not None  # noqa: S101 - the caller looked
    if not request.base:
        raise ImageError(
            f"{request.rootfs} is an increment: it needs the base that it was made for",
            why=(f"its base is {meant.manifest.base}",),
            hint="name the image with --base; `rootgen commit` makes one of a directory",
        )
    image = image_in(store, request.base)
    base = image_base(store, image, progress=progress)
    digest = plan_digest(base.plan)
    if digest != meant.manifest.base:
        raise ImageError(
            f"{request.base} is not the base that {request.rootfs} was made for",
            why=(f"that is {meant.manifest.base}", f"this is {digest}"),
            hint="make it again over this base, or `rootgen rebase` the image",
        )
    plan = Plan(entry for entry in meant.plan.entries() if entry.path != MANIFEST_PATH)
    programs = tuple(sorted({*base.programs, *meant.manifest.programs}))
    united = replaced(base.plan, plan.entries())
    start = meant.manifest.image
    target = Target(
        name, united, programs, base.root, start, request.compress, request.epoch
    )  # fmt: skip
    step = Step(plan, tree.contents.open, TREE_LAYER)
    made = store_layers(store, target, image, [step], progress=progress)
    first = made.layers[0]
    layers = made.base_layers + len(made.layers)
    return CommitResult(
        name, made.digest, first.diff_id, layers, len(plan), 0, first.size, meant.notes
    )


def _base(
    store: Store, written: str, progress: Progress | None
) -> tuple[Image | None, Config, Plan]:
    """Return the base, its config and what its layers make; nothing where it is ""."""
    if not written:
        architecture, variant = go_platform(os.uname().machine)
        return None, Config(architecture, variant), Plan()
    from rootgen.api.images import image_in
    from rootgen.image.stack import image_plan

    image = image_in(store, written)
    below = image_plan(store, image.manifest, image.config, progress=progress)
    return image, image.config, below


def _check_not_the_same(below: Plan, plan: Plan, request: CommitRequest) -> None:
    if difference(below, plan, ignoring=NOT_OF_THE_TARGET).is_empty():
        raise ImageError(f"{request.rootfs} is what {request.base} is: there is nothing to commit")


def _started_as(config: Config, manifest: Manifest, rootfs: str) -> Config:
    """Return ``config`` with how the tree's own manifest says that it is started."""
    start = manifest.image
    machine = machine_of_programs(DirectorySysroot(rootfs), manifest.programs)
    architecture, variant = go_platform(machine) if machine else (config.architecture, "")
    if start == type(start)():
        start = config.start
    return config._replace(architecture=architecture, variant=variant, start=start)
