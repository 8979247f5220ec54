"""Small images for the tests of the store, made by hand."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from rootgen.image.config import Config, config_bytes
from rootgen.image.descriptor import CONFIG, LAYER, MANIFEST
from rootgen.image.manifest import ImageManifest, manifest_bytes

if TYPE_CHECKING:
    from rootgen.image.descriptor import Descriptor
    from rootgen.image.store import Store


def layer_tar(files: dict[str, bytes]) -> bytes:
    """Return a tar with ``files``."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return written.getvalue()


def add_image(store: Store, name: str, files: dict[str, bytes]) -> Descriptor:
    """Add an image of one layer to ``store``, under ``name``; return its manifest's descriptor."""
    with store.adding():
        layer = store.write(LAYER, layer_tar(files))
        config = store.write(CONFIG, config_bytes(Config("amd64", diff_ids=(layer.digest,))))
        manifest = store.write(MANIFEST, manifest_bytes(ImageManifest(config, (layer,))))
        store.tag(manifest, name)
    return manifest
