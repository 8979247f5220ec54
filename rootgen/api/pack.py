"""``pack``: a tree as one file, with the owners that its manifest says."""

from __future__ import annotations

from rootgen.api.telling import byte_teller
from rootgen.errors import UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.rootfs.packing import PackedTree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from rootgen.image.compress import Compressor
    from rootgen.layer.packed import Packed
    from rootgen.layer.write import Contents, Write
    from rootgen.plan.entry import Entry
    from rootgen.rootfs.note import Note
    from rootgen.rootfs.packing import Meant

    Progress = Callable[[str, int, int], None]


class PackRequest(NamedTuple):
    """What to pack, as which of FORMATS, into which file (``-``: standard output)."""

    rootfs: str
    to: str
    out: str
    compress: str = "none"
    force: bool = False


class PackResult(NamedTuple):
    """What was packed.

    ``size`` and ``digest`` (``sha256:…``) are of the output, ``diff_id`` is
    the digest before compression, which names the content whatever
    compressed it.
    """

    entries: int
    size: int
    digest: str
    diff_id: str
    notes: tuple[Note, ...]


def pack(request: PackRequest, *, progress: Progress | None = None) -> PackResult:
    """Pack the tree ``request.rootfs``: the same bytes from every machine, user and core.

    The output is written whole or not at all. Raises UsageError for an
    unknown format or an output that is there, TreeError, LayerError for a
    file that changes meanwhile, PlanError for what the format cannot hold,
    ImageError for an output that cannot be written.
    """
    from rootgen.image.compress import COMPRESSIONS, compressor
    from rootgen.image.output import OutputFile

    form = FORMATS.get(request.to)
    if form is None or request.compress not in COMPRESSIONS:
        known = "formats" if form is None else "compressions"
        names = ", ".join(FORMATS if form is None else COMPRESSIONS)
        raise UsageError(f"the {known} are {names}")
    with (
        PackedTree(request.rootfs) as tree,
        OutputFile(request.out, force=request.force) as output,
    ):
        meant = form.prepare(request.rootfs, tree.meant(progress))
        counted = _Counted(output.write)
        compressing = compressor(request.compress, counted.write)
        try:
            entries = tuple(meant.plan.entries())
            packed = form.write(entries, tree.contents.open, _told(compressing, progress, meant))
            compressing.finish()
        finally:
            compressing.close()
        output.commit()
    diff_id = f"sha256:{packed.sha256}"
    digest = diff_id if request.compress == "none" else counted.digest()
    return PackResult(len(meant.plan), counted.size, digest, diff_id, meant.notes)


def _write_tar(entries: Collection[Entry], contents: Contents, write: Write) -> Packed:
    from rootgen.layer.write import write_tar

    return write_tar(entries, contents, write)


def _write_cpio(entries: Collection[Entry], contents: Contents, write: Write) -> Packed:
    from rootgen.image.cpio import write_cpio

    return write_cpio(entries, contents, write)


def _as_it_is(rootfs: str, meant: Meant) -> Meant:
    del rootfs
    return meant


def _as_initramfs(rootfs: str, meant: Meant) -> Meant:
    from rootgen.api.initramfs import initramfs_of
    from rootgen.image.cpio import not_held
    from rootgen.rootfs.note import Notes

    plan, told = initramfs_of(rootfs, meant)
    notes = Notes()
    for path, what in not_held(tuple(plan.entries())):
        notes.add(path, what)
    return meant._replace(plan=plan, notes=(*meant.notes, *told, *notes.all()))


class Format(NamedTuple):
    """One format: what becomes of the tree's Plan for it, and what writes its entries."""

    prepare: Callable[[str, Meant], Meant]
    write: Callable[[Collection[Entry], Contents, Write], Packed]


FORMATS: Mapping[str, Format] = {
    "tar": Format(_as_it_is, _write_tar),
    "cpio": Format(_as_initramfs, _write_cpio),
}


def _told(compressing: Compressor, progress: Progress | None, meant: Meant) -> Write:
    """Return what writes to ``compressing``, and tells how far it is."""
    tell = byte_teller(progress, "packing", meant.plan.files())
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
