"""``pack``: a tree as one file, with the owners that its manifest says."""

from __future__ import annotations

from rootgen.errors import UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.rootfs.packing import PackedTree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rootgen.image.compress import Compressor
    from rootgen.layer.write import Packed, Write
    from rootgen.rootfs.note import Note
    from rootgen.rootfs.packing import Meant

    Progress = Callable[[str, int, int], None]
    Writer = Callable[[PackedTree, Meant, Write], Packed]


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

    writer = FORMATS.get(request.to)
    if writer is None or request.compress not in COMPRESSIONS:
        known = "formats" if writer is None else "compressions"
        names = ", ".join(FORMATS if writer is None else COMPRESSIONS)
        raise UsageError(f"the {known} are {names}")
    with (
        PackedTree(request.rootfs) as tree,
        OutputFile(request.out, force=request.force) as output,
    ):
        meant = tree.meant(progress)
        counted = _Counted(output.write)
        compressing = compressor(request.compress, counted.write)
        try:
            packed = writer(tree, meant, _told(compressing, progress, meant))
            compressing.finish()
        finally:
            compressing.close()
        output.commit()
    diff_id = f"sha256:{packed.sha256}"
    digest = diff_id if request.compress == "none" else counted.digest()
    return PackResult(len(meant.plan), counted.size, digest, diff_id, meant.notes)


def _tar(tree: PackedTree, meant: Meant, write: Write) -> Packed:
    from rootgen.layer.write import write_tar

    return write_tar(tuple(meant.plan.entries()), tree.contents.open, write)


FORMATS: Mapping[str, Writer] = {"tar": _tar}


def _told(compressing: Compressor, progress: Progress | None, meant: Meant) -> Write:
    """Return what writes to ``compressing``, and tells how far it is."""
    if progress is None:
        return compressing.write
    total = sum(entry.size for entry in meant.plan.files())
    done = 0

    def write(data: bytes) -> None:
        nonlocal done
        compressing.write(data)
        done = min(done + len(data), total)
        progress("packing", done, total)

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
