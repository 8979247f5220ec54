"""An image of the store as a root to launch: its layers, unpacked once, as a stack."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, nullcontext

from rootgen.api.images import Image, default_store, image_in, open_for
from rootgen.errors import ImageError, LaunchError, LayerError, RootgenError, UsageError
from rootgen.image.blob import digest_bytes
from rootgen.image.stack import image_plan, read_layer
from rootgen.image.unpacked import Unpacked, Use, layer_names
from rootgen.layer.overlay import overlay_of, overlay_over
from rootgen.linux import capability
from rootgen.linux.sync import sync_filesystem
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.rootfs.note import Notes
from rootgen.rootfs.remove import remove_tree
from rootgen.rootfs.source import StackContents
from rootgen.rootfs.unpack import LAYER, Unpacking
from rootgen.sandbox.caller import Ids, read_ids
from rootgen.sandbox.mapped import in_user_namespace
from rootgen.sandbox.report import pack_error, unpack_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rootgen.image.store import Store
    from rootgen.named import Progress, Tell


# Documentation/filesystems/overlayfs.rst: so many lower layers can be stacked.
_MOST = 500
_UNPACKED = b"unpacked"
_ATTRIBUTES = {True: "trusted.overlay.opaque", False: "user.overlay.opaque"}


class Stacked(NamedTuple):
    """An image ready to be launched.

    ``layers`` are the directories of its unpacked layers, the top one last,
    of which ``like`` says what the top is like; ``use`` is the file whose
    lock keeps them.
    """

    image: Image
    layers: tuple[str, ...]
    like: str
    use: str
    cache: Unpacked
    ids: Ids


@contextmanager
def stacked(
    name: str,
    store_path: str = "",
    *,
    tell: Tell | None = None,
    progress: Progress | None = None,
    environ: Mapping[str, str] = os.environ,
    threaded: bool = False,
) -> Iterator[Stacked]:
    """Give an image with its layers unpacked, which nobody removes meanwhile.

    ``tell`` is called with what of them could not be kept; where this process may have threads
    (``threaded``) another one unpacks them and launches, and nothing is told. Raises LaunchError,
    and UsageError for what can be no image's name.
    """
    try:
        ids = read_ids(capability.after_exec() if threaded else capability.effective())
        path = store_path or default_store(environ)
        opened = open_for(path, name, or_tree=True)
        with opened as store, _open_cache(path, ids, environ) as cache:
            image = image_in(store, name, or_tree=True)
            names = _names_of(image)
            used = frozenset(one for pair in names for one in pair)
            descriptor = store.find(image.name)
            if descriptor is None:
                raise ImageError(f"the image {image.name} was forgotten at this moment")
            with cache.using(Use(descriptor, used)) as use:
                found = [cache.find(one) for one in names]
                if None in found:
                    if threaded:
                        _unpack_elsewhere(store.path, name)
                    else:
                        _tell_all(_unpack(store, image, cache, ids, progress), tell)
                    found = [cache.find(one) for one in names]
                layers = tuple(one for one in found if one is not None)
                if len(layers) != len(names):
                    raise ImageError(f"layers of {image.name} were removed from {cache.path}")
                said = [one for one in layers if cache.says_top(one)]
                like = said[-1] if said else layers[-1]
                directories = tuple(f"{one}/{LAYER}" for one in layers)
                yield Stacked(image, directories, f"{like}/{LAYER}", use, cache, ids)
    except (LaunchError, UsageError):
        raise
    except RootgenError as error:
        raise LaunchError(error.what, why=error.why, hint=error.hint) from error


def collect_unpacked(store: Store, wanted: Iterable[tuple[str, ...]]) -> int:
    """Remove unpacked layers of images that the store has not, and what the dead left; count them.

    ``wanted`` are the diff IDs of each image that it has. What a launch uses stays.
    """
    names = frozenset(one for diff_ids in wanted for pair in layer_names(diff_ids) for one in pair)
    removed = 0
    for cache in _caches(store.path):
        with cache:
            gone = cache.put_aside(names)
            removed += len(gone)
            with cache.making():
                remove_from(cache, cache.unfinished())
    return removed


def uses_of(store: Store) -> list[Use]:
    """Return what launches of the caller's use of a store's images."""
    found: list[Use] = []
    for cache in _caches(store.path):
        with cache:
            found += cache.uses()
    return found


def _caches(path: str) -> Iterator[Unpacked]:
    """Open each cache in a store that is the caller's."""
    try:
        names = os.listdir(f"{path}/unpacked")
    except OSError:
        return
    for name in names:
        if os.lstat(f"{path}/unpacked/{name}").st_uid == os.geteuid():
            yield Unpacked(f"{path}/unpacked/{name}")


def _open_cache(path: str, ids: Ids, environ: Mapping[str, str]) -> Unpacked:
    """Open the cache: in the store, or in the user's own cache where the store is not to write."""
    key = _key(ids)
    try:
        return Unpacked(os.path.abspath(f"{path}/unpacked/{key}"))
    except OSError:
        home = environ.get("XDG_CACHE_HOME", "")
        if not home.startswith("/"):
            home = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".cache")
        place = f"{home}/rootgen/unpacked/{key}"
    try:
        return Unpacked(place)
    except OSError as error:
        raise ImageError(f"cannot keep unpacked layers in {place}: {error.strerror}") from error


