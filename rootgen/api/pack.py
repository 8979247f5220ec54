"""``pack``: a tree or an image in another form, with the owners that its manifest says."""

from __future__ import annotations

from contextlib import contextmanager

from rootgen.api.packable import packable
from rootgen.api.telling import byte_teller
from rootgen.errors import UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from rootgen.api.packable import Packable, PackRequest
    from rootgen.api.run import ImageName
    from rootgen.image.compress import Compressor
    from rootgen.image.output import Inode
    from rootgen.layer.packed import Packed
    from rootgen.layer.write import Contents, Write
    from rootgen.named import Progress
    from rootgen.plan.entry import Entry
    from rootgen.rootfs.note import Note

    NotHeld = Callable[[Collection[Entry]], Iterator[tuple[str, str]]]


class PackResult(NamedTuple):
    """What was packed.

    ``size`` and ``digest`` (``sha256:…``) are of the output; a directory has
    no digest. ``diff_id`` is the digest before compression, which names the
    content whatever compressed it. ``image`` is the digest of an image's
    manifest, which has ``layers``; other formats have ``entries``.
    """

    size: int
    digest: str
    notes: tuple[Note, ...]
    entries: int = 0
    diff_id: str = ""
    image: str = ""
    layers: int = 0


def pack(request: PackRequest, *, progress: Progress | None = None) -> PackResult:
    """Pack a tree or an image: the same bytes from every machine, user and core.

    The output is written whole or not at all. Raises UsageError for an
    unknown format or an output that is there, TreeError, LayerError for a
    file that changes meanwhile, PlanError for what the format cannot hold,
    ImageError for an output that cannot be written or an image that cannot
    be read.
    """
    from rootgen.api.run import root_or_image
    from rootgen.image.compress import COMPRESSIONS

    form = FORMATS.get(request.to)
    if form is None and request.to not in IMAGES:
        raise UsageError(f"the formats are {', '.join((*FORMATS, *IMAGES))}")
    if request.compress not in {"", *COMPRESSIONS}:
        raise UsageError(f"the compressions are {', '.join(COMPRESSIONS)}")
    what = root_or_image(request.rootfs, request.store)
    if request.attached and (request.to != "oci" or isinstance(what, str)):
        raise UsageError("--attached is of an image, and goes with --to oci only")
    if form is not None:
        if request.tag:
            raise UsageError(f"--tag means nothing with --to {request.to}: it has no name")
        return _pack_file(request, form, what, progress)
    from rootgen.api.packed_image import write_as_image

    written = write_as_image(request, what, progress)
    image, layers, size, sha256, notes = written
    return PackResult(size, sha256, notes, image=image, layers=layers)


def _pack_file(
    request: PackRequest, form: Format, what: str | ImageName, progress: Progress | None
) -> PackResult:
    from rootgen.image.compress import compressor
    from rootgen.image.output import OutputFile

    compress = request.compress or form.compress
    if compress not in form.compressions:
        raise UsageError(
            f"--to {request.to} is not compressed by {compress}",
            hint=f"--compress {' or '.join(form.compressions)}, or without it",
        )
    # What compresses its own blocks is not compressed once more.
    outer = "none" if form.inside else compress
    with (
        _source(form, what, progress) as source,
        OutputFile(request.out, force=request.force) as output,
    ):
        with output.writing() as write:
            # What is not compressed is counted and digested on its way here.
            counted = None if outer == "none" else _Counted(write)
            compressing = compressor(outer, write if counted is None else counted.write)
            try:
                told = _told(compressing, progress, source.size)
                place = Place(told, compress, request.out)
                packed = form.write(source.entries(output.inode), source.open, place)
                compressing.finish()
            finally:
                compressing.close()
        output.commit()
        notes, count = source.end()
    diff_id = f"sha256:{packed.sha256}"
    size, digest = (packed.size, diff_id) if counted is None else (counted.size, counted.digest())
    return PackResult(size, digest, notes, count, diff_id)


class _Source(NamedTuple):
    """What gives entries, what opens their contents, and how many bytes those have (0: not known).

    The entries are those without the output, whose inode is given. ``end``
    gives the notes, and how many entries there were, once all are taken.
    """

    entries: Callable[[Inode], Iterable[Entry]]
    open: Contents
    size: int
    end: Callable[[], tuple[tuple[Note, ...], int]]


