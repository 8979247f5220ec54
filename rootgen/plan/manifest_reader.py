"""Reading a manifest: a claim that anyone may have written, a contained program for one.

It is read line by line, so that what is too long, too deep or of a wrong
type is refused before it costs more than its line.
"""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.digest import plan_digest
from rootgen.plan.entry import Entry, EntryKind
from rootgen.plan.manifest import IMAGE_KEYS, MANIFEST_PATH, VERSION, Manifest
from rootgen.plan.manifest_fields import ID_LIMIT, MAXIMUM_PATH, Fields
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A million entries take about 350 MB; a line is long where very many programs need one library.
_MAXIMUM_SIZE = 512 << 20
_MAXIMUM_LINE = 16 << 20

_SIGNED = 1 << 63
_HEADER = ("rootgen", "digest", "programs", "image", "entries")
_COMMON = frozenset(("path", "kind", "mode", "uid", "gid", "mtime", "reasons"))
_OWN = {
    EntryKind.FILE: frozenset(("size", "sha256")),
    EntryKind.SYMLINK: frozenset(("target",)),
    EntryKind.HARDLINK: frozenset(("target",)),
    EntryKind.CHARACTER: frozenset(("device",)),
    EntryKind.BLOCK: frozenset(("device",)),
}
_KINDS = {kind.value: kind for kind in EntryKind}


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest that anyone may have written.

    Raises PlanError, with the line, for what ``manifest_bytes`` would not
    have written: wrong types, paths that are not normalised or not in order,
    entries that contradict each other, a digest that is not the entries'.
    """
    if len(data) > _MAXIMUM_SIZE:
        raise PlanError(f"the manifest is too large: {len(data)} bytes")
    lines = _lines(data)
    fields = _header(next(lines, (0, b""))[1])
    programs = fields.texts("programs")
    if not all(program.startswith("/") for program in programs):
        raise fields.wrong("programs are absolute paths")
    plan = _plan(lines)
    digest = plan_digest(plan)
    if fields.text("digest") != digest:
        raise PlanError(
            "the manifest's digest is not that of its entries",
            why=(f"it says {fields.text('digest')}", f"its entries give {digest}"),
        )
    base = fields.text("base") if "base" in fields else ""
    return Manifest(VERSION, programs, _image(fields), plan, digest, base)


def parse_image(head: bytes) -> ImageConfig:
    """Read the image defaults from a manifest's first line alone, without its newline.

    For a launch, which has no time for a million entries: it is a claim
    that no digest was compared with. Raises PlanError.
    """
    return _image(_header(head))


def _header(head: bytes) -> Fields:
    if not head.endswith(b'"entries":['):
        raise PlanError("the manifest's first line is not that of a manifest")
    fields = Fields(head + b"]}", 1)
    fields.only(_HEADER, ("base",))
    version = fields.number("rootgen", 0, ID_LIMIT)
    if version != VERSION:
        raise PlanError(f"the manifest is of version {version}; this rootgen reads {VERSION}")
    return fields


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the lines with their numbers, without copying the whole."""
    start, number = 0, 0
    while start < len(data):
        end = data.find(b"\n", start, start + _MAXIMUM_LINE)
        number += 1
        if end < 0:
            raise PlanError(f"manifest line {number} is cut off, or too long")
        yield number, data[start:end]
        start = end + 1


def _plan(lines: Iterator[tuple[int, bytes]]) -> Plan:
    entries: dict[str, Entry] = {}
    links: list[tuple[Entry, Fields]] = []
    before: list[str] = []
    more = True
    for number, line in lines:
        if line == b"]}":
            if more and entries:
                raise PlanError(f"manifest line {number}: an entry is lacking before the end")
            break
        if not more:
            raise PlanError(f"manifest line {number}: neither an entry nor the end")
        more = line.endswith(b",")
        fields = Fields(line[:-1] if more else line, number)
        entry = _entry(fields)
        order = entry.path.split("/") if entry.path != "/" else [""]
        if order <= before:
            raise fields.wrong(f"{entry.path} is not in order, or there twice")
        before = order
        _check_parent(entry, entries, fields)
        entries[entry.path] = entry
        if entry.kind is EntryKind.HARDLINK:
            links.append((entry, fields))
    else:
        raise PlanError("the manifest ends too early")
    if next(lines, None) is not None:
        raise PlanError("the manifest goes on after its end")
    for entry, fields in links:
        target = entries.get(entry.target)
        if target is None or target.kind is not EntryKind.FILE or target[2:6] != entry[2:6]:
            raise fields.wrong(f"hard link to {entry.target}, which is no such file here")
    return Plan(entries.values())


def _check_parent(entry: Entry, entries: Mapping[str, Entry], fields: Fields) -> None:
    if entry.path == MANIFEST_PATH:
        raise fields.wrong("it lists itself")
    if entry.path == "/":
        if entry.kind is not EntryKind.DIRECTORY:
            raise fields.wrong("/ is not a directory")
        return
    parent = entries.get(entry.path.rpartition("/")[0] or "/")
    if parent is None or parent.kind is not EntryKind.DIRECTORY:
        raise fields.wrong(f"{entry.path} is in no directory of the manifest")


def _entry(fields: Fields) -> Entry:
    kind = _KINDS.get(fields.text("kind"))
    if kind is None:
        raise fields.wrong("'kind' is none that a file can have")
    fields.only(_COMMON | _OWN.get(kind, frozenset()), frozenset(("xattrs",)))
    is_file = kind is EntryKind.FILE
    target = fields.text("target") if "target" in fields else ""
    if kind is EntryKind.HARDLINK:
        fields.check_path(target)
    elif kind is EntryKind.SYMLINK and not 0 < len(target) < MAXIMUM_PATH:
        raise fields.wrong("'target' is no text of a symbolic link")
    return Entry(
        fields.check_path(fields.text("path")),
        kind,
        fields.mode(),
        fields.number("uid", 0, ID_LIMIT - 1),
        fields.number("gid", 0, ID_LIMIT - 1),
        fields.number("mtime", -_SIGNED, _SIGNED - 1),
        fields.number("size", 0, _SIGNED - 1) if is_file else 0,
        None,
        target,
        fields.device() if "device" in fields else (0, 0),
        fields.xattrs(),
        fields.sha256() if is_file else "",
        fields.reasons(),
    )


def _image(header: Fields) -> ImageConfig:
    fields = header.table("image")
    fields.only(IMAGE_KEYS)
    env = fields.pairs("env")
    if any(not name or "=" in name for name, _ in env):
        raise fields.wrong("'env' has a name that no variable can have")
    return ImageConfig(
        fields.texts("entrypoint"),
        fields.texts("command"),
        fields.text("user"),
        fields.text("workdir"),
        env,
        fields.pairs("labels"),
    )
