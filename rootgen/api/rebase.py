"""``rebase``: the increments of an image moved onto another base, after proof that all holds."""

from __future__ import annotations

from rootgen.api.images import Image, image_in, open_for, readable_images
from rootgen.api.layered import (
    LayeredImage,
    LayerReport,
    Target,
    layer_report,
    manifest_step,
    rfc_3339,
    store_step,
)
from rootgen.api.rebase_proof import Increments, LayersRead, Proof, Remark, Stacks, prove, stack
from rootgen.errors import ImageError
from rootgen.image.addition import Stored, store_image
from rootgen.image.base import (
    base_annotations,
    is_over,
    layer_histories,
    rebased_start,
    recorded_base,
)
from rootgen.image.config import History
from rootgen.image.descriptor import Platform, layer_compression
from rootgen.image.reference import parse_reference
from rootgen.layer.difference import NOT_OF_THE_TARGET, difference
from rootgen.layer.read import Whiteout
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind
from rootgen.plan.manifest import MANIFEST_PATH

if TYPE_CHECKING:
    from rootgen.image.store import Store
    from rootgen.layer.read import Archive
    from rootgen.named import Progress


_TOLD = 12


class RebaseRequest(NamedTuple):
    """Which image of which store onto which other; ``tag`` names the result ("": ``name``).

    ``base`` is the image that ``name`` began as, where it does not say so
    itself. ``epoch`` is the time (seconds since 1970) that the result is said
    to be of; None: that of ``name``.
    """

    name: str
    onto: str
    store: str
    base: str = ""
    tag: str = ""
    dry_run: bool = False
    epoch: int | None = None


class RebaseResult(NamedTuple):
    """What came of it: ``image`` is None where nothing was made.

    ``base`` is what the image lay over, as far as it is known; ``layers`` are
    the increments, and what ``proof`` refuses keeps them where they are.
    """

    name: str
    base: str
    onto: str
    layers: tuple[LayerReport, ...]
    proof: Proof
    image: LayeredImage | None = None

    def refusal(self) -> ImageError | None:
        """Return the error that says why the image cannot be rebased; None where it can."""
        refusals = self.proof.refusals
        if not refusals:
            return None
        lines = list(dict.fromkeys(_words(one) for one in refusals))
        more = (f"… and {len(lines) - _TOLD} more",) if len(lines) > _TOLD else ()
        return ImageError(
            f"{self.name} cannot be rebased onto {self.onto}",
            why=(*lines[:_TOLD], *more),
            hint="make its increments again over the new base (`rootgen make --base`)",
        )


def rebase(request: RebaseRequest, *, progress: Progress | None = None) -> RebaseResult:
    """Move the increments of an image onto another base; their layers stay what they are.

    Nothing is made where a program would lack what it has (``proof.refusals``),
    nor on a dry run. Raises ImageError for images that are not there or do
    not lie over what they should, UsageError, LayerError, PlanError.
    """
    name = str(parse_reference(request.tag or request.name))
    with open_for(request.store, request.name) as store, store.adding():
        image = image_in(store, request.name)
        _check_for_one(store, image, name)
        onto = image_in(store, request.onto, _platform(image))
        moving = _Moving(store, image, onto, _base(store, image, request.base))
        result = moving.proven(progress)
        if request.dry_run or result.proof.refusals:
            return result
        return result._replace(image=moving.store_as(name, request.epoch))


