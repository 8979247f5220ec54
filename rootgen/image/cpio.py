"""Entries as a cpio archive of the format that the kernel unpacks an initramfs from.

Linux Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5),
"New ASCII Format". Like our tar archives its bytes follow from the entries.
"""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.image.inodes import FILE_TYPES
from rootgen.layer.packed import Packed, PackedOutput, changed, read_exactly
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, Inline

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rootgen.sysroot.port import OpenFile

    Contents = Callable[[Entry], OpenFile]
    Write = Callable[[bytes], object]

_LARGEST = 0xFFFFFFFF
_ALIGNMENT = 4
_WHOLE = 512  # what cpio(1) and the kernel's gen_init_cpio round up to
_END = "TRAILER!!!"


def write_cpio(entries: Collection[Entry], contents: Contents, write: Write) -> Packed:
    """Write ``entries``, which are in the order of a Plan, as a cpio archive to ``write``.

    Of the names of one file the last has its content, as in all archives
    of this format. Times before 1970 or after 2106 become those. Raises
    PlanError for a file of 4 GiB and more, for a name that would end the
    archive and for a hard link whose file is not among the entries;
    LayerError for a file that changes meanwhile.
    """
    files = {entry.path: entry for entry in entries if entry.kind is EntryKind.FILE}
    names = _names(entries, files)
    inodes: dict[str, int] = {}
    with PackedOutput(write) as output:
        for number, entry in enumerate(entries, 1):
            file = entry.target if entry.kind is EntryKind.HARDLINK else entry.path
            inode = inodes.setdefault(file, number) if file in files else number
            linked = names.get(file, (entry.path,))
            has_content = entry.path == linked[-1] and file in files
            source = files[file] if has_content else entry
            size = source.size if has_content else len(_target(entry))
            output.add(_header(entry, inode, len(linked), size))
            if has_content:
                _add_content(source, contents, output)
            elif entry.kind is EntryKind.SYMLINK:
                output.add(_padded(_target(entry)))
        output.add(_header(Entry(f"/{_END}", EntryKind.FILE, 0), 0, 1, 0, is_end=True))
        output.pad(_WHOLE)
        return output.finish()


def not_held(entries: Collection[Entry]) -> Iterator[tuple[str, str]]:
    """Return the paths of which a cpio archive cannot hold something, and what that is."""
    for entry in entries:
        if entry.xattrs:
            yield entry.path, "extended attributes, which cpio has no room for"
        if not 0 <= entry.mtime <= _LARGEST:
            yield entry.path, "a time that cpio has no room for"


def _names(entries: Collection[Entry], files: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return all names of each file that has several, in their order, by the file's own."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        if entry.kind is EntryKind.HARDLINK:
            if entry.target not in files:
                raise PlanError(
                    f"{entry.path} is a hard link to {entry.target}, which is no file here"
                )
            found.setdefault(entry.target, [entry.target]).append(entry.path)
    return {
        target: tuple(sorted(paths, key=lambda path: path.split("/")))
        for target, paths in found.items()
    }


def _header(entry: Entry, inode: int, links: int, size: int, *, is_end: bool = False) -> bytes:
    name = entry.path[1:].encode(errors="surrogateescape") or b"."
    if entry.path == f"/{_END}" and not is_end:
        raise PlanError(f"{entry.path} cannot be in a cpio archive: its name says that it ends")
    if size > _LARGEST:
        raise PlanError(
            f"{entry.path} is {size} bytes long; a file of a cpio archive has less than 4 GiB"
        )
    is_directory = entry.kind is EntryKind.DIRECTORY
    numbers = (
        inode,
        0 if is_end else FILE_TYPES[entry.kind] | entry.mode,
        entry.uid,
        entry.gid,
        2 if is_directory else links,
        min(max(0, entry.mtime), _LARGEST),
        size,
        0,
        0,
        *entry.device,
        len(name) + 1,
        0,
    )
    head = b"070701" + b"".join(b"%08X" % number for number in numbers)
    return _padded(head + name + b"\0")


def _target(entry: Entry) -> bytes:
    is_link = entry.kind is EntryKind.SYMLINK
    return entry.target.encode(errors="surrogateescape") if is_link else b""


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def _add_content(entry: Entry, contents: Contents, output: PackedOutput) -> None:
    if isinstance(entry.content, Inline):
        if len(entry.content.data) != entry.size:
            raise changed(entry)
        output.add(entry.content.data)
    else:
        with contents(entry) as file:
            for chunk in read_exactly(file, entry):
                output.add(chunk)
    output.add(bytes(-entry.size % _ALIGNMENT))
