"""What tells the target's loaders where libraries are, where they would not find one without."""

from __future__ import annotations

from rootgen.ldso.cache import CACHE_PATH, Record, encode_cache
from rootgen.ldso.hwcaps import DIRECTORY as HWCAPS
from rootgen.ldso.load import How
from rootgen.ldso.machine import machine_of
from rootgen.ldso.musl import path_file
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline, Reason, ReasonKind
from rootgen.plan.rules import real_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Sysroot

_CACHED = {How.CACHE, How.CONFIGURATION}


def loader_entries(loads: Sequence[Load], sysroot: Sysroot) -> tuple[Entry, ...]:
    """Return what lets the loaders of the target find the objects of every one of ``loads``.

    ``/etc/ld.so.cache``, naming what a cache (or, in a root without one,
    ld.so.conf) led to and nothing else; musl's path files as they are.
    ``loads`` are those of every processor.
    """
    return (*_cache(loads, sysroot), *_path_files(loads, sysroot))


def _cache(loads: Sequence[Load], sysroot: Sysroot) -> Iterator[Entry]:
    libraries = list(dict.fromkeys(cached_names(loads)))
    if not libraries:
        return
    order = loads[0].objects[0].facts.byte_order
    data = encode_cache(libraries, order)
    yield Entry(
        real_target(sysroot, CACHE_PATH),
        EntryKind.FILE,
        0o644,
        size=len(data),
        content=Inline(data),
        reasons=(Reason(ReasonKind.CACHE, min(record.path for _, record in libraries)),),
    )


def cached_names(loads: Iterable[Load]) -> Iterator[tuple[str, Record]]:
    """Return the names that a cache or its configuration led to, and their records."""
    for load in loads:
        flags = machine_of(load.objects[0].facts).cache_flags
        for need in load.needs:
            if need.target is None or "/" in need.name:
                continue
            mapped = load.objects[need.target]
            if mapped.how in _CACHED:
                before, _, behind = mapped.path.rpartition(f"/{HWCAPS}/")
                subdirectory = behind.partition("/")[0] if before else ""
                yield need.name, Record(flags, mapped.path, subdirectory)


def _path_files(loads: Iterable[Load], sysroot: Sysroot) -> Iterator[Entry]:
    wanted = {
        path_file(load.objects[0].facts.interpreter or ""): mapped.path
        for load in loads
        for mapped in load.objects
        if mapped.how is How.PATH_FILE
    }
    for path, by in wanted.items():
        found = sysroot.lookup(path)
        if found is not None:
            yield Entry(
                found.path,
                EntryKind.FILE,
                0o644,
                mtime=found.node.mtime,
                size=found.node.size,
                content=FromSysroot(found.path),
                reasons=(Reason(ReasonKind.CACHE, by),),
            )