class _Moving:
    """One image on its way from its base to another; its increments are above ``count`` layers."""

    def __init__(
        self, store: Store, image: Image, onto: Image, base: tuple[int, Image | None]
    ) -> None:
        self._store, self._image, self._onto = store, image, onto
        self._count, self._base = base
        self._histories = layer_histories(image.config)[self._count :]
        self._stacks: Stacks | None = None
        self._own: tuple[Archive, ...] = ()
        self._is_described = False
        # Without the old base's config nobody knows what of the image's own is the base's.
        self._start = image.config.start
        if self._base is not None:
            self._start = rebased_start(self._start, self._base.config.start, onto.config.start)

    def proven(self, progress: Progress | None) -> RebaseResult:
        """Return the proof, and the increments as they are; raise LayerError, ImageError."""
        read = LayersRead(self._store, progress)
        archives, below = read.archives(self._image), read.archives(self._onto)
        self._own = archives[self._count :]
        layers = self._layers()
        self._is_described = any(map(_has_manifest, (*below, *self._own)))
        base = "" if self._base is None else self._base.name
        old = read.base(base or "its base", archives[: self._count])
        new = read.base(self._onto.name, below)
        increments = Increments(self._own, tuple(one.created_by for one in layers))
        self._stacks, proof = stack(old, new, increments, read.kept)
        if self._stacks is not None:
            found = prove(
                self._stacks, self._start, (_platform(self._image), _platform(self._onto))
            )
            proof = found._replace(remarks=(*proof.remarks, *found.remarks))
        return RebaseResult(self._image.name, base, self._onto.name, layers, proof)

    def store_as(self, name: str, epoch: int | None) -> LayeredImage:
        """Name the image of the new base's layers and the increments; raise ImageError."""
        image, onto = self._image, self._onto
        created = image.config.created
        if epoch is not None:
            created = rfc_3339(epoch)
        pairs = zip(image.manifest.layers, image.config.diff_ids, strict=True)
        own = [Stored(*one) for one in pairs][self._count :]
        reports, histories = list(self._layers()), list(self._histories)
        if self._is_described and not self._is_as_it_was():
            if _is_manifest(self._own[-1]):
                del own[-1], reports[-1], histories[-1]
            stored, report = self._manifest(name)
            own.append(stored)
            reports.append(report)
            histories.append((History(report.created_by, created),))
        steps = (*layer_histories(onto.config), *histories)
        config = onto.config._replace(
            created=created,
            start=self._start,
            diff_ids=(*onto.config.diff_ids, *(one.diff_id for one in own)),
            history=tuple(one for each in steps for one in each),
        )
        under = len(onto.manifest.layers)
        said = {**dict(image.manifest.annotations), **dict(base_annotations(under, onto.digest))}
        layers = (*onto.manifest.layers, *(one.descriptor for one in own))
        made = store_image(self._store, name, layers, config, tuple(sorted(said.items())))
        return LayeredImage(name, made.digest, under, tuple(reports))

    def _layers(self) -> tuple[LayerReport, ...]:
        """Return what is told of the increments."""
        layers = self._image.manifest.layers[self._count :]
        diff_ids = self._image.config.diff_ids[self._count :]
        stored = map(Stored, layers, diff_ids)
        return tuple(
            layer_report(one, _made_by(steps), len(archive.members), reused=True)
            for one, steps, archive in zip(stored, self._histories, self._own, strict=True)
        )

    def _is_as_it_was(self) -> bool:
        """Tell whether the whole is what it was, and so what its manifest says of it."""
        assert self._stacks is not None  # noqa: S101 - it was proven
        old, new = self._stacks.old.plan, self._stacks.new.plan
        changed = not difference(old, new, ignoring=NOT_OF_THE_TARGET).is_empty()
        return not changed and self._start == self._image.config.start

    def _manifest(self, name: str) -> tuple[Stored, LayerReport]:
        """Store the layer that says what the whole is now."""
        assert self._stacks is not None  # noqa: S101 - it was proven
        whole = self._stacks.new
        compress = layer_compression(self._image.manifest.layers[-1])
        target = Target(name, whole.plan, whole.programs, whole.root, self._start, compress)
        step = manifest_step(target, self._start)
        stored, reused = store_step(self._store, step, compress)
        return stored, layer_report(stored, step.created_by, len(step.plan), reused=reused)


def _made_by(steps: tuple[History, ...]) -> str:
    """Say what made a layer, by its steps."""
    made = next((one for one in reversed(steps) if not one.empty), History())
    return made.created_by or made.comment or "a layer that says nothing of itself"


def _base(store: Store, image: Image, written: str) -> tuple[int, Image | None]:
    """Return how many layers of an image are its base's, and the base where it is known.

    Raises ImageError where there is no word of it, or a wrong one.
    """
    count, digest = recorded_base(image.manifest, image.name)
    if written:
        base: Image | None = image_in(store, written, _platform(image))
    else:
        images = readable_images(store) if digest else ()
        base = next((one for one in images if one.digest == digest), None)
    if base is not None:
        if not is_over(image.config, base.config):
            raise ImageError(
                f"{image.name} does not lie over {base.name}",
                why=(f"its first layers are not those of {base.name}, with others above them",),
                hint="name the image that it began as: --base IMAGE",
            )
        return len(base.config.diff_ids), base
    if count == 0:
        raise ImageError(
            f"{image.name} does not say over which base it was made",
            hint=_candidates(store, image),
        )
    if count == len(image.manifest.layers):
        raise ImageError(f"{image.name} has nothing over its base")
    return count, None


def _candidates(store: Store, image: Image) -> str:
    over = [one for one in readable_images(store) if is_over(image.config, one.config) and one.name]
    if not over:
        return "name the image that it began as: --base IMAGE"
    nearest = max(over, key=lambda one: (len(one.config.diff_ids), one.name))
    return f"its first layers are those of {nearest.name}: --base {nearest.name}"


def _check_for_one(store: Store, image: Image, name: str) -> None:
    """Raise ImageError where the result would take the name of an image for several platforms."""
    there = store.find(image.name)
    if name == image.name and there is not None and there.digest != image.digest:
        raise ImageError(
            f"{name} is for several platforms, and what is rebased is the one for this machine",
            hint="name that with -t; `rootgen index` makes one image of several",
        )


def _platform(image: Image) -> Platform:
    return Platform(image.config.os, image.config.architecture, image.config.variant)


def _has_manifest(archive: Archive) -> bool:
    return any(
        not isinstance(one, Whiteout) and one.entry.path == MANIFEST_PATH for one in archive.members
    )


def _is_manifest(archive: Archive) -> bool:
    """Tell whether a layer is the manifest, and the directories that it is in."""
    return _has_manifest(archive) and all(
        not isinstance(one, Whiteout)
        and (
            one.entry.path == MANIFEST_PATH
            or (
                one.entry.kind is EntryKind.DIRECTORY
                and MANIFEST_PATH.startswith(f"{one.entry.path.rstrip('/')}/")
            )
        )
        for one in archive.members
    )


def _words(one: Remark) -> str:
    path = "" if one.what.startswith(one.path) else f"{one.path} "
    others = f"; {len(one.others)} more come to it" if one.others else ""
    return f"{path}{one.what} ({one.layer}){others}"
