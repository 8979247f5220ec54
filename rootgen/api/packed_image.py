"""``pack --to oci`` and ``--to docker``: an image as a layout, or as one archive."""

from __future__ import annotations

from contextlib import contextmanager

from rootgen.api.layered import TREE_LAYER, config_for, rfc_3339
from rootgen.api.packable import named_store, open_named, packable
from rootgen.api.telling import byte_teller
from rootgen.errors import ImageError, TreeError, UsageError
from rootgen.image.addition import store_layer, with_layer, write_image
from rootgen.image.artifact import artifacts_about
from rootgen.image.config import History
from rootgen.image.layout import Exported, StoredBlobs, layout_plan
from rootgen.image.output import STDOUT, OutputFile
from rootgen.image.reference import parse_reference
from rootgen.image.spool import Spool, spool_directory
from rootgen.layer.whiteout import whole_layer
from rootgen.layer.write import write_tar
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.api.packable import PackRequest
    from rootgen.api.run import ImageName
    from rootgen.image.store import Store
    from rootgen.layer.packed import Packed
    from rootgen.layer.write import Contents
    from rootgen.named import Progress
    from rootgen.rootfs.note import Note, Notes


COMPRESS = "gzip"  # what every tool reads; umoci knows no zstd
_DOCKER = "docker"


class Written(NamedTuple):
    """An image that was written: its manifest's digest, its layers, what is known of the output.

    ``sha256`` is the output's, empty for a directory; ``notes`` say what of
    the tree is not in it.
    """

    image: str
    layers: int
    size: int
    sha256: str
    notes: tuple[Note, ...]


class _Export(NamedTuple):
    image: Exported
    open: Contents
    notes: tuple[Note, ...]


def write_as_image(
    request: PackRequest, what: str | ImageName, progress: Progress | None
) -> Written:
    """Write a tree as an image of one layer, or an image of the store as it is.

    A layout is a directory, unless the name ends in .tar; what docker loads
    is an archive. Raises as ``pack.pack``.
    """
    tag = request.tag and str(parse_reference(request.tag))
    request = request._replace(tag=tag)
    if request.to == _DOCKER or request.out == STDOUT or request.out.endswith(".tar"):
        return _write_archive(request, what, progress)
    return _write_directory(request, what, progress)


def _write_archive(
    request: PackRequest, what: str | ImageName, progress: Progress | None
) -> Written:
    with (
        OutputFile(request.out, force=request.force) as output,
        _exported(request, what, progress) as export,
    ):
        plan = layout_plan(export.image, docker=request.to == _DOCKER)
        packed = write_tar(tuple(plan.entries()), export.open, output.write)
        output.commit()
    return _written(export, packed)


def _write_directory(
    request: PackRequest, what: str | ImageName, progress: Progress | None
) -> Written:
    from rootgen.layer.packed import Packed
    from rootgen.rootfs.directory import fill_plainly, write_directory

    made: list[Written] = []

    def fill(directory: int, notes: Notes) -> None:
        del notes
        with _exported(request, what, progress) as export:
            plan = layout_plan(export.image)
            fill_plainly(plan, export.open, directory, request.out)
        made.append(_written(export, Packed(sum(one.size for one in plan.files()), "")))

    read = what if isinstance(what, str) else named_store(what)
    write_directory(request.out, fill, apart=read, force=request.force)
    return made[0]


def _written(export: _Export, packed: Packed) -> Written:
    image = export.image
    return Written(
        image.descriptor.digest,
        len(image.manifest.layers),
        packed.size,
        packed.sha256 and f"sha256:{packed.sha256}",
        export.notes,
    )


@contextmanager
def _exported(
    request: PackRequest, what: str | ImageName, progress: Progress | None
) -> Iterator[_Export]:
    """Give the image that a tree or a name is, and what its blobs are read from."""
    if not isinstance(what, str):
        with open_named(what) as store:
            yield _of_store(store, request, what)
        return
    with packable(what, progress) as tree, Spool(spool_directory(request.out)) as spool:
        if tree.manifest is not None and tree.manifest.base:
            raise TreeError(
                f"{what} is an increment: by itself it is no image",
                why=(f"its base is {tree.manifest.base}",),
                hint="`rootgen commit` it with --base, and pack the image",
            )
        created = rfc_3339(request.epoch)
        programs = () if tree.manifest is None else tree.manifest.programs
        config = config_for(tree.root, programs)._replace(created=created, start=tree.start)
        layer = whole_layer(tree.plan)
        tell = byte_teller(progress, "packing", layer.entries)
        stored = store_layer(spool, layer, tree.open, request.compress or COMPRESS, tell=tell)
        layers, config = with_layer(None, config, stored, History(TREE_LAYER, created))
        descriptor, manifest = write_image(spool, layers, config)
        yield _Export(Exported(request.tag, descriptor, manifest, config), spool.open, tree.notes)


def _of_store(store: Store, request: PackRequest, what: ImageName) -> _Export:
    from rootgen.api.images import image_in, manifest_in

    if request.compress:
        raise UsageError(
            f"{what.name} is an image: its layers are packed as they are stored",
            hint="without --compress",
        )
    image = image_in(store, what.name, or_tree=True)
    descriptor = manifest_in(store, image.name)
    if descriptor.digest != image.digest:
        raise ImageError(f"the image {image.name} changed at this moment", hint="try again")
    name = request.tag or image.name
    artifacts = tuple(artifacts_about(store, (image.digest,))) if request.attached else ()
    exported = Exported(name, descriptor, image.manifest, image.config, artifacts)
    return _Export(exported, StoredBlobs(store).open, ())
