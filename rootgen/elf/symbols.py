"""The dynamic symbols of one file: what it defines, what it wants of others, with versions.

System V gABI, "Symbol Table" and "Hash Table"; glibc ``elf/dl-lookup.c``.
The number of symbols stands in no header: DT_HASH has it; beside DT_GNU_HASH,
which leaves out what is undefined, it is one more than the last that is
defined or relocated against.
"""

from __future__ import annotations

from struct import Struct

from rootgen.elf.image import (
    DT_STRSZ,
    DT_STRTAB,
    Image,
    Segment,
    Strings,
    place_of,
    read_dynamic_tags,
    read_header,
    read_segments,
)
from rootgen.elf.versions import DT_VERDEF, DT_VERNEED, Records
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rootgen.elf.image import ReadAt

_DT_HASH, _DT_SYMTAB, _DT_GNU_HASH, _DT_VERSYM = 4, 6, 0x6FFFFEF5, 0x6FFFFFF0
_DT_PLTRELSZ, _DT_RELA, _DT_RELASZ, _DT_REL, _DT_RELSZ = 2, 7, 8, 17, 18
_DT_PLTREL, _DT_JMPREL, _DT_MIPS_SYMTABNO = 20, 23, 0x70000011
_STB_LOCAL, _STB_WEAK = 0, 2
_STT_TLS = 6
# dl-lookup.c, ALLOWED_STT: NOTYPE, OBJECT, FUNC, COMMON, TLS, GNU_IFUNC.
_LOOKED_UP = frozenset({0, 1, 2, 5, 6, 10})
_BINDS_LOCALLY = frozenset({1, 2})  # STV_INTERNAL, STV_HIDDEN
_SHN_ABS = 0xFFF1
# s390x and Alpha have DT_HASH in words of eight bytes.
_WIDE_HASH = frozenset({22, 0x9026})
_HIDDEN, _NUMBER = 0x8000, 0x7FFF
# The largest seen: 60,000 symbols with 8 MiB of names.
_SYMBOLS_LIMIT = 1 << 20
_BYTES_LIMIT = 1 << 28
# Names may share their ends, and so be longer together than the table: C++ has some of 20 KiB.
_NAME_LIMIT = 1 << 16
_NAMES_LIMIT = 1 << 27


class Wanted(NamedTuple):
    """A symbol that an object needs of another, and the version that it was linked against."""

    name: bytes
    version: str | None = None


class Defined(NamedTuple):
    """One definition of a name. ``number``: of its version; -1 where the file has no versions.

    ``version`` is None for one that is of no version; ``hidden``: not the default one.
    """

    number: int
    version: str | None = None
    hidden: bool = False


class Symbols(NamedTuple):
    """What one file wants (weak references aside) and defines by name."""

    wanted: tuple[Wanted, ...] = ()
    defined: Mapping[bytes, Sequence[Defined]] = {}


class _Symbol(NamedTuple):
    name: int
    info: int
    visibility: int
    section: int
    value: int


def read_symbols(read_at: ReadAt, where: str) -> Symbols:
    """Read the dynamic symbols of the file behind ``read_at(size, offset)``, bounded.

    Raises ElfError for what is not ELF, truncated, or contradicts itself.
    """
    image = Image(read_at, where, _BYTES_LIMIT)
    header = read_header(image)
    segments = read_segments(image, header)
    tags = read_dynamic_tags(image, segments)
    table = _Table(image, segments, tags)
    count = table.count(machine=header[1])
    if not count:
        return Symbols()
    versions = _version_names(image, segments, tags)
    names = table.read(tags.get(DT_STRTAB, -1), tags.get(DT_STRSZ, 0), "the string table")
    wanted: list[Wanted] = []
    defined: dict[bytes, list[Defined]] = {}
    left = _NAMES_LIMIT
    for number, symbol in zip(table.numbers(count), table.symbols(count), strict=True):
        binding, kind = symbol.info >> 4, symbol.info & 15
        if binding == _STB_LOCAL or kind not in _LOOKED_UP:
            continue
        end = names.find(b"\0", symbol.name, symbol.name + _NAME_LIMIT)
        left -= end - symbol.name
        if end < 0 or left < 0:
            raise image.error(f"a symbol's name at {symbol.name}, without an end or too long")
        name = names[symbol.name : end]
        version = versions.get(number & _NUMBER) if number >= 0 else None
        if symbol.section == 0:
            if binding != _STB_WEAK and name:
                wanted.append(Wanted(name, version))
        elif _counts(symbol, kind):
            hidden = number >= 0 and bool(number & _HIDDEN)
            one = Defined(number & _NUMBER if number >= 0 else -1, version, hidden)
            defined.setdefault(name, []).append(one)
    return Symbols(tuple(wanted), defined)


def _counts(symbol: _Symbol, kind: int) -> bool:
    """Tell whether a definition is one for others (do_lookup_x)."""
    if symbol.visibility & 3 in _BINDS_LOCALLY:
        return False
    return symbol.value != 0 or symbol.section == _SHN_ABS or kind == _STT_TLS


def _version_names(image: Image, segments: list[Segment], tags: dict[int, int]) -> dict[int, str]:
    """Return the versions by what DT_VERSYM calls them; 0 and 1 stand for none."""
    records = Records(image, segments, Strings(image, segments, tags))
    names: dict[int, str] = {}
    if DT_VERDEF in tags:
        names.update(records.definitions(tags[DT_VERDEF]))
    if DT_VERNEED in tags:
        names.update((need.number, need.version) for need in records.needs(tags[DT_VERNEED]))
    names.pop(0, None)
    names.pop(1, None)
    return names


