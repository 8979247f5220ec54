"""``make --base`` and ``make -t``: increments over what is there, as trees and as images."""

from __future__ import annotations

from rootgen.api.layered import LayeredImage, Step, Target, Written, config_for, write_layers
from rootgen.image.addition import write_index
from rootgen.image.descriptor import Platform
from rootgen.image.reference import parse_reference
from rootgen.image.store import Store
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.base import Base, replaced
from rootgen.plan.digest import plan_digest
from rootgen.plan.increment import Increment, increment_of
from rootgen.plan.plan import Plan
from rootgen.rootfs.content import Sources, digest_content
from rootgen.rootfs.write import hash_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.api.bases import OpenedBase
    from rootgen.named import Progress
    from rootgen.plan.assemble import Wish
    from rootgen.profile.model import ImageConfig
    from rootgen.sysroot.port import Sysroot


class Made(NamedTuple):
    """An increment whose files have their digests; ``base`` is what has it in it now."""

    increment: Increment
    plan: Plan
    base: Base


def add_to(base: Base, wish: Wish, host: Sysroot, *, progress: Progress | None = None) -> Made:
    """Return what ``wish`` adds to ``base``; raise as ``plan.increment.increment_of``."""
    increment = increment_of(wish, base, Digests().of)
    plan = hash_plan(increment.plan, sysroot=increment.root, host=host, progress=progress)
    united = replaced(base.plan, plan.entries())
    return Made(increment, plan, Base(base.name, united, increment.programs, increment.root))


def nothing(host: Sysroot) -> Base:
    """Return the base of what has none."""
    return Base("nothing", Plan(), (), PlanSysroot(Plan(), host, host))


class Digests:
    """The SHA-256 of files of roots, each read once."""

    def __init__(self) -> None:
        """Know none yet."""
        self._known: dict[tuple[int, str], str] = {}

    def of(self, root: Sysroot, path: str) -> str:
        """Return the digest of the file at the real path ``path``; raise SysrootError."""
        key = (id(root), path)
        if key not in self._known:
            with root.open(path) as file:
                self._known[key] = digest_content(file)[0]
        return self._known[key]


def base_digest(base: Base) -> str:
    """Return the digest by which an increment names its base."""
    return plan_digest(base.plan)


class Tagged(NamedTuple):
    """What an image is to be called, in which store, and what its history says of its layer.

    ``layers`` is how many that is to be divided into; 0: it is one.
    """

    name: str
    store: str
    created_by: str
    compress: str = "gzip"
    epoch: int = 0
    layers: int = 0


def store_made(
    tagged: Tagged,
    opened: OpenedBase | None,
    made: Made,
    start: ImageConfig,
    sysroots: tuple[Sysroot, Sysroot],
    *,
    progress: Progress | None = None,
) -> LayeredImage:
    """Store what was made over ``opened`` as an image; raise ImageError, UsageError.

    ``sysroots`` are the one that was read, and the host.
    """
    sysroot, host = sysroots
    steps: tuple[Step, ...] = (step_of(made, host, tagged.created_by),)
    divided = ""
    if tagged.layers:
        from rootgen.api.splitting import Whole, divide

        whole = Whole(tagged.name, steps[0], sysroot, platform_of(made.base))
        (steps,), divided = divide(tagged.store, [whole], tagged.layers)
    ready = Ready(tagged, opened, steps, made.base, start, divided)
    return store_ready([ready], progress=progress)[0].image


def platform_of(whole: Base) -> Platform:
    """Return what an image of ``whole`` is for."""
    config = config_for(whole.root, whole.programs)
    return Platform(config.os, config.architecture, config.variant)


def step_of(made: Made, host: Sysroot, created_by: str) -> Step:
    """Return what was made as a layer to be."""
    return Step(made.plan, Sources(made.increment.root, host).open, created_by)


class Ready(NamedTuple):
    """An image whose layers are known: ``steps`` over ``opened``, together ``whole``.

    ``divided`` is how it was divided into them, "" where it was not.
    """

    tagged: Tagged
    opened: OpenedBase | None
    steps: tuple[Step, ...]
    whole: Base
    start: ImageConfig
    divided: str = ""


class Named(NamedTuple):
    """An image that was stored, for which platform; ``index_digest`` is of what names it.

    That is "" where the image has its name for itself.
    """

    image: LayeredImage
    platform: Platform
    index_digest: str


def store_ready(ready: Sequence[Ready], *, progress: Progress | None = None) -> tuple[Named, ...]:
    """Store images in the store of the first; those of one name as one for several platforms.

    None has its name before all are whole. Raises ImageError, UsageError.
    """
    with Store.open_or_make(ready[0].tagged.store) as store, store.adding():
        written = [_written(store, one, progress) for one in ready]
        indexes: dict[str, str] = {}
        for name in dict.fromkeys(one.image.name for one in written):
            own = [one for one in written if one.image.name == name]
            descriptor = own[0].descriptor
            if len(own) > 1:
                manifests = (one.descriptor._replace(platform=one.platform) for one in own)
                descriptor = write_index(store, tuple(manifests))
                indexes[name] = descriptor.digest
            store.tag(descriptor, name)
    return tuple(Named(one.image, one.platform, indexes.get(one.image.name, "")) for one in written)


def _written(store: Store, ready: Ready, progress: Progress | None) -> Written:
    tagged, whole, opened = ready.tagged, ready.whole, ready.opened
    target = Target(
        str(parse_reference(tagged.name)),
        whole.plan,
        whole.programs,
        whole.root,
        ready.start,
        tagged.compress,
        tagged.epoch,
        ready.divided,
    )
    under = base_steps(opened)
    image = None if opened is None else opened.image
    every = (*under, *ready.steps)
    return write_layers(store, target, image, every, base_steps=len(under), progress=progress)


def base_steps(opened: OpenedBase | None) -> tuple[Step, ...]:
    """Return the layer that a base is which is no image yet."""
    if opened is None or opened.image is not None:
        return ()
    root = opened.base.root
    return (Step(opened.base.plan, lambda entry: root.open(entry.path), "rootgen base"),)
