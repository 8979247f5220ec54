"""``build``: a profile's layers, each one layer of an image; unchanged ones are reused."""

from __future__ import annotations

from rootgen.api.bases import open_base
from rootgen.api.layered import Step
from rootgen.api.make import MakeRequest, check_lacking, profile_of
from rootgen.api.over import Tagged, add_to, base_steps, nothing, store_steps
from rootgen.api.targets import open_sysroot
from rootgen.errors import UsageError
from rootgen.image.reference import parse_reference
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.assemble import Wish
from rootgen.rootfs.content import Sources
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.api.layered import LayeredImage
    from rootgen.plan.collect import Skipped
    from rootgen.plan.increment import Exchange
    from rootgen.profile.model import Profile, UserRule

    Progress = Callable[[str, int, int], None]


class BuildRequest(NamedTuple):
    """Which profiles, as which image of the store at ``store``; as ``MakeRequest``.

    ``base`` is a path, or an image of that store; nothing: the image begins
    with the profile's first layer.
    """

    profiles: tuple[str, ...]
    tag: str
    store: str
    base: str = ""
    sysroot: str = "/"
    bare: bool = False
    allow_missing: bool = False
    compress: str = "gzip"
    epoch: int | None = None
    records: bool = False


class BuildResult(NamedTuple):
    """The image; what its layers replace of those beneath, and why; what was left out."""

    image: LayeredImage
    exchanged: tuple[Exchange, ...]
    skipped: tuple[Skipped, ...]


def build(request: BuildRequest, *, progress: Progress | None = None) -> BuildResult:
    """Make an image of the request's profiles: a layer for each of their ``layers``, in order.

    What they bring outside of those is the first. Each is resolved over those
    before it, as ``make --base`` does, and one that is the same as in an image
    made before is not packed again. Raises MissingError, ProfileError,
    PlanError, LayerError, ImageError, UsageError.
    """
    if not request.profiles:
        raise UsageError("nothing to build: name a profile with -f")
    parse_reference(request.tag)
    asked = MakeRequest(
        profiles=request.profiles, bare=request.bare, allow_missing=request.allow_missing
    )
    profile = profile_of(asked)
    sysroot, host = open_sysroot(request.sysroot), DirectorySysroot("/")
    opened = None
    if request.base:
        opened = open_base(request.base, request.store, everything=True, progress=progress)
    base = nothing(host) if opened is None else opened.base
    steps = list(base_steps(opened))
    exchanged: list[Exchange] = []
    skipped: list[Skipped] = []
    for layer in _layers(profile):
        wish = Wish(sysroot, host, (), layer, (), request.epoch, request.records)
        made = add_to(base, wish, host, progress=progress)
        check_lacking(asked, made.increment.assembly, sysroot)
        contents = Sources(made.increment.root, host)
        steps.append(Step(made.plan, contents.open, _created_by(layer)))
        exchanged += made.increment.exchanged
        skipped += made.increment.assembly.skipped
        base = made.base
    tagged = Tagged(request.tag, request.store, "", request.compress, request.epoch or 0)
    image = store_steps(tagged, opened, steps, base, profile.image, progress=progress)
    return BuildResult(image, tuple(exchanged), tuple(dict.fromkeys(skipped)))


def _layers(profile: Profile) -> Iterator[Profile]:
    """Give what each layer brings; its files may belong to the users of those before it."""
    first = profile._replace(layers=())
    brings = first.programs or first.libraries or first.files or first.users
    users: tuple[UserRule, ...] = ()
    for layer in (*((first,) if brings or not profile.layers else ()), *profile.layers):
        names = {user.name for user in layer.users}
        users = (*(user for user in users if user.name not in names), *layer.users)
        yield layer._replace(users=users)


def _created_by(layer: Profile) -> str:
    return f"rootgen build: {layer.name}"
