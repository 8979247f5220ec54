"""Entries as the bytes of a tar archive: the same bytes always, in constant memory.

OCI image-spec, layer.md. The order is the Plan's, except that a hard link
stands after the file that it is of.
"""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.layer.fields import BLOCK
from rootgen.layer.header import header_blocks
from rootgen.layer.packed import PackedOutput, changed, read_exactly, read_whole
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, Inline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rootgen.layer.packed import Packed
    from rootgen.sysroot.port import OpenFile

    Contents = Callable[[Entry], OpenFile]
    Write = Callable[[bytes], object]

_PADDING = tuple(bytes(count) for count in range(BLOCK))
_END = bytes(2 * BLOCK)


def write_tar(entries: Iterable[Entry], contents: Contents, write: Write) -> Packed:
    """Write ``entries``, which are in the order of a Plan, as a tar archive to ``write``.

    They may be found as they are asked for: none is asked for again.
    ``contents`` opens the bytes of a file that are not inline; it is asked
    for each in the order of the archive. Raises LayerError for a file that
    is longer or shorter than its entry says, PlanError for a hard link
    whose file is not among the entries, and whatever ``contents``, its
    files and ``write`` raise.
    """
    # Attributes of files: each further name of one repeats them.
    attributes: dict[str, tuple[tuple[str, bytes], ...]] = {}
    with PackedOutput(write) as output:
        for entry in _links_behind(entries):
            if entry.kind is EntryKind.FILE:
                if entry.xattrs:
                    attributes[entry.path] = entry.xattrs
                _add_file(entry, contents, output)
            elif entry.kind is EntryKind.HARDLINK:
                output.add(header_blocks(entry, attributes.get(entry.target, ())))
            else:
                output.add(header_blocks(entry, entry.xattrs))
        output.add(_END)
        return output.finish()


def _links_behind(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Return ``entries`` in their order, a hard link no sooner than its file.

    Raises PlanError for a link whose file is not among the entries.
    """
    waiting: dict[str, list[Entry]] = {}
    there: set[str] = set()
    for entry in entries:
        if entry.kind is EntryKind.HARDLINK and entry.target not in there:
            waiting.setdefault(entry.target, []).append(entry)
            continue
        yield entry
        if entry.kind is EntryKind.FILE:
            there.add(entry.path)
            if waiting:
                yield from waiting.pop(entry.path, ())
    for target, links in waiting.items():
        raise PlanError(f"{links[0].path} is a hard link to {target}, which is no file here")


def _add_file(entry: Entry, contents: Contents, output: PackedOutput) -> None:
    head = header_blocks(entry, entry.xattrs)
    padding = _PADDING[-entry.size % BLOCK]
    if isinstance(entry.content, Inline):
        if len(entry.content.data) != entry.size:
            raise changed(entry)
        output.add(head, entry.content.data, padding)
        return
    with contents(entry) as file:
        data = read_whole(file, entry)
        if data is not None:
            output.add(head, data, padding)
            return
        output.add(head)
        for chunk in read_exactly(file, entry):
            output.add(chunk)
    output.add(padding)
