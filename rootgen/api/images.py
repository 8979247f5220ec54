"""``images``, ``inspect``, ``history``, ``rm``, ``store verify``: the images of a store."""

from __future__ import annotations

import os

from rootgen.errors import ImageError
from rootgen.image.artifact import is_attached
from rootgen.image.config import Config, parse_config
from rootgen.image.descriptor import INDEX, oci_media_type
from rootgen.image.manifest import DEPTH, ImageManifest, check_image, parse_index, parse_manifest
from rootgen.image.platform import choose, machine_platform
from rootgen.image.reference import parse_reference
from rootgen.image.store import Store
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rootgen.image.collect import Damage
    from rootgen.image.descriptor import Descriptor, Platform

_MAKE_IMAGE = "make one with `rootgen commit`, or `rootgen pull`"
_MAKE = "make a tree: rootgen make bash ls --out DIR; or an image: rootgen commit DIR -t NAME:TAG"


class Image(NamedTuple):
    """One image of a store: what it is called, and its documents."""

    name: str
    digest: str
    manifest: ImageManifest
    config: Config

    def size(self) -> int:
        """Return the bytes of its layers as they are stored."""
        return sum(one.size for one in self.manifest.layers)


class Unreadable(NamedTuple):
    """What a store's index names and cannot be shown as an image, and why."""

    name: str
    digest: str
    why: str


def default_store(environ: Mapping[str, str]) -> str:
    """Return where a user's images are.

    XDG Base Directory Specification: ``$XDG_DATA_HOME``, where it is
    absolute, else ``~/.local/share``.
    """
    data = environ.get("XDG_DATA_HOME", "")
    if not data.startswith("/"):
        data = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local/share")
    return os.path.join(data, "rootgen")


def list_images(path: str) -> list[Image | Unreadable]:
    """Return the images of the store at ``path``, by name; none where there is no store yet.

    Raises ImageError where its index cannot be read.
    """
    if not os.path.lexists(path):
        return []
    listed: list[Image | Unreadable] = []
    with Store(path) as store:
        for one in store.index().manifests:
            if is_attached(one):
                continue
            try:
                listed.append(_image(store, one, one.name()))
            except ImageError as error:
                listed.append(Unreadable(one.name(), one.digest, error.what))
    return sorted(listed, key=lambda one: (one.name, one.digest))


def find_image(path: str, written: str) -> Image:
    """Return the image that people call ``written``; raise ImageError, UsageError."""
    with open_for(path, written) as store:
        return image_in(store, written)


def open_for(path: str, written: str, *, or_tree: bool = False) -> Store:
    """Open the store that is to have the image ``written``; raise ImageError, as for no image.

    ``or_tree``: what people call so may as well be a directory, and is none.
    """
    if os.path.lexists(path):
        return Store(path)
    if or_tree:
        what = f"{written}: neither a directory nor an image: there is no store {path}"
        raise ImageError(what, hint=_MAKE)
    raise ImageError(f"no image {written}: there is no store {path}", hint=_MAKE_IMAGE)


def image_in(
    store: Store, written: str, platform: Platform | None = None, *, or_tree: bool = False
) -> Image:
    """Return the image of an open store that people call ``written``; raise as ``find_image``.

    Of one for several platforms it is that for ``platform`` (None: this machine's).
    ``or_tree`` is as for ``open_for``.
    """
    descriptor = found_descriptor(store, written, or_tree=or_tree)
    name = str(parse_reference(written))
    return _image(store, _for_platform(store, descriptor, name, platform), name)


def manifest_in(store: Store, written: str) -> Descriptor:
    """Return the descriptor of such an image's manifest: this machine's, of one for several."""
    return _for_platform(store, found_descriptor(store, written), written)


def readable_images(store: Store) -> Iterator[Image]:
    """Give the images of an open store, without those that cannot be read."""
    for one in store.index().manifests:
        try:
            yield _image(store, one, one.name())
        except ImageError:
            continue


def remove_images(path: str, names: Sequence[str]) -> tuple[str, ...]:
    """Let the store forget images; return their names. All of them, or none.

    Raises ImageError for a name that it has not.
    """
    with open_for(path, names[0]) as store, store.adding():
        gone = tuple(dict.fromkeys(found_descriptor(store, one).name() for one in names))
        store.untag(gone)
    return gone


def verify_store(path: str) -> tuple[Damage, ...]:
    """Read all that the store's names lead to, and return what is not as it should be."""
    from contextlib import nullcontext

    from rootgen.image.collect import (
        damages,
        untrue_layers,
    )  # nothing else here reads what is packed

    # What is removed meanwhile would be told as lost; who may only read locks nobody out.
    with Store(path) as store, store.adding() if os.access(path, os.W_OK) else nullcontext():
        found = tuple(damages(store))
        return (*found, *untrue_layers(store, {one.digest for one in found}))


def found_descriptor(store: Store, written: str, *, or_tree: bool = False) -> Descriptor:
    """Return what the index has for the image that people call ``written``; raise ImageError.

    ``or_tree`` is as for ``open_for``.
    """
    name = str(parse_reference(written))
    found = store.find(name)
    if found is not None:
        return found
    names = [one.name() for one in store.index().manifests]
    from difflib import get_close_matches

    near = get_close_matches(name[:128], names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`rootgen images` lists what there is"
    if or_tree:
        what = f"{written}: neither a directory nor an image of the store {store.path}"
        raise ImageError(what, hint=hint if near else f"{hint}; {_MAKE}")
    raise ImageError(f"no image {name} in {store.path}", hint=hint)


def _image(store: Store, descriptor: Descriptor, name: str) -> Image:
    descriptor = _for_platform(store, descriptor, name)
    manifest = parse_manifest(store.read(descriptor), descriptor.digest)
    check_image(manifest, name or descriptor.digest)
    config = parse_config(store.read(manifest.config), manifest.config.digest)
    if len(config.diff_ids) != len(manifest.layers):
        raise ImageError(
            f"{name}: {len(manifest.layers)} layers, and diff IDs of {len(config.diff_ids)}"
        )
    return Image(name, descriptor.digest, manifest, config)


def _for_platform(
    store: Store, descriptor: Descriptor, name: str, platform: Platform | None = None
) -> Descriptor:
    """Return the manifest that a machine takes of an index; of other descriptors themselves."""
    wanted = platform or machine_platform(os.uname().machine)
    for _ in range(DEPTH):
        if oci_media_type(descriptor.media_type) != INDEX:
            break
        index = parse_index(store.read(descriptor), descriptor.digest)
        descriptor = choose(index, wanted, name or descriptor.digest)
    return descriptor
