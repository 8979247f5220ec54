"""Random Plans: every kind of entry, names of any bytes, with the sources of their contents."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline, Reason, ReasonKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.sysroot.memory import MemorySysroot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

_IDS = st.sampled_from([0, 1, 5, 1000, 65533])
_TIMES = st.sampled_from([0, 1, 1_700_000_000]) | st.integers(0, 2**32 - 1)
_REASONS = st.lists(
    st.builds(
        Reason,
        st.sampled_from(list(ReasonKind)),
        st.sampled_from(["", "/usr/bin/x"]),
        st.text("é\n"),
    ),
    min_size=1,
    max_size=3,
    unique=True,
).map(tuple)
_PROBE = "user.rootgen"


class Drawn(NamedTuple):
    """A Plan, and the root that the contents of its files are in."""

    plan: Plan
    sysroot: MemorySysroot


def names() -> SearchStrategy[str]:
    """Return names that a directory can hold, few of them plain."""
    raw = st.binary(min_size=1, max_size=12).map(lambda name: name.translate(None, b"\0/"))
    odd = raw.filter(lambda name: name not in {b"", b".", b".."}).map(os.fsdecode)
    return st.sampled_from(["a", "b", "c", "a-b", "lib", 'x"y', "new\nline", "é", "-", "var"]) | odd


@st.composite
def plans(draw: DrawFn, *, attributes: bool = True, devices: bool = True) -> Drawn:
    """Return a Plan that a directory can be, in the form that a scan gives.

    ``attributes``: with user attributes; ``devices``: with device nodes.
    """
    entries: dict[str, Entry] = {}
    contents: dict[str, bytes] = {}
    for path in ("/", "/var", "/var/lib", "/var/lib/rootgen"):
        entries[path] = draw(_directory(path, attributes=attributes))
    for _ in range(draw(st.integers(0, 14))):
        parents = [entry.path for entry in entries.values() if entry.kind is EntryKind.DIRECTORY]
        path = f"{draw(st.sampled_from(parents)).rstrip('/')}/{draw(names())}"
        if path in entries or path == MANIFEST_PATH:
            continue
        entry, data = draw(_entry(path, attributes=attributes, devices=devices))
        entries[path] = entry
        if data is not None:
            contents[path] = data
    for link in _links(draw, entries):
        entries[link.path] = link
    return Drawn(Plan(entries.values()), MemorySysroot({}, contents))


def hashed(drawn: Drawn) -> Plan:
    """Return the Plan without contents, with the digests of its files."""
    bare = []
    for entry in drawn.plan.entries():
        if isinstance(entry.content, Inline):
            data = entry.content.data
        elif entry.content is not None:
            with drawn.sysroot.open(entry.path) as file:
                data = file.pread(entry.size, 0)
        else:
            bare.append(entry)
            continue
        bare.append(entry._replace(content=None, sha256=hashlib.sha256(data).hexdigest()))
    return Plan(bare)


def _links(draw: DrawFn, entries: Mapping[str, Entry]) -> list[Entry]:
    files = [entry for entry in entries.values() if entry.kind is EntryKind.FILE]
    links = []
    for entry in draw(st.lists(st.sampled_from(files), max_size=2, unique=True)) if files else []:
        # A name that is after the file's in any order, and is taken by nobody.
        path = f"{entry.path}\U0010ffff"
        if len(os.fsencode(path.rpartition("/")[2])) <= 255 and path not in entries:
            links.append(
                entry._replace(
                    path=path,
                    kind=EntryKind.HARDLINK,
                    target=entry.path,
                    content=None,
                    size=0,
                    xattrs=(),
                )
            )
    return links


@st.composite
def _directory(draw: DrawFn, path: str, *, attributes: bool) -> Entry:
    # Whoever may not enter a directory cannot tell what is in it.
    mode = draw(st.integers(0, 0o7777)) | 0o700
    xattrs = draw(_attributes(attributes=attributes))
    return Entry(
        path, EntryKind.DIRECTORY, mode, draw(_IDS), draw(_IDS), draw(_TIMES),
        xattrs=xattrs, reasons=draw(_REASONS),
    )  # fmt: skip


@st.composite
def _entry(
    draw: DrawFn, path: str, *, attributes: bool, devices: bool
) -> tuple[Entry, bytes | None]:
    kinds = [EntryKind.FILE, EntryKind.DIRECTORY, EntryKind.SYMLINK, EntryKind.FIFO]
    if devices:
        kinds += [EntryKind.CHARACTER, EntryKind.BLOCK]
    kind = draw(st.sampled_from(kinds))
    if kind is EntryKind.DIRECTORY:
        return draw(_directory(path, attributes=attributes)), None
    entry = Entry(
        path, kind, draw(st.integers(0, 0o7777)), draw(_IDS), draw(_IDS), draw(_TIMES),
        reasons=draw(_REASONS),
    )  # fmt: skip
    if kind is EntryKind.SYMLINK:
        return entry._replace(mode=0o777, target=draw(names() | st.just("/etc/../x"))), None
    if kind in {EntryKind.CHARACTER, EntryKind.BLOCK}:
        return entry._replace(device=(draw(st.integers(1, 255)), draw(st.integers(0, 300)))), None
    if kind is EntryKind.FIFO:
        return entry, None
    data = draw(st.binary(max_size=40) | st.just(b"\0" * 70_000))
    entry = entry._replace(size=len(data), xattrs=draw(_attributes(attributes=attributes)))
    if draw(st.booleans()):
        return entry._replace(content=Inline(data)), None
    return entry._replace(content=FromSysroot(path)), data


def _attributes(*, attributes: bool) -> SearchStrategy[tuple[tuple[str, bytes], ...]]:
    if not attributes:
        return st.just(())
    table = st.dictionaries(st.sampled_from(["user.a", "user.b"]), st.binary(max_size=8))
    return table.map(lambda pairs: tuple(sorted(pairs.items())))


def has_attributes(directory: str) -> bool:
    """Tell whether the file system of ``directory`` keeps user attributes."""
    try:
        os.setxattr(directory, _PROBE, b"")
        os.removexattr(directory, _PROBE)
    except OSError:
        return False
    return True
