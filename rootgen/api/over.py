"""``make --base`` and ``make -t``: increments over what is there, as trees and as images."""

from __future__ import annotations

from rootgen.api.layered import LayeredImage, Step, Target, store_layers
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
    from collections.abc import Callable, Sequence

    from rootgen.api.bases import OpenedBase
    from rootgen.plan.assemble import Wish
    from rootgen.profile.model import ImageConfig
    from rootgen.sysroot.port import Sysroot

    Progress = Callable[[str, int, int], None]


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

        whole = Whole(tagged.name, steps[0], sysroot)
        (steps,), divided = divide(tagged.store, [whole], tagged.layers)
    return store_steps(tagged, opened, steps, made.base, start, divided, progress=progress)


def step_of(made: Made, host: Sysroot, created_by: str) -> Step:
    """Return what was made as a layer to be."""
    return Step(made.plan, Sources(made.increment.root, host).open, created_by)


def store_steps(
    tagged: Tagged,
    opened: OpenedBase | None,
    steps: Sequence[Step],
    whole: Base,
    start: ImageConfig,
    divided: str = "",
    *,
    progress: Progress | None = None,
) -> LayeredImage:
    """Store an image of ``steps`` over ``opened``, together ``whole``; raise as above."""
    name = str(parse_reference(tagged.name))
    target = Target(
        name, whole.plan, whole.programs, whole.root, start, tagged.compress, tagged.epoch, divided
    )  # fmt: skip
    under = base_steps(opened)
    with Store.open_or_make(tagged.store) as store, store.adding():
        image = None if opened is None else opened.image
        every = (*under, *steps)
        return store_layers(store, target, image, every, base_steps=len(under), progress=progress)


def base_steps(opened: OpenedBase | None) -> tuple[Step, ...]:
    """Return the layer that a base is which is no image yet."""
    if opened is None or opened.image is not None:
        return ()
    root = opened.base.root
    return (Step(opened.base.plan, lambda entry: root.open(entry.path), "rootgen base"),)