@contextmanager
def _source(form: Format, what: str | ImageName, progress: Progress | None) -> Iterator[_Source]:
    """Give what is packed: of a tree, for a format that can, read only while it is written."""
    if form.streams and isinstance(what, str):
        from rootgen.rootfs.packing import PackedTree

        with PackedTree(what) as tree, tree.stream() as stream:
            yield _Source(
                stream.entries, stream.open, stream.size, lambda: (stream.notes(), stream.count)
            )
        return
    with packable(what, progress) as root:
        ready = form.prepare(root)
        entries = tuple(ready.plan.entries())
        size = sum(entry.size for entry in entries)
        yield _Source(lambda _: entries, ready.open, size, lambda: (ready.notes, len(entries)))


class Place(NamedTuple):
    """Where a format is written: to ``write``, by ``compress`` inside, on its way to ``out``."""

    write: Write
    compress: str
    out: str


def _write_tar(entries: Iterable[Entry], contents: Contents, place: Place) -> Packed:
    from rootgen.layer.write import write_tar

    return write_tar(entries, contents, place.write)


def _write_cpio(entries: Iterable[Entry], contents: Contents, place: Place) -> Packed:
    from rootgen.image.cpio import write_cpio

    return write_cpio(tuple(entries), contents, place.write)


def _write_squashfs(entries: Iterable[Entry], contents: Contents, place: Place) -> Packed:
    from rootgen.image.spool import spool_directory
    from rootgen.image.squashfs import write_squashfs

    directory = spool_directory(place.out)
    return write_squashfs(tuple(entries), contents, place.write, place.compress, directory)


def _write_erofs(entries: Iterable[Entry], contents: Contents, place: Place) -> Packed:
    from rootgen.image.erofs import write_erofs

    return write_erofs(tuple(entries), contents, place.write)


def _as_it_is(root: Packable) -> Packable:
    return root


def _as_initramfs(root: Packable) -> Packable:
    from rootgen.api.initramfs import initramfs_of
    from rootgen.image.cpio import not_held

    plan, told = initramfs_of(root.plan, root.root, root.start)
    return _noted(root._replace(plan=plan, notes=(*root.notes, *told)), not_held)


def _as_squashfs(root: Packable) -> Packable:
    from rootgen.image.squashfs import not_held

    return _noted(root, not_held)


def _as_erofs(root: Packable) -> Packable:
    from rootgen.image.erofs import not_held

    return _noted(root, not_held)


def _noted(root: Packable, not_held: NotHeld) -> Packable:
    """Return ``root`` with notes of what a format cannot hold."""
    from rootgen.rootfs.note import Notes

    notes = Notes()
    for path, what in not_held(tuple(root.plan.entries())):
        notes.add(path, what)
    return root._replace(notes=(*root.notes, *notes.all()))


class Format(NamedTuple):
    """One format: what becomes of a root for it, and what writes its entries.

    ``compressions`` are those it knows, ``compress`` the usual one; ``inside``:
    of blocks within it, not of the file as a whole. ``streams``: it takes entries as they come.
    """

    prepare: Callable[[Packable], Packable]
    write: Callable[[Iterable[Entry], Contents, Place], Packed]
    compress: str = "none"
    compressions: tuple[str, ...] = ("none", "gzip", "zstd")
    inside: bool = False
    streams: bool = False


FORMATS: Mapping[str, Format] = {
    "tar": Format(_as_it_is, _write_tar, streams=True),
    "squashfs": Format(_as_squashfs, _write_squashfs, "zstd", inside=True),
    "erofs": Format(_as_erofs, _write_erofs, compressions=("none",)),
    "cpio": Format(_as_initramfs, _write_cpio),
}
# Those that are no one file's entries (``packed_image``).
IMAGES = ("oci", "docker")


def _told(compressing: Compressor, progress: Progress | None, size: int) -> Write:
    """Return what writes to ``compressing``, and tells how far it is."""
    tell = byte_teller(progress, "packing", size)
    if tell is None:
        return compressing.write

    def write(data: bytes) -> None:
        compressing.write(data)
        tell(data)

    return write


class _Counted:
    """What was written, counted and digested."""

    def __init__(self, write: Write) -> None:
        from hashlib import sha256

        self.size = 0
        self._digest = sha256()
        self._write = write

    def write(self, data: bytes) -> None:
        """Write ``data``."""
        self.size += len(data)
        self._digest.update(data)
        self._write(data)

    def digest(self) -> str:
        """Return the digest as descriptors have it."""
        return f"sha256:{self._digest.hexdigest()}"