def _key(ids: Ids) -> str:
    """Return what tells caches apart: whose the files are out here, and with which attributes."""
    if ids.initial:
        return "root"
    maps: list[object] = [
        os.geteuid(),
        os.getegid(),
        ids.id_map and (ids.id_map.uids, ids.id_map.gids),
    ]
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/self/{name}", encoding="ascii") as file:
            maps.append(file.read().split())
    return digest_bytes(json.dumps(maps).encode()).removeprefix("sha256:")[:16]


def _names_of(image: Image) -> tuple[tuple[str, str], ...]:
    names = layer_names(image.config.diff_ids)
    if not names:
        raise ImageError(f"{image.name} has no layers: there is nothing in it to run")
    if len(names) > _MOST:
        raise ImageError(f"{image.name} has {len(names)} layers; overlayfs stacks at most {_MOST}")
    return names


def _unpack(
    store: Store, image: Image, cache: Unpacked, ids: Ids, progress: Progress | None
) -> list[str]:
    """Unpack the layers that lack, and return what is to be told of them."""
    # No collection takes away a blob meanwhile; in a store that is not ours to write none is ours.
    guard = store.adding() if os.access(store.path, os.W_OK) else nullcontext()
    with guard, cache.making():
        told = in_user_namespace(
            ids.id_map, lambda: _Layers(store, image, cache, ids, progress).unpack()
        )
    notes: list[str] = json.loads(told)
    return notes


# Run by a fresh Python, which finds modules where this one does.
_ELSEWHERE = (
    "import sys; sys.path[:0] = sys.argv[3:4]; sys.path += sys.argv[4:]; "
    "from rootgen.api.stacked import unpack_for_another; unpack_for_another(*sys.argv[1:3])"
)


def _unpack_elsewhere(path: str, name: str) -> None:
    """Have a process of its own unpack an image's layers, which may take a user namespace."""
    from rootgen.api.connection import package_place  # launches from Python alone come here
    from rootgen.linux.tool import answer_of

    places = (package_place(), *map(os.path.abspath, sys.path))
    command = [sys.executable, "-I", "-S", "-c", _ELSEWHERE, os.path.abspath(path), name, *places]
    try:
        answer, said = answer_of(command)
    except OSError as error:
        raise LaunchError(f"cannot start {sys.executable}: {error.strerror}") from error
    if answer == _UNPACKED:
        return
    raise unpack_error(answer) or LaunchError(f"the layers of {name} were not unpacked", why=said)


def unpack_for_another(path: str, name: str) -> None:
    """Unpack the layers of an image of the store at ``path``; answer on standard output."""
    try:
        with stacked(name, path):
            answer = _UNPACKED
    except RootgenError as error:
        answer = pack_error(error)
    os.write(1, answer)


class _Layers:
    """The layers of an image being unpacked, by who may give files away."""

    def __init__(
        self, store: Store, image: Image, cache: Unpacked, ids: Ids, progress: Progress | None
    ) -> None:
        self._store = store
        self._image = image
        self._cache = cache
        self._opaque = _ATTRIBUTES[ids.initial]
        self._progress = progress
        self._notes = Notes()

    def unpack(self) -> bytes:
        """Unpack what lacks, from the bottom; return what is to be told, as JSON."""
        remove_from(self._cache, self._cache.unfinished())
        image = self._image
        below: list[str] = []
        done, total = 0, image.size()
        for number, names in enumerate(layer_names(image.config.diff_ids)):
            if self._cache.find(names) is None:
                self._unpack_one(number, names, tuple(below))
            below.append(f"{self._cache.find(names)}/{LAYER}")
            done += image.manifest.layers[number].size
            if self._progress is not None:
                self._progress("unpacking layers", done, total)
        told = [f"{one.path} of {image.name}: {one.what}" for one in self._notes.all()]
        return json.dumps(told).encode()

    def _unpack_one(self, number: int, names: tuple[str, str], below: tuple[str, ...]) -> None:
        manifest, config = self._image.manifest, self._image.config
        descriptor, diff_id = manifest.layers[number], config.diff_ids[number]
        new, place = self._cache.begin()
        try:
            with Unpacking(
                place, f"layer {descriptor.digest}", self._notes, opaque=self._opaque
            ) as unpacking:
                archive = read_layer(self._store, descriptor, diff_id, keep=unpacking.keep)
                archive = unpacking.numbered(archive)
                name, overlay = names[0], overlay_of(archive)
                if overlay is None:
                    name = names[1]
                    beneath = manifest._replace(layers=manifest.layers[:number])
                    diff_ids = config.diff_ids[:number]
                    plan = image_plan(self._store, beneath, config._replace(diff_ids=diff_ids))
                    overlay = overlay_over(plan, archive)
                with StackContents(below) as contents:
                    unpacking.arrange(overlay, contents.open)
            sync_filesystem(place)
            self._cache.finish(new, name, says_top=overlay.says_top)
        except LayerError as error:
            remove_from(self._cache, (new,))
            why = (f"in layer {descriptor.digest} of {self._image.name}", *error.why)
            raise LayerError(error.what, why=why, hint=error.hint) from error
        except BaseException:
            remove_from(self._cache, (new,))
            raise
        finally:
            os.close(place)


def remove_from(cache: Unpacked, names: Iterable[str]) -> None:
    """Remove directories of a cache, in the user namespace where that is needed."""
    names = tuple(names)
    if not names:
        return

    def job() -> bytes:
        for name in names:
            remove_tree(cache.descriptor(), name)
        return b""

    if os.geteuid() == 0:
        job()
    else:
        in_user_namespace(read_ids(capability.effective()).id_map, job)


def _tell_all(notes: Iterable[str], tell: Tell | None) -> None:
    if tell is not None:
        for one in notes:
            tell(one)
