"""``ld.so.cache``: reading it as the loader does, and writing one.

Formats: glibc sysdeps/generic/dl-cache.h (the old one, the new one behind
or instead of it, and the extension that holds glibc-hwcaps names, since
2.33); rules: elf/dl-cache.c, ``search_cache``.
"""

from __future__ import annotations

import os
import struct
from struct import Struct

from rootgen.errors import LoaderError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rootgen.ldso.cpu import Cpu

CACHE_PATH = "/etc/ld.so.cache"
# Real caches of large systems stay below 1 MiB.
SIZE_LIMIT = 64 << 20
# PATH_MAX. Without it offsets into one endless string would be gigabytes of names.
_NAME_LIMIT = 4096
# Nobody has more levels than a few.
_SUBDIRECTORIES_LIMIT = 256

_OLD_MAGIC = b"ld.so-1.7.0"
_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_COUNT_AT = 12
_OLD_HEADER = 16
_OLD_ENTRY = 12
_NEW_HEADER = 48
_NEW_ENTRY = 24
_EXTENSION_MAGIC = 0xEAA42174
_EXTENSION_HWCAPS = 1
_HWCAP_EXTENSION = 1 << 62
_HWCAP_MASK = 0xFFFFFFFF
# cache_file_new.flags: the byte order that it was written in; 0: from before 2.33.
_ORDERS = {2: "<", 3: ">"}
_ALIGNMENT = 8  # of the new format behind the old one: ALIGN_CACHE


class Record(NamedTuple):
    """One library: its flags, the path, and the glibc-hwcaps subdirectory ("" for none).

    ``legacy`` are the bits of the older hwcap scheme, which no baseline has.
    """

    flags: int
    path: str
    subdirectory: str = ""
    legacy: int = 0


class _Raw(NamedTuple):
    """A cache as it stands in its bytes: ``strings`` is where offsets count from.

    ``entries`` are (flags, offset of the path, hwcap) by name: a Record is
    made of one when it is asked for, as few of the hundreds are.
    """

    data: bytes
    strings: int
    entries: dict[bytes, list[tuple[int, int, int]]]
    subdirectories: tuple[str, ...] = ()


class LoaderCache:
    """The records of one cache by name, in the order of the file."""

    __slots__ = ("_raw",)

    def __init__(self, raw: _Raw) -> None:
        """Take what was parsed."""
        self._raw = raw

    def __len__(self) -> int:
        """Count the records."""
        return sum(map(len, self._raw.entries.values()))

    def lookup(
        self,
        name: str,
        flags: int,
        cpu: Cpu,
        usable: Callable[[int], bool] | None = None,
        *,
        other_flags: int = 0,
    ) -> str | None:
        """Return the path that the loader would take for ``name``, or None.

        A record with ``flags`` ends the search, one with ``other_flags``
        counts where there is none (``Machine.lookup_flags``); ``usable`` judges
        legacy hwcap bits (None: none of them are). Of the records for
        glibc-hwcaps levels that ``cpu`` has the best wins; they stand before
        all others, so the first other one ends the search if one was found.
        """
        best: str | None = None
        best_level = len(cpu.levels)
        for record in self._records(os.fsencode(name)):
            if record.flags not in {flags, other_flags}:
                continue
            if record.subdirectory:
                if record.subdirectory in cpu.levels[:best_level]:
                    best, best_level = record.path, cpu.levels.index(record.subdirectory)
                continue
            if best is not None:
                break
            if record.legacy and not (usable is not None and usable(record.legacy)):
                continue
            best = record.path
            if record.flags == flags:
                break
        return best

    def subdirectories(self) -> tuple[str, ...]:
        """Return the glibc-hwcaps names that records of it have."""
        return self._raw.subdirectories

    def records(self) -> Iterable[tuple[str, Record]]:
        """Return every name with its records, in the order of the file."""
        for name in self._raw.entries:
            for record in self._records(name):
                yield os.fsdecode(name), record

    def _records(self, name: bytes) -> Iterator[Record]:
        raw = self._raw
        for flags, value, hwcap in raw.entries.get(name, ()):
            start = raw.strings + value
            # What is cut off here is still too long a path to be opened.
            end = raw.data.find(b"\0", start, start + _NAME_LIMIT + 1)
            path = raw.data[start : end if end >= 0 else start + _NAME_LIMIT + 1]
            record = Record(flags, os.fsdecode(path))
            yield _with_hwcap(record, hwcap, raw.subdirectories) if hwcap else record


