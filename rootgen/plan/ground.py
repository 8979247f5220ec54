"""What an increment is resolved in: its base over the root that is read, seen as one.

The base comes first, but for what the increment is to bring instead.
"""

from __future__ import annotations

from rootgen.errors import LoaderError, SysrootError
from rootgen.ldso.cache import (
    CACHE_PATH,
    SIZE_LIMIT,
    LoaderCache,
    Record,
    encode_cache,
    parse_cache,
)
from rootgen.named import TYPE_CHECKING
from rootgen.plan.as_sysroot import PlanSysroot, Union
from rootgen.plan.collect import Collection
from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.plan.plan import Plan
from rootgen.plan.rules import real_target
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.plan.base import Base
    from rootgen.sysroot.port import Found, Sysroot

_REASON = (Reason(ReasonKind.CACHE),)


class Instead:
    """What the increment brings in the place of the base's own: of ``source``, by path."""

    def __init__(self, source: Sysroot, host: Sysroot, asked: Mapping[str, Entry]) -> None:
        """Begin with what was asked for by name."""
        nothing = PlanSysroot(Plan(), source, host)
        self._source = source
        self._collection = Collection(Union(nothing, source), {}, None)
        self._asked = dict(asked)
        self._entries = self._asked
        self.why: dict[str, str] = {}

    def take(self, path: str, reason: Reason, why: str) -> bool:
        """Bring what ``source`` has at ``path``, links on the way too; tell whether that is new."""
        found = self._source.lookup(path)
        if found is None or found.node.kind is not Kind.FILE:
            return False
        known = set(self.entries())
        self._collection.add(found, reason)
        new = {found.path, *(link.path for link in found.links)} - known
        taken = {
            entry.path: entry
            for entry in self._collection.plan().entries()
            if entry.kind is not EntryKind.DIRECTORY
        }
        self._entries = taken | self._asked
        if new:
            self.why.setdefault(found.path, why)
        return bool(new)

    def entries(self) -> dict[str, Entry]:
        """Return the entries by path, with their reasons."""
        return self._entries


def ground_of(base: Base, source: Sysroot, host: Sysroot, instead: Mapping[str, Entry]) -> Union:
    """Return the root in which the increment's programs are resolved.

    ``instead`` over the base over ``source``; the base's ld.so.cache also
    knows what that of ``source`` knows and it does not.
    """
    entries = dict(instead)
    cache = joined_cache(base.root, source, None)
    if cache is not None:
        entries.setdefault(cache.path, cache)
    upper = PlanSysroot(Plan(entries.values()), source, host)
    return Union(upper, Union(base.root, source))


def joined_cache(
    base: Sysroot, source: Sysroot, wanted: Mapping[str, Record] | None
) -> Entry | None:
    """Return the base's ld.so.cache with records more; None where it has none, or has them all.

    Those of ``wanted``, by name; or all that the cache of ``source`` has (None).
    """
    own = _read(base)
    if own is None:
        return None
    cache, data, found = own
    records = list(cache.records())
    known = {(name, record.flags) for name, record in records}
    other = _read(source)
    more = list(wanted.items()) if wanted is not None else []
    if wanted is None and other is not None:
        more = list(other[0].records())
    more = [(name, record) for name, record in more if (name, record.flags) not in known]
    if not more:
        return None
    order = "big" if data[28:29] == b"\3" else "little"
    joined = encode_cache([*records, *more], order)
    return Entry(
        real_target(base, found.path),
        EntryKind.FILE,
        0o644,
        size=len(joined),
        content=Inline(joined),
        reasons=_REASON,
    )


def _read(root: Sysroot) -> tuple[LoaderCache, bytes, Found] | None:
    found = root.lookup(CACHE_PATH)
    if found is None or found.node.kind is not Kind.FILE:
        return None
    try:
        with root.open(found.path) as file:
            data = file.pread(SIZE_LIMIT, 0)
        return parse_cache(data, found.path), data, found
    except (LoaderError, SysrootError):
        return None  # as the loader does: it goes on without
