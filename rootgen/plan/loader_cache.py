"""The target's own ``ld.so.cache``, where its loader would not find a library without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.ldso.cache import CACHE_PATH, Record, encode_cache
from rootgen.ldso.load import How
from rootgen.ldso.machine import machine_of
from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.plan.rules import real_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.ldso.load import Load
    from rootgen.sysroot.port import Sysroot

_CACHED = {How.CACHE, How.CONFIGURATION}


def cache_entry(loads: Mapping[str, Load], sysroot: Sysroot) -> Entry:
    """Return the entry of ``/etc/ld.so.cache`` that lets every one of ``loads`` find its objects.

    It names what a cache (or, in a root without one, ld.so.conf) led to,
    and nothing else. ``loads`` are by the path each program was opened at.
    """
    found = dict(_found_through_cache(loads))
    libraries = [(name, Record(flags, path)) for (name, flags), path in found.items()]
    order = next((load.objects[0].facts.byte_order for load in loads.values()), "little")
    data = encode_cache(libraries, order)
    by = min(found.values(), default="")
    return Entry(
        real_target(sysroot, CACHE_PATH),
        EntryKind.FILE,
        0o644,
        size=len(data),
        content=Inline(data),
        reasons=(Reason(ReasonKind.CACHE, by),),
    )


def _found_through_cache(
    loads: Mapping[str, Load],
) -> Iterator[tuple[tuple[str, int], str]]:
    for load in loads.values():
        flags = machine_of(load.objects[0].facts).cache_flags
        for need in load.needs:
            if need.target is None or "/" in need.name:
                continue
            mapped = load.objects[need.target]
            if mapped.how in _CACHED:
                yield (need.name, flags), mapped.path
