"""Entries as the bytes of a tar archive: the same bytes always, in constant memory.

OCI image-spec, layer.md. The order is the Plan's, except that a hard link
stands after the file that it is of.
"""

from __future__ import annotations

from rootgen.errors import LayerError, PlanError
from rootgen.layer.fields import BLOCK
from rootgen.layer.header import header_blocks
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Inline

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rootgen.sysroot.port import OpenFile

    Contents = Callable[[Entry], OpenFile]
    Write = Callable[[bytes], object]

# What is read, hashed and written at once: large enough that calls cost nothing beside bytes.
_CHUNK = 1 << 20
_PADDING = tuple(bytes(count) for count in range(BLOCK))
_END = bytes(2 * BLOCK)


class Packed(NamedTuple):
    """An archive that was written: its length, and its SHA-256 in hexadecimal (the diff ID)."""

    size: int
    sha256: str


def write_tar(entries: Collection[Entry], contents: Contents, write: Write) -> Packed:
    """Write ``entries``, which are in the order of a Plan, as a tar archive to ``write``.

    ``contents`` opens the bytes of a file that are not inline; it is asked
    for each in the order of the archive. Raises LayerError for a file that
    is longer or shorter than its entry says, PlanError for a hard link
    whose file is not among the entries, and whatever ``contents``, its
    files and ``write`` raise.
    """
    output = _Output(write)
    linked = {entry.target for entry in entries if entry.kind is EntryKind.HARDLINK}
    # Attributes of the files with several names: each of the names repeats them.
    attributes = {entry.path: entry.xattrs for entry in entries if entry.path in linked}
    for entry in in_archive_order(entries, linked):
        if entry.kind is EntryKind.HARDLINK:
            output.add(header_blocks(entry, attributes[entry.target]))
        else:
            output.add(header_blocks(entry, entry.xattrs))
        if entry.kind is EntryKind.FILE:
            _add_content(entry, contents, output)
    output.add(_END)
    return output.finish()


def in_archive_order(entries: Collection[Entry], linked: Collection[str]) -> Iterator[Entry]:
    """Return ``entries`` in their order, a hard link no sooner than its file.

    ``linked`` are the paths that hard links name. Raises PlanError for a
    link whose file is not among the entries.
    """
    waiting: dict[str, list[Entry]] = {}
    there: set[str] = set()
    for entry in entries:
        if entry.kind is EntryKind.HARDLINK and entry.target not in there:
            waiting.setdefault(entry.target, []).append(entry)
            continue
        yield entry
        if entry.path in linked and entry.kind is EntryKind.FILE:
            there.add(entry.path)
            yield from waiting.pop(entry.path, ())
    for target, links in waiting.items():
        raise PlanError(f"{links[0].path} is a hard link to {target}, which is no file here")


def _add_content(entry: Entry, contents: Contents, output: _Output) -> None:
    if isinstance(entry.content, Inline):
        output.add(entry.content.data)
        if len(entry.content.data) != entry.size:
            raise _changed(entry)
    else:
        with contents(entry) as file:
            for chunk in read_exactly(file, entry):
                output.add(chunk)
    output.add(_PADDING[-entry.size % BLOCK])


def read_exactly(file: OpenFile, entry: Entry) -> Iterator[bytes]:
    """Return the content of ``entry`` from ``file``, in large pieces.

    Raises LayerError where that is not as long as the entry says.
    """
    offset = 0
    while True:
        # One byte more than there should be: it tells of a file that grew, at no call's cost.
        wanted = min(_CHUNK, entry.size - offset + 1)
        data = file.pread(wanted, offset)
        offset += len(data)
        if offset > entry.size or (not data and offset < entry.size):
            raise _changed(entry)
        if data:
            yield data
        if offset == entry.size and len(data) < wanted:
            return


def _changed(entry: Entry) -> LayerError:
    return LayerError(
        f"{entry.path} changed while it was being packed",
        why=(f"it was {entry.size} bytes long",),
        hint="pack again when nothing writes to the tree",
    )


class _Output:
    """Bytes on their way to the caller, gathered until there are many."""

    def __init__(self, write: Write) -> None:
        from hashlib import sha256  # OpenSSL costs 3 ms: only where there are bytes to digest

        self._write = write
        self._digest = sha256()
        self._parts: list[bytes] = []
        self._gathered = 0
        self._size = 0

    def add(self, data: bytes) -> None:
        """Add bytes."""
        self._parts.append(data)
        self._gathered += len(data)
        if self._gathered >= _CHUNK:
            self._flush()

    def finish(self) -> Packed:
        """Write what is left, and return what all of it was."""
        self._flush()
        return Packed(self._size, self._digest.hexdigest())

    def _flush(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._digest.update(data)
        self._write(data)
        self._size += len(data)
        self._gathered = 0
        self._parts.clear()
