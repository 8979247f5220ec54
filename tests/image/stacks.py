"""Images of several layers, made by hand with busybox, for the tests that run them."""

from __future__ import annotations

import io
import shutil
import tarfile
from typing import TYPE_CHECKING, Any

from zstandard import ZstdCompressor

from rootgen.image.blob import digest_bytes
from rootgen.image.config import Config, config_bytes, go_platform
from rootgen.image.descriptor import CONFIG, LAYER, MANIFEST
from rootgen.image.manifest import ImageManifest, manifest_bytes
from rootgen.image.store import Store
from rootgen.profile.model import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

_APPLETS = (
    "sh cat ls true find stat sleep id rm echo wc touch mkdir ln chown mv env pwd false".split()
)


def member(name: str, kind: bytes = tarfile.DIRTYPE, data: bytes = b"", **fields: Any) -> Any:
    """Return a member of an archive and its content."""
    made = tarfile.TarInfo(name)
    made.type = kind
    made.mode = 0o755
    made.size = len(data)
    for field, value in fields.items():
        setattr(made, field, value)
    return made, data


def file(name: str, data: bytes = b"", **fields: Any) -> Any:
    """Return a file of an archive and its content."""
    return member(name, tarfile.REGTYPE, data, **fields)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Any:
    """Return a link of an archive."""
    return member(name, kind, linkname=target)


def busybox_layer() -> list[Any]:
    """Return the members of a layer that has a shell, with a merged /usr, and no top."""
    found = shutil.which("busybox")
    assert found is not None
    with open(found, "rb") as program:
        members = [member("usr"), member("usr/bin"), file("usr/bin/busybox", program.read())]
    members += [link(f"usr/bin/{one}", "busybox") for one in _APPLETS]
    return [*members, link("bin", "usr/bin"), member("etc"), file("etc/old", b"old\n")]


def archive(members: Sequence[Any]) -> bytes:
    """Return an archive of members."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for header, data in members:
            tar.addfile(header, io.BytesIO(data))
    return written.getvalue()


def add_stack(
    path: str,
    name: str,
    layers: Sequence[Sequence[Any]],
    start: ImageConfig = ImageConfig(),  # noqa: B008
    *,
    zstd: bool = False,
) -> ImageManifest:
    """Add an image of these layers to the store at ``path``; return its manifest."""
    archives = tuple(archive(one) for one in layers)
    with Store.open_or_make(path) as store, store.adding():
        if zstd:
            compress = ZstdCompressor().compress
            written = tuple(store.write(f"{LAYER}+zstd", compress(one)) for one in archives)
        else:
            written = tuple(store.write(LAYER, one) for one in archives)
        architecture, variant = go_platform("x86_64")
        diff_ids = tuple(digest_bytes(one) for one in archives)
        config = Config(architecture, variant, start=start, diff_ids=diff_ids)
        manifest = ImageManifest(store.write(CONFIG, config_bytes(config)), written)
        store.tag(store.write(MANIFEST, manifest_bytes(manifest)), name)
    return manifest