class _Table:
    """The tables that the dynamic section leads to."""

    def __init__(self, image: Image, segments: list[Segment], tags: dict[int, int]) -> None:
        self._image = image
        self._segments = segments
        self._tags = tags
        self._sign = "<" if image.layout.byte_order == "little" else ">"

    def read(self, address: int, size: int, what: str) -> bytes:
        """Read ``size`` bytes at ``address``, no more than its segment has."""
        place = place_of(self._segments, address)
        if place is None:
            raise self._image.error(f"{what} is in no loaded segment")
        return self._image.read_some(min(size, place[1]), place[0], what)

    def count(self, machine: int) -> int:
        """Return how many symbols there are, by the hash table that says it."""
        if _DT_SYMTAB not in self._tags:
            return 0
        if _DT_HASH in self._tags:
            wide = machine in _WIDE_HASH and self._image.layout.elf_class == 64  # noqa: PLR2004 - the class is its own name
            size = 8 if wide else 4
            words = self.read(self._tags[_DT_HASH], 2 * size, "DT_HASH")
            count = int.from_bytes(words[size : 2 * size], self._image.layout.byte_order)
        elif _DT_MIPS_SYMTABNO in self._tags:
            count = self._tags[_DT_MIPS_SYMTABNO]
        elif _DT_GNU_HASH in self._tags:
            count = self._gnu_count(self._tags[_DT_GNU_HASH])
            count = max(count, self._relocated() + 1)
        else:
            return 0
        if count > _SYMBOLS_LIMIT:
            raise self._image.error(f"{count} dynamic symbols, more than {_SYMBOLS_LIMIT}")
        return count

    def _gnu_count(self, address: int) -> int:
        """Return one more than the last symbol of the last chain (elf/dl-lookup.c)."""
        head = self.read(address, 16, "DT_GNU_HASH")
        if len(head) < 16:  # noqa: PLR2004 - four words
            raise self._image.error("truncated in DT_GNU_HASH")
        buckets, first, bloom, _ = Struct(self._sign + "4I").unpack(head)
        if buckets > _SYMBOLS_LIMIT or bloom > _SYMBOLS_LIMIT:
            raise self._image.error("DT_GNU_HASH with more buckets than symbols may be")
        at = address + 16 + bloom * (self._image.layout.elf_class // 8)
        data = self.read(at, 4 * buckets, "DT_GNU_HASH")
        last = max(self._words(data), default=0)
        if last < first:
            return int(first)
        at += 4 * buckets + 4 * (last - first)
        # An odd word ends a chain: the last one ends within what a chain may have.
        for number, word in enumerate(self._words(self.read(at, 1 << 16, "DT_GNU_HASH"))):
            if word & 1:
                return int(last + number + 1)
        raise self._image.error("a chain of DT_GNU_HASH that does not end")

    def _relocated(self) -> int:
        """Return the last symbol that a relocation is against."""
        is_wide = self._image.layout.elf_class == 64  # noqa: PLR2004 - the class is its own name
        word, shift = ("Q", 32) if is_wide else ("I", 8)
        last = 0
        for table, length, shape in (
            (_DT_RELA, _DT_RELASZ, 3 * word),
            (_DT_REL, _DT_RELSZ, 2 * word),
            (_DT_JMPREL, _DT_PLTRELSZ, (3 if self._tags.get(_DT_PLTREL) == _DT_RELA else 2) * word),
        ):
            if table in self._tags:
                entry = Struct(self._sign + shape)
                size = self._tags.get(length, 0)
                data = self.read(self._tags[table], size, "the relocations")
                data = data[: len(data) - len(data) % entry.size]
                against = (one[1] >> shift for one in entry.iter_unpack(data))
                last = max(last, max(against, default=0))
        return last

    def _words(self, data: bytes) -> Iterator[int]:
        whole = len(data) - len(data) % 4
        return (word for (word,) in Struct(self._sign + "I").iter_unpack(data[:whole]))

    def symbols(self, count: int) -> Iterator[_Symbol]:
        """Give the symbols."""
        is_wide = self._image.layout.elf_class == 64  # noqa: PLR2004 - the class is its own name
        shape = Struct(self._sign + ("IBBHQQ" if is_wide else "IIIBBH"))
        data = self.read(self._tags[_DT_SYMTAB], count * shape.size, "the symbol table")
        if len(data) < count * shape.size:
            raise self._image.error("truncated in the symbol table")
        for fields in shape.iter_unpack(data):
            if is_wide:
                name, info, other, section, value, _ = fields
            else:
                name, value, _, info, other, section = fields
            yield _Symbol(name, info, other, section, value)

    def numbers(self, count: int) -> Iterator[int]:
        """Give what DT_VERSYM says of each symbol, -1 where there is none."""
        if _DT_VERSYM not in self._tags:
            return iter([-1] * count)
        data = self.read(self._tags[_DT_VERSYM], 2 * count, "DT_VERSYM")
        if len(data) < 2 * count:
            raise self._image.error("truncated in DT_VERSYM")
        return (word for (word,) in Struct(self._sign + "H").iter_unpack(data))
