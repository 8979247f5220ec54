"""A layer and what it makes of an image, added to a store."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.compress import compressor
from rootgen.image.config import Config, History, config_bytes
from rootgen.image.descriptor import CONFIG, INDEX, LAYER_TYPES, MANIFEST, Descriptor
from rootgen.image.manifest import (
    LAYERS_LIMIT,
    ImageManifest,
    Index,
    index_bytes,
    manifest_bytes,
)
from rootgen.layer.write import write_tar
from rootgen.named import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from rootgen.image.store import Store
    from rootgen.layer.whiteout import Layer
    from rootgen.layer.write import Contents, Write


class Writing(Protocol):
    """A blob being written: gone at the context's end if it was not committed."""

    def write(self, data: bytes | memoryview) -> None:
        """Add ``data``."""

    def commit(self, media_type: str) -> Descriptor:
        """Keep the blob; return its descriptor."""

    def __enter__(self) -> Writing:
        """Return the writer itself."""

    def __exit__(self, *exc: object) -> None:
        """Let go of it."""


class Blobs(Protocol):
    """Where an image is written: a store, or a spool on the way to an archive."""

    def write_blob(self) -> Writing:
        """Begin a blob, whose digest is known at its end."""

    def write(self, media_type: str, data: bytes) -> Descriptor:
        """Keep a document; return its descriptor."""


class Stored(NamedTuple):
    """A layer that was written: its blob, and its diff ID."""

    descriptor: Descriptor
    diff_id: str


def store_layer(
    blobs: Blobs, layer: Layer, contents: Contents, compress: str, *, tell: Write | None = None
) -> Stored:
    """Write a layer (into a store, within ``store.adding``); return where it is.

    ``contents`` opens the files; ``tell`` sees the bytes before they are
    compressed. Raises ImageError, LayerError, and what ``contents`` raises.
    """
    with blobs.write_blob() as blob:
        compressing = compressor(compress, blob.write)

        def write(data: bytes) -> None:
            compressing.write(data)
            if tell is not None:
                tell(data)

        try:
            packed = write_tar(layer.members(), contents, write)
            compressing.finish()
        finally:
            compressing.close()
        descriptor = blob.commit(LAYER_TYPES[compress])
    return Stored(descriptor, f"sha256:{packed.sha256}")


def with_layer(
    manifest: ImageManifest | None, config: Config, stored: Stored, history: History
) -> tuple[tuple[Descriptor, ...], Config]:
    """Return the layers and the config of an image with one layer more; None: it had none."""
    layers = () if manifest is None else manifest.layers
    return (*layers, stored.descriptor), config._replace(
        diff_ids=(*config.diff_ids, stored.diff_id), history=(*config.history, history)
    )


def store_image(
    store: Store,
    name: str,
    layers: tuple[Descriptor, ...],
    config: Config,
    annotations: tuple[tuple[str, str], ...] = (),
) -> Descriptor:
    """Write an image of layers that are in ``store``, and name it; within ``store.adding``.

    Returns the descriptor of its manifest. Raises ImageError.
    """
    descriptor, _ = write_image(store, layers, config, annotations)
    store.tag(descriptor, name)
    return descriptor


def write_index(blobs: Blobs, manifests: tuple[Descriptor, ...]) -> Descriptor:
    """Write what says which of ``manifests`` is for which platform; each says its own."""
    return blobs.write(INDEX, index_bytes(Index(manifests)))


def write_image(
    blobs: Blobs,
    layers: tuple[Descriptor, ...],
    config: Config,
    annotations: tuple[tuple[str, str], ...] = (),
) -> tuple[Descriptor, ImageManifest]:
    """Write the documents of an image whose layers are there; return its manifest.

    Raises ImageError for more layers than anybody reads.
    """
    if len(layers) > LAYERS_LIMIT:
        raise ImageError(f"{len(layers)} layers; at most {LAYERS_LIMIT} are read")
    written = blobs.write(CONFIG, config_bytes(config))
    manifest = ImageManifest(written, layers, annotations)
    return blobs.write(MANIFEST, manifest_bytes(manifest)), manifest
