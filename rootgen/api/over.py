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
    """What an image is to be called, in which store, and what its history says of its layer."""

    name: str
    store: str
    created_by: str
    compress: str = "gzip"
    epoch: int = 0


def store_made(
    tagged: Tagged,
    opened: OpenedBase | None,
    made: Made,
    start: ImageConfig,
    host: Sysroot,
    *,
    progress: Progress | None = None,
) -> LayeredImage:
    """Store what was made over ``opened`` as an image; raise ImageError, UsageError."""
    under = base_steps(opened)
    step = Step(made.plan, Sources(made.increment.root, host).open, tagged.created_by)
    return store_steps(tagged, opened, (*under, step), made.base, start, progress=progress)


def store_steps(
    tagged: Tagged,
    opened: OpenedBase | None,
    steps: Sequence[Step],
    whole: Base,
    start: ImageConfig,
    *,
    progress: Progress | None = None,
) -> LayeredImage:
    """Store an image of ``steps``, which begin with ``base_steps(opened)``; raise as above."""
    name = str(parse_reference(tagged.name))
    target = Target(
        name, whole.plan, whole.programs, whole.root, start, tagged.compress, tagged.epoch
    )  # fmt: skip
    count = len(base_steps(opened))
    with Store.open_or_make(tagged.store) as store, store.adding():
        image = None if opened is None else opened.image
        return store_layers(store, target, image, steps, base_steps=count, progress=progress)


def base_steps(opened: OpenedBase | None) -> tuple[Step, ...]:
    """Return the layer that a base is which is no image yet."""
    if opened is None or opened.image is not None:
        return ()
    root = opened.base.root
    return (Step(opened.base.plan, lambda entry: root.open(entry.path), "rootgen base"),)