def parse_cache(data: bytes, where: str) -> LoaderCache:
    """Return the cache that ``data`` holds; ``where`` names it in errors.

    Raises LoaderError for what is no cache, is truncated, or points outside
    of itself (the loader then goes on without a cache).
    """
    try:
        return LoaderCache(_parse(data, where))
    except (struct.error, IndexError) as error:
        raise LoaderError(f"{where}: truncated") from error


def _parse(data: bytes, where: str) -> _Raw:
    start = 0
    if data.startswith(_OLD_MAGIC):
        order = _byte_order(data, _OLD_COUNT_AT, _OLD_ENTRY)
        (count,) = Struct(order + "I").unpack_from(data, _OLD_COUNT_AT)
        end = _OLD_HEADER + count * _OLD_ENTRY
        start = (end + _ALIGNMENT - 1) & -_ALIGNMENT
        if not data.startswith(_NEW_MAGIC, start):
            return _read_old(data, order, count, where)
    if not data.startswith(_NEW_MAGIC, start):
        raise LoaderError(f"{where}: not a cache of a glibc loader")
    return _read_new(data[start:] if start else data, where)


def _read_old(data: bytes, order: str, count: int, where: str) -> _Raw:
    table = _table(data, _OLD_HEADER, count * _OLD_ENTRY, where)
    strings = _OLD_HEADER + count * _OLD_ENTRY
    entries = [(*entry, 0) for entry in Struct(order + "iII").iter_unpack(table)]
    return _Raw(data, strings, _by_name(data, strings, entries, where))


def _read_new(data: bytes, where: str) -> _Raw:
    order = _ORDERS.get(data[28]) or _byte_order(data, 20, _NEW_ENTRY)
    count, _strings_size, extension = Struct(order + "II4xI").unpack_from(data, 20)
    table = _table(data, _NEW_HEADER, count * _NEW_ENTRY, where)
    subdirectories = _read_subdirectories(data, order, extension, where)
    # The fourth field, a kernel version, has been zero since 2.35.
    entries = Struct(order + "iII4xQ").iter_unpack(table)
    return _Raw(data, 0, _by_name(data, 0, entries, where), tuple(subdirectories))


def _by_name(
    data: bytes, strings: int, entries: Iterable[tuple[int, int, int, int]], where: str
) -> dict[bytes, list[tuple[int, int, int]]]:
    """Return the entries (flags, key, value, hwcap) by the name at each key; check each offset."""
    last = data.rfind(b"\0")
    # Names may be the ends of others, no more.
    left = 2 * len(data)
    found: dict[bytes, list[tuple[int, int, int]]] = {}
    for flags, key, value, hwcap in entries:
        at = strings + max(key, value)
        if at > last:
            raise LoaderError(f"{where}: a name at {at}, past its end")
        end = data.find(b"\0", strings + key, strings + key + _NAME_LIMIT)
        name = data[strings + key : end]
        if name in found:
            found[name].append((flags, value, hwcap))
        else:
            found[name] = [(flags, value, hwcap)]
            left -= len(name)
        if end < 0 or left < 0:
            raise LoaderError(f"{where}: names longer than any file's")
    return found


def _with_hwcap(record: Record, hwcap: int, subdirectories: Sequence[str]) -> Record:
    # dl_cache_hwcap_extension: bit 62 alone in the upper half, an index in the lower.
    if hwcap >> 32 != _HWCAP_EXTENSION >> 32:
        return record._replace(legacy=hwcap)
    index = hwcap & _HWCAP_MASK
    if index >= len(subdirectories):
        return record._replace(legacy=hwcap)
    return record._replace(subdirectory=subdirectories[index])


def _read_subdirectories(data: bytes, order: str, extension: int, where: str) -> list[str]:
    """Return the glibc-hwcaps names of the extension (dl-cache.h, cache_extension)."""
    if extension == 0 or extension % 4:
        return []
    word = Struct(order + "I")
    section = Struct(order + "IIII")
    magic, count = Struct(order + "II").unpack_from(data, extension)
    if magic != _EXTENSION_MAGIC:
        return []
    sections = _table(data, extension + 8, count * section.size, where)
    for tag, _flags, offset, size in section.iter_unpack(sections):
        if tag == _EXTENSION_HWCAPS:
            if size > 4 * _SUBDIRECTORIES_LIMIT:
                raise LoaderError(f"{where}: {size // 4} glibc-hwcaps subdirectories")
            offsets = _table(data, offset, size - size % 4, where)
            return [os.fsdecode(_string(data, at, where)) for (at,) in word.iter_unpack(offsets)]
    return []


