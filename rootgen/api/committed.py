"""``run --commit``: a launch over an image, and what it wrote as one more layer of it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from time import gmtime, strftime

from rootgen.api.images import default_store
from rootgen.api.run import ImageName, compose_run
from rootgen.api.stacked import remove_from, stacked
from rootgen.errors import LaunchError, RootgenError, UsageError
from rootgen.image.addition import Stored, store_image, store_layer, with_layer
from rootgen.image.base import base_annotations
from rootgen.image.config import History
from rootgen.image.descriptor import descriptor_json, parse_descriptor
from rootgen.image.document import parse_document, render
from rootgen.image.reference import parse_reference
from rootgen.image.stack import image_plan
from rootgen.image.store import Store
from rootgen.layer.apply import apply_layer
from rootgen.layer.read import Archive, Whiteout, Written
from rootgen.layer.whiteout import Layer, layer_of
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind
from rootgen.rootfs.source import StackContents
from rootgen.rootfs.upper import upper_members
from rootgen.sandbox.id_map import is_mapped
from rootgen.sandbox.launch import DeviceNode, Mount, Root, Text, Upper
from rootgen.sandbox.mapped import in_user_namespace
from rootgen.sandbox.mounts import TOP
from rootgen.sandbox.perform import perform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rootgen.api.run import RunRequest
    from rootgen.api.stacked import Stacked
    from rootgen.named import Progress, Tell
    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan
    from rootgen.rootfs.upper import Members
    from rootgen.sandbox.launch import IdMap, Launch


_COMPRESS = "gzip"
_ATTRIBUTES = {True: "trusted.overlay.", False: "user.overlay."}
_PERMISSIONS = 0o7777


class CommitTo(NamedTuple):
    """What the image is called; no file of its layer is newer than ``epoch``, if there is one."""

    name: str
    epoch: int | None = None


class Committed(NamedTuple):
    """The image that was made: the paths that its layer has and removes, and its size in bytes."""

    name: str
    digest: str
    layers: int
    added: int
    removed: int
    size: int


def run_and_commit(
    request: RunRequest,
    to: CommitTo,
    *,
    tell: Tell,
    progress: Progress | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[int, Committed | None]:
    """Run a command in an image; return its exit status, and the image that what it wrote makes.

    That is None where it wrote nothing. ``tell`` is called with notes.
    Raises UsageError for what is no name, or no image to begin with;
    LaunchError where the command was not started, or no image could be made
    of what it wrote, which then is lost.
    """
    if not isinstance(request.root, ImageName):
        raise UsageError(
            f"--commit makes a layer over an image, and {request.root} is a directory",
            hint="what is written there stays: rootgen commit DIR -t NAME:TAG",
        )
    to = to._replace(name=str(parse_reference(to.name)))
    name, path = request.root
    path = path or default_store(environ)
    with stacked(name, path, tell=tell, progress=progress) as stack, _kept(stack) as upper:
        if not os.access(path, os.W_OK):
            raise LaunchError(f"cannot write the image to the store {path}")
        root = Root(stack.layers, upper, stack.image.name, stack.use)
        ready = request._replace(root=root, start=stack.image.config.start)
        launch = compose_run(ready, tell=tell)
        status = perform(launch)
        try:
            with Store(path) as store:
                return status, _Commit(store, stack, launch, to, tell).commit()
        except RootgenError as error:
            what = f"the command has ended with exit status {status}, and was not committed"
            why = (error.what, *error.why)
            raise LaunchError(what, why=why, hint=error.hint) from error


@contextmanager
def _kept(stack: Stacked) -> Iterator[Upper]:
    """Give an upper directory that is there as long as this goes on."""
    place, lock = stack.cache.new_upper()
    upper = Upper(f"{place}/upper", f"{place}/work")

    def make() -> bytes:
        found = os.stat(stack.like)
        os.mkdir(upper.work, 0o700)
        os.mkdir(upper.directory, 0o700)
        # The root of the stack has the mode and the owner that the upper one has.
        os.chown(upper.directory, found.st_uid, found.st_gid)
        os.chmod(upper.directory, found.st_mode & _PERMISSIONS)
        times = (found.st_atime_ns, found.st_mtime_ns)
        os.utime(upper.directory, ns=times)
        return b""

    try:
        in_user_namespace(stack.ids.id_map, make)
        yield upper
    finally:
        remove_from(stack.cache, (os.path.basename(place),))
        os.close(lock)


class _Commit:
    """What a launch wrote over an image, becoming an image."""

    def __init__(
        self, store: Store, stack: Stacked, launch: Launch, to: CommitTo, tell: Tell
    ) -> None:
        self._store = store
        self._stack = stack
        self._launch = launch
        self._to = to
        self._tell = tell

    def commit(self) -> Committed | None:
        """Make the image, or none where nothing was written. Raises RootgenError."""
        image, to = self._stack.image, self._to
        with self._store.adding():
            # Who owns what was written may read it: the launch's own root.
            told = in_user_namespace(self._stack.ids.id_map, self._store_layer)
            document = parse_document(told, "what was written")
            for note in document.texts("notes"):
                self._tell(note)
            if "layer" not in document:
                return None
            layer = Stored(parse_descriptor(document.inner("layer")), document.text("diff_id"))
            created = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(to.epoch or 0))
            history = History(f"rootgen run -- {_words(self._launch.command)}", created)
            config = image.config._replace(created=created)
            layers, config = with_layer(image.manifest, config, layer, history)
            said = base_annotations(len(image.manifest.layers), image.digest)
            descriptor = store_image(self._store, to.name, layers, config, said)
        return Committed(
            to.name,
            descriptor.digest,
            len(layers),
            document.size("added"),
            document.size("removed"),
            layer.descriptor.size,
        )

    def _store_layer(self) -> bytes:
        """Store what was written as a layer; return where it is, and notes, as JSON."""
        stack, upper = self._stack, self._launch.root.upper
        assert upper is not None  # noqa: S101 - _kept made it
        root = os.open(upper.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            written, unheld = upper_members(root, _ATTRIBUTES[stack.ids.initial])
        finally:
            os.close(root)
        below = image_plan(self._store, stack.image.manifest, stack.image.config)
        members = tuple(self._members(written, below))
        layer = layer_of(below, apply_layer(below, Archive(members, 0, "")))
        notes = [f"{one.path}: {one.what} is not in the layer" for one in unheld]
        if _is_nothing(layer, below):
            return render({"notes": notes})
        with StackContents((*stack.layers, upper.directory)) as contents:
            stored = store_layer(self._store, layer, contents.open, _COMPRESS)
        return render(
            {
                "notes": notes,
                "diff_id": stored.diff_id,
                "layer": descriptor_json(stored.descriptor),
                "added": len(layer.entries),
                "removed": len(layer.removed),
            }
        )

    def _members(self, written: Members, below: Plan) -> Iterator[Written | Whiteout]:
        """Yield what the program wrote: not mount points made for it, and owned as it meant."""
        mounted = frozenset(_mount_points(self._launch))
        for one in written:
            if isinstance(one, Whiteout):
                yield one
            elif one.entry.path in below or one.entry.path not in mounted:
                yield Written(self._meant(one.entry, below.get(one.entry.path)))

    def _meant(self, entry: Entry, before: Entry | None) -> Entry:
        epoch, id_map = self._to.epoch, self._stack.ids.id_map
        if epoch is not None:
            entry = entry._replace(mtime=min(entry.mtime, epoch))
        return entry if before is None or id_map is None else _owned(entry, before, id_map)


def _owned(entry: Entry, before: Entry, id_map: IdMap) -> Entry:
    """Return ``entry`` with the owners of below that are not in the map: it was unpacked as root's.

    So what an ordinary user changes stays whose it was, whatever ids the user has.
    """
    uid, gid = entry.uid, entry.gid
    if uid == 0 and not is_mapped(before.uid, id_map.uids):
        uid = before.uid
    if gid == 0 and not is_mapped(before.gid, id_map.gids):
        gid = before.gid
    return entry._replace(uid=uid, gid=gid)


def _mount_points(launch: Launch) -> Iterator[str]:
    yield from (f"/{name}" for name in TOP)
    for step in launch.steps:
        if isinstance(step, (Mount, DeviceNode)):
            yield step.target
        elif isinstance(step, Text):
            yield step.path


def _is_nothing(layer: Layer, below: Plan) -> bool:
    """Tell whether nothing is changed but the time of the top, where mount points were made."""
    if layer.removed or any(one.path != "/" for one in layer.entries):
        return False
    top = below.get("/")
    return all(
        one.kind is EntryKind.DIRECTORY and top is not None and one._replace(mtime=top.mtime) == top
        for one in layer.entries
    )


def _words(command: Iterable[str]) -> str:
    return " ".join(os.fsencode(word).decode(errors="replace") for word in command)
