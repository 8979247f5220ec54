"""What ``--base`` names: a directory, an image of the store, a tarball, as one ``Base``."""

from __future__ import annotations

import os
import stat

from rootgen.errors import ImageError, LayerError, PlanError, SysrootError, TreeError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.base import Base, explained
from rootgen.plan.entry import EntryKind, FromSysroot
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from rootgen.api.images import Image
    from rootgen.image.store import Store
    from rootgen.named import Progress
    from rootgen.plan.manifest import Manifest
    from rootgen.rootfs.kept import Kept
    from rootgen.sysroot.port import Contents


_LARGEST_MANIFEST = 512 << 20


class OpenedBase(NamedTuple):
    """A base, and the image that it is of, where it is one."""

    base: Base
    image: Image | None


def open_base(
    written: str, store: str, *, everything: bool = False, progress: Progress | None = None
) -> OpenedBase:
    """Return the base that people call ``written``: a path, else the name of an image.

    ``everything`` keeps all contents of an archive, to be written again.
    Raises TreeError, LayerError, ImageError, PlanError, UsageError.
    """
    try:
        mode = os.stat(written).st_mode
    except OSError:
        return _of_image(written, store, progress)
    if stat.S_ISDIR(mode):
        return OpenedBase(_of_directory(written, progress), None)
    return OpenedBase(_of_archive(written, everything=everything), None)


def image_base(store: Store, image: Image, *, progress: Progress | None = None) -> Base:
    """Return an image of an open store as a base; raise ImageError, LayerError, PlanError."""
    from rootgen.image.stack import image_plan
    from rootgen.rootfs.kept import Kept

    kept = Kept()
    documents = (image.manifest, image.config)
    plan = image_plan(store, *documents, progress=progress, keep=kept.keep, settle=kept.settle)
    return kept_base(image.name, plan, kept)


def kept_base(name: str, plan: Plan, kept: Kept) -> Base:
    """Return what ``plan`` is, whose contents were ``kept``."""
    from rootgen.rootfs.kept import by_digest

    return _base(name, by_digest(plan), kept)


def _of_image(written: str, store: str, progress: Progress | None) -> OpenedBase:
    from rootgen.api.images import image_in
    from rootgen.image.store import Store

    if written.startswith(("/", "./", "../")):
        raise TreeError(f"no base {written}: there is no such file or directory")
    if not os.path.lexists(store):
        raise ImageError(
            f"no base {written}: neither a file, a directory nor an image of {store}",
            hint="make an image with `rootgen commit`, or name a directory or a tarball",
        )
    with Store(store) as opened:
        image = image_in(opened, written)
        return OpenedBase(image_base(opened, image, progress=progress), image)


def _of_directory(directory: str, progress: Progress | None) -> Base:
    from rootgen.rootfs.packing import PackedTree

    with PackedTree(directory) as tree:
        meant = tree.meant(progress, contents=True)
    plan = meant.plan
    if meant.manifest is None:
        plan = _as_roots(plan)
    read = [
        entry._replace(content=FromSysroot(entry.path)) if entry.kind is EntryKind.FILE else entry
        for entry in plan.entries()
    ]
    unread = [entry.path for entry in read if entry.kind is EntryKind.FILE and not entry.sha256]
    if unread:
        raise TreeError(
            f"cannot read {unread[0]} of the base {directory}"
            + (f", and {len(unread) - 1} more" if len(unread) > 1 else ""),
            hint="run as a user who may read all of it",
        )
    return _base(directory, Plan(read), DirectorySysroot(directory), meant.manifest)


def _as_roots(plan: Plan) -> Plan:
    """Return ``plan`` with root for the owner of its top: it was unpacked by an ordinary user."""
    top = plan["/"]
    if top.uid == 0:
        return plan
    return Plan(
        entry._replace(uid=0, gid=0) if (entry.uid, entry.gid) == (top.uid, top.gid) else entry
        for entry in plan.entries()
    )


def _of_archive(path: str, *, everything: bool) -> Base:
    from rootgen.image.squashfs_reader import MAGIC, squashfs_as_tar
    from rootgen.layer.apply import apply_layer
    from rootgen.layer.read import read_archive
    from rootgen.rootfs.kept import Kept

    kept = Kept(everything=everything)
    try:
        with open(path, "rb") as file:
            if file.peek(len(MAGIC)).startswith(MAGIC):
                with squashfs_as_tar(path) as read:
                    archive = read_archive(read, keep=kept.keep)
            else:
                archive = read_archive(file.read, keep=kept.keep)
    except OSError as error:
        raise LayerError(f"cannot read the base {path}: {error.strerror}") from error
    except LayerError as error:
        raise LayerError(f"{path}: {error.what}", why=error.why, hint=error.hint) from error
    kept.settle(archive)
    return kept_base(path, apply_layer(Plan(), archive), kept)


def _base(name: str, plan: Plan, contents: Contents, manifest: Manifest | None = None) -> Base:
    host = DirectorySysroot("/")
    if manifest is None:
        manifest = _manifest(PlanSysroot(plan, contents, host))
    plan = Plan(entry for entry in plan.entries() if entry.path != MANIFEST_PATH)
    programs = () if manifest is None else manifest.programs
    plan = explained(plan, manifest)
    return Base(name, plan, programs, PlanSysroot(plan, contents, host))


def _manifest(root: PlanSysroot) -> Manifest | None:
    """Return the manifest in a base; None where it has none, or one that nobody can read."""
    from rootgen.plan.manifest_reader import parse_manifest

    try:
        with root.open(MANIFEST_PATH) as file:
            return parse_manifest(file.pread(_LARGEST_MANIFEST, 0))
    except (PlanError, SysrootError):
        return None
