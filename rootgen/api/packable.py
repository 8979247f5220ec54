"""What is packed: a tree, or the root file system that an image's layers make."""

from __future__ import annotations

import os
from contextlib import contextmanager

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.profile.model import ImageConfig
from rootgen.rootfs.packing import PackedTree
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.api.run import ImageName
    from rootgen.image.store import Store
    from rootgen.layer.write import Contents
    from rootgen.named import Progress
    from rootgen.plan.manifest import Manifest
    from rootgen.plan.plan import Plan
    from rootgen.rootfs.kept import Kept
    from rootgen.rootfs.note import Note
    from rootgen.sysroot.port import Sysroot


class PackRequest(NamedTuple):
    """What to pack, as which format, into which file (``-``: standard output).

    ``to`` is one of ``pack.FORMATS`` or ``pack.IMAGES``. ``rootfs`` is a
    directory or an image's name, as ``api.run.root_or_image`` tells them
    apart, of the store at ``store`` (empty: the user's own). ``compress`` is
    one of ``image.compress.COMPRESSIONS``; empty is what is usual for the
    format. Of an image that is made of a tree, ``tag`` is the name and
    ``epoch`` the time (seconds since 1970). ``attached`` brings what is
    attached to an image.
    """

    rootfs: str
    to: str
    out: str
    compress: str = ""
    force: bool = False
    store: str = ""
    tag: str = ""
    epoch: int = 0
    attached: bool = False


class Packable(NamedTuple):
    """A root file system as it is to be packed.

    ``open`` opens the files of ``plan``, best in its order; ``root`` is the
    same as what lookups are made in. ``manifest`` is a tree's own, ``start``
    how the root is started; ``notes`` say what is left out.
    """

    plan: Plan
    open: Contents
    root: Sysroot
    manifest: Manifest | None
    start: ImageConfig
    notes: tuple[Note, ...]


@contextmanager
def packable(what: str | ImageName, progress: Progress | None = None) -> Iterator[Packable]:
    """Give the tree in a directory, or what an image is once it is unpacked.

    Raises TreeError and PlanError of a tree; ImageError and LayerError of an
    image, whose blobs are all verified before anything is given.
    """
    if not isinstance(what, str):
        from rootgen.rootfs.kept import Kept  # and what reads archives, which a tree is none of

        with Kept(everything=True) as kept:
            yield _of_image(what, kept, progress)
        return
    with PackedTree(what) as tree:
        plan, manifest, notes = tree.meant(progress)
        start = ImageConfig() if manifest is None else manifest.image
        root = DirectorySysroot(what)
        yield Packable(plan, tree.contents.open, root, manifest, start, notes)


def open_named(what: ImageName) -> Store:
    """Open the store that an image is in; raise ImageError where there is none."""
    from rootgen.api.images import default_store, open_for

    return open_for(what.store or default_store(os.environ), what.name, or_tree=True)


def named_store(what: ImageName) -> str:
    """Return the path of the store that an image is in; raise ImageError where there is none."""
    with open_named(what) as store:
        return store.path


def _of_image(what: ImageName, kept: Kept, progress: Progress | None) -> Packable:
    from rootgen.api.images import image_in
    from rootgen.image.stack import image_plan
    from rootgen.plan.as_sysroot import PlanSysroot
    from rootgen.rootfs.kept import by_digest

    with open_named(what) as store:
        image = image_in(store, what.name, or_tree=True)
        documents = (image.manifest, image.config)
        plan = image_plan(store, *documents, progress=progress, keep=kept.keep, settle=kept.settle)
    plan = by_digest(plan)
    return Packable(
        plan,
        lambda entry: kept.open(entry.sha256),
        PlanSysroot(plan, kept, DirectorySysroot("/")),
        None,
        image.config.start,
        (),
    )
