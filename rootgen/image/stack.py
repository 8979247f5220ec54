"""An image as the Plan that its layers make, one over the other."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.layer.apply import apply_layer
from rootgen.layer.read import read_archive
from rootgen.named import TYPE_CHECKING
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rootgen.image.config import Config
    from rootgen.image.descriptor import Descriptor
    from rootgen.image.manifest import ImageManifest
    from rootgen.image.store import Store
    from rootgen.layer.read import Archive, Keep
    from rootgen.named import Progress


def image_plan(
    store: Store,
    manifest: ImageManifest,
    config: Config,
    *,
    progress: Progress | None = None,
    keep: Keep | None = None,
    settle: Callable[[Archive], object] | None = None,
) -> Plan:
    """Return what an engine would have on disk after it unpacked the image; files have digests.

    Every blob and every diff ID is verified. ``progress`` is called with a
    phase, the bytes read and their total; ``keep`` (that of ``read_archive``)
    with every file of every layer, also one that a layer above hides, and
    ``settle`` with each layer once it is verified. Raises ImageError,
    LayerError.
    """
    plan = Plan()
    pairs = tuple(zip(manifest.layers, config.diff_ids, strict=True))
    for archive in read_layers(store, pairs, progress=progress, keep=keep):
        if settle is not None:
            settle(archive)
        plan = apply_layer(plan, archive)
    return plan


def read_layers(
    store: Store,
    layers: Sequence[tuple[Descriptor, str]],
    *,
    progress: Progress | None = None,
    keep: Keep | None = None,
) -> Iterator[Archive]:
    """Give what each layer says, of its descriptor and its diff ID; otherwise as ``image_plan``."""
    done, total = 0, sum(one.size for one, _ in layers)
    for descriptor, diff_id in layers:
        yield read_layer(store, descriptor, diff_id, keep)
        done += descriptor.size
        if progress is not None:
            progress("reading layers", done, total)


def read_layer(
    store: Store, descriptor: Descriptor, diff_id: str, keep: Keep | None = None
) -> Archive:
    """Return what a layer says, its blob and its diff ID verified; raise ImageError, LayerError.

    A config with diff IDs of other layers is not taken: podman would, umoci
    and containerd would not. ``keep`` is that of ``read_archive``.
    """
    with store.open_blob(descriptor) as blob:
        archive = read_archive(blob.read, keep=keep)
        blob.verify()
    if f"sha256:{archive.sha256}" != diff_id:
        raise ImageError(
            f"layer {descriptor.digest} is not the one that the config names",
            why=(f"its diff ID is sha256:{archive.sha256}", f"the config says {diff_id}"),
        )
    return archive
