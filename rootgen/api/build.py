"""``build``: a profile's layers, each one layer of an image; unchanged ones are reused."""

from __future__ import annotations

from rootgen.api.bases import open_base
from rootgen.api.make import MakeRequest, check_lacking, profile_of
from rootgen.api.over import (
    Ready,
    Tagged,
    add_to,
    nothing,
    platform_of,
    step_of,
    store_ready,
)
from rootgen.api.targets import open_sysroot
from rootgen.errors import UsageError
from rootgen.image.platform import platform_words
from rootgen.image.reference import parse_reference
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.assemble import Wish
from rootgen.profile.merge import whole
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.api.bases import OpenedBase
    from rootgen.api.layered import LayeredImage, Step
    from rootgen.image.descriptor import Platform
    from rootgen.named import Progress
    from rootgen.plan.base import Base
    from rootgen.plan.collect import Skipped
    from rootgen.plan.increment import Exchange
    from rootgen.profile.model import ImageConfig, Profile, UserRule


class BuildRequest(NamedTuple):
    """Which profiles, as which image of the store at ``store``; as ``MakeRequest``.

    ``base`` is a path, or an image of that store; nothing: the image begins
    with the profile's first layer. With ``layers`` (not 0), what the profiles
    bring is divided into so many at most, whatever layers they name.
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
    layers: int = 0


class BuildResult(NamedTuple):
    """The image; what its layers replace of those beneath, and why; what was left out.

    ``platform`` is what it is for, in words; ``index_digest`` of the index
    that it is in with others of its name, "" where it is alone.
    """

    image: LayeredImage
    exchanged: tuple[Exchange, ...]
    skipped: tuple[Skipped, ...]
    platform: str = ""
    index_digest: str = ""


class _Resolved(NamedTuple):
    """What an image is to be: its layers, over what, and all of it."""

    opened: OpenedBase | None
    steps: tuple[Step, ...]
    whole: Base
    start: ImageConfig
    exchanged: tuple[Exchange, ...]
    skipped: tuple[Skipped, ...]


def build(request: BuildRequest, *, progress: Progress | None = None) -> BuildResult:
    """Make an image of the request's profiles: a layer for each of their ``layers``, in order.

    What they bring outside of those is the first. Each is resolved over those
    before it, as ``make --base`` does, and one that is the same as in an image
    made before is not packed again. Raises MissingError, ProfileError,
    PlanError, LayerError, ImageError, UsageError.
    """
    return build_together((request,), progress=progress)[0]


def build_together(
    requests: Sequence[BuildRequest], *, progress: Progress | None = None
) -> tuple[BuildResult, ...]:
    """Make several images of one store; where they are divided, into layers that they share.

    Requests of one tag, with sysroots of different machines, are one image
    for several platforms. The store and how many layers are those of the
    first. Nothing is stored before all of them are known. Raises as ``build``.
    """
    for request in requests:
        if not request.profiles:
            raise UsageError("nothing to build: name a profile with -f")
        parse_reference(request.tag)
    names = {str(parse_reference(request.tag)) for request in requests}
    if len(names) < len(requests) and any(request.base for request in requests):
        raise UsageError("a base is for one platform: --base and one --sysroot")
    resolved = [_resolved(request, progress) for request in requests]
    platforms = [platform_of(one.whole) for one in resolved]
    _check_platforms(requests, platforms)
    steps, divided, store = [one.steps for one in resolved], "", requests[0].store
    if requests[0].layers:
        from rootgen.api.splitting import Whole, divide

        wholes = [
            Whole(request.tag, one.steps[0], open_sysroot(request.sysroot), platform)
            for request, one, platform in zip(requests, resolved, platforms, strict=True)
        ]
        images, divided = divide(store, wholes, requests[0].layers)
        steps = list(images)
    ready = [
        Ready(_tagged(request), one.opened, own, one.whole, one.start, divided)
        for request, one, own in zip(requests, resolved, steps, strict=True)
    ]
    return tuple(
        BuildResult(
            named.image,
            one.exchanged,
            one.skipped,
            platform_words(named.platform),
            named.index_digest,
        )
        for one, named in zip(resolved, store_ready(ready, progress=progress), strict=True)
    )


def _check_platforms(requests: Sequence[BuildRequest], platforms: Sequence[Platform]) -> None:
    """Raise UsageError where what is to be one image is for one platform twice."""
    sysroots: dict[tuple[str, Platform], str] = {}
    for request, platform in zip(requests, platforms, strict=True):
        key = (str(parse_reference(request.tag)), platform)
        if key in sysroots:
            raise UsageError(
                f"{request.tag} would be for {platform_words(platform)} twice",
                why=(f"of {sysroots[key]} and of {request.sysroot}",),
                hint="an image has one --sysroot for each platform",
            )
        sysroots[key] = request.sysroot


def _tagged(request: BuildRequest) -> Tagged:
    return Tagged(request.tag, request.store, "", request.compress, request.epoch or 0)


def _resolved(request: BuildRequest, progress: Progress | None) -> _Resolved:
    asked = MakeRequest(
        profiles=request.profiles, bare=request.bare, allow_missing=request.allow_missing
    )
    profile = profile_of(asked)
    sysroot, host = open_sysroot(request.sysroot), DirectorySysroot("/")
    opened = None
    if request.base:
        opened = open_base(request.base, request.store, everything=True, progress=progress)
    base = nothing(host) if opened is None else opened.base
    steps: list[Step] = []
    exchanged: list[Exchange] = []
    skipped: list[Skipped] = []
    for layer in _layers(whole(profile) if request.layers else profile):
        wish = Wish(sysroot, host, (), layer, (), request.epoch, request.records)
        made = add_to(base, wish, host, progress=progress)
        check_lacking(asked, made.increment.assembly, sysroot)
        steps.append(step_of(made, host, f"rootgen build: {layer.name}"))
        exchanged += made.increment.exchanged
        skipped += made.increment.assembly.skipped
        base = made.base
    return _Resolved(
        opened, tuple(steps), base, profile.image, tuple(exchanged), tuple(dict.fromkeys(skipped))
    )


def _layers(profile: Profile) -> Iterator[Profile]:
    """Give what each layer brings; its files may belong to the users of those before it."""
    first = profile._replace(layers=())
    brings = first.programs or first.libraries or first.files or first.users
    users: tuple[UserRule, ...] = ()
    for layer in (*((first,) if brings or not profile.layers else ()), *profile.layers):
        names = {user.name for user in layer.users}
        users = (*(user for user in users if user.name not in names), *layer.users)
        yield layer._replace(users=users)