def _byte_order(data: bytes, count_at: int, entry_size: int) -> str:
    # From before the flags byte: of the two counts, the one that the file has room for.
    little = int.from_bytes(data[count_at : count_at + 4], "little")
    return "<" if little * entry_size <= len(data) else ">"


def _table(data: bytes, start: int, size: int, where: str) -> bytes:
    table = data[start : start + size]
    if len(table) < size:
        raise LoaderError(f"{where}: truncated: {size} bytes of records, {len(table)} there")
    return table


def _string(data: bytes, at: int, where: str) -> bytes:
    end = data.find(b"\0", at, at + _NAME_LIMIT)
    if end < 0:
        raise LoaderError(f"{where}: a name at {at} that does not end")
    return data[at:end]


def encode_cache(libraries: Iterable[tuple[str, Record]], byte_order: str) -> bytes:
    """Return a cache with ``libraries`` (soname, record), as ``ldconfig`` writes it.

    The new format alone, which glibc reads since 2.2 and writes since 2.32,
    with the names of glibc-hwcaps subdirectories in its extension;
    ``byte_order`` is ``little`` or ``big``. Sorted as the loader's binary
    search wants it. Records with legacy hwcap bits are left out: their
    directories a loader that knows of them looks into by itself.
    """
    order = "<" if byte_order == "little" else ">"
    wanted = sorted((pair for pair in libraries if not pair[1].legacy), key=_cache_order)
    levels = sorted({record.subdirectory for _, record in wanted} - {""})
    strings = _StringTable(_NEW_HEADER + len(wanted) * _NEW_ENTRY)
    entry = Struct(order + "iIIIQ")
    entries = b"".join(
        entry.pack(
            record.flags,
            strings.place(name),
            strings.place(record.path),
            0,
            _HWCAP_EXTENSION | levels.index(record.subdirectory) if record.subdirectory else 0,
        )
        for name, record in wanted
    )
    offsets = [strings.place(level) for level in levels]
    flags = next(flag for flag, sign in _ORDERS.items() if sign == order)
    end = strings.start + len(strings.data)
    extension = (end + 3) & -4 if levels else 0
    head = Struct(order + "IIB3xI12x").pack(len(wanted), len(strings.data), flags, extension)
    data = _NEW_MAGIC + head + entries + bytes(strings.data)
    if not levels:
        return data
    data += bytes(extension - end) + Struct(order + "II").pack(_EXTENSION_MAGIC, 1)
    section = Struct(order + "IIII")
    at = len(data) + section.size
    data += section.pack(_EXTENSION_HWCAPS, 0, at, 4 * len(offsets))
    return data + b"".join(Struct(order + "I").pack(offset) for offset in offsets)


class _StringTable:
    """Strings behind the entries, each once; ``start`` is where they begin in the file."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.data = bytearray()
        self._places: dict[bytes, int] = {}

    def place(self, text: str) -> int:
        """Return the offset of ``text`` in the file."""
        raw = os.fsencode(text)
        if raw not in self._places:
            self._places[raw] = self.start + len(self.data)
            self.data += raw + b"\0"
        return self._places[raw]


def _cache_order(pair: tuple[str, Record]) -> tuple[object, ...]:
    """Return the key of elf/cache.c, compare: names and flags descending, hwcaps first."""
    name, record = pair
    descending = [(-kind, -value) for kind, value in _comparable(name)]
    # A name that begins like another stands before it: its end is the lowest sign.
    return ([*descending, (1, 0)], -record.flags, not record.subdirectory, record.subdirectory)


def _comparable(name: str) -> list[tuple[int, int]]:
    """Return what orders names as ``_dl_cache_libcmp``: runs of digits by their number."""
    import re  # only where a cache is written

    return [
        (1, int(part)) if part.isdigit() else (0, part[0])
        for part in re.findall(rb"[0-9]+|[^0-9]", os.fsencode(name), re.DOTALL)
    ]
