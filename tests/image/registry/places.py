"""Images to push and to pull, and what must hold of a store whatever a registry did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rootgen.api.pull import PullRequest, PullResult, pull
from rootgen.api.push import PushRequest, PushResult, push
from rootgen.image.blob import digest_bytes
from rootgen.image.collect import damages
from rootgen.image.config import Config, config_bytes
from rootgen.image.descriptor import CONFIG, LAYER, Descriptor
from rootgen.image.manifest import ImageManifest, manifest_bytes
from rootgen.image.store import Store
from tests.image.registry.hostile import ACCESS, Host, fill

if TYPE_CHECKING:
    from pathlib import Path

    from rootgen.api.registry import Access


class Made(NamedTuple):
    """An image that a registry was given: its digest, and the digests of its blobs."""

    digest: str
    config: str
    layer: str
    data: bytes


def give(running: Host, size: int = 100_000, layer: bytes = b"", name: str = "1") -> Made:
    """Give a registry an image of one layer, of ``size`` bytes that are nothing."""
    data = layer or os.urandom(size)
    described = Descriptor(LAYER, digest_bytes(data), len(data))
    config = config_bytes(Config("amd64", diff_ids=(described.digest,)))
    of_config = Descriptor(CONFIG, digest_bytes(config), len(config))
    manifest = manifest_bytes(ImageManifest(of_config, (described,)))
    digest = fill(running, manifest, config, data, name=name)
    return Made(digest, of_config.digest, described.digest, data)


def pulled(
    running: Host,
    store: Path,
    access: Access = ACCESS,
    which: str = ":1",
    *,
    every: bool = False,
    attached: bool = False,
) -> PullResult:
    """Pull the image of a registry."""
    name = f"{running.name}/a{which}"
    return pull(PullRequest(name, str(store), "", "", every, access, attached))


def pushed(running: Host, store: Path, access: Access = ACCESS, name: str = "a") -> PushResult:
    """Push the image ``a:1`` of a store."""
    return push(PushRequest("a:1", f"{running.name}/{name}:1", str(store), access))


def intact(store: Path) -> tuple[str, ...]:
    """Return the names of a store, of which nothing is damaged and nothing left half written."""
    with Store(str(store)) as opened:
        assert list(damages(opened)) == []
        assert os.listdir(store / "ingest") == []
        return tuple(one.name() for one in opened.index().manifests)
