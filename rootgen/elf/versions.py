"""Symbol versions: what an object wants of which library, and what it defines itself.

DT_VERNEED and DT_VERDEF (LSB core, "Symbol Versioning"; glibc
``elf/dl-version.c``). Both are chains of records by offsets forward, which
the loader follows to their end whatever DT_VERNEEDNUM and DT_VERDEFNUM say.
"""

from __future__ import annotations

from struct import Struct

from rootgen.elf.image import (
    Image,
    Segment,
    Strings,
    place_of,
    read_dynamic_tags,
    read_header,
    read_segments,
)
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.elf.image import ReadAt

DT_VERDEF, DT_VERNEED = 0x6FFFFFFC, 0x6FFFFFFE
_VER_FLG_WEAK = 2
# Elfxx_Verneed, Vernaux, Verdef, Verdaux are the same in both classes.
_NEED, _NEED_AUX, _DEFINITION, _DEFINITION_AUX = "HHIII", "IHHII", "HHHHIII", "II"
_CURRENT = 1
# The most seen: 300 definitions in libstdc++, 60 needs.
_RECORDS_LIMIT = 1 << 14
_WINDOW = 1 << 14


class VersionNeed(NamedTuple):
    """A version that an object was linked against: of the library ``file``, a SONAME.

    ``number`` is what DT_VERSYM says of the symbols that it is for.
    """

    file: str
    version: str
    weak: bool
    number: int = 0


class Versions(NamedTuple):
    """What one object needs and defines, in the order of the file.

    ``defines`` is None where the object has no DT_VERDEF: then the loader
    cannot tell, and takes it.
    """

    needs: tuple[VersionNeed, ...] = ()
    defines: tuple[str, ...] | None = None


def read_versions(read_at: ReadAt, where: str) -> Versions:
    """Read the versions of the file behind ``read_at(size, offset)``, bounded.

    Raises ElfError for what is not ELF, is truncated, or has records of a
    version that no loader knows.
    """
    image = Image(read_at, where)
    segments = read_segments(image, read_header(image))
    tags = read_dynamic_tags(image, segments)
    records = Records(image, segments, Strings(image, segments, tags))
    defines = None
    if DT_VERDEF in tags:
        defines = tuple([name for _, name in records.definitions(tags[DT_VERDEF])])
    needs = tuple(records.needs(tags[DT_VERNEED])) if DT_VERNEED in tags else ()
    return Versions(needs, defines)


class Records:
    """The chains of records of one file, and how many may still be read."""

    def __init__(self, image: Image, segments: list[Segment], strings: Strings) -> None:
        """Read nothing yet."""
        sign = "<" if image.layout.byte_order == "little" else ">"
        self._image = image
        self._segments = segments
        self._strings = strings
        self._left = _RECORDS_LIMIT
        self._window = b""
        self._window_at = 0
        self._shapes = {
            shape: Struct(sign + shape)
            for shape in (_NEED, _NEED_AUX, _DEFINITION, _DEFINITION_AUX)
        }

    def needs(self, address: int) -> Iterator[VersionNeed]:
        """Give what DT_VERNEED at ``address`` asks for."""
        while True:
            version, _, file, aux, step = self._read(_NEED, address, "DT_VERNEED")
            if version != _CURRENT:
                raise self._image.error(f"unsupported version {version} of Verneed record")
            name = self._strings.at(file)
            at = address + aux
            while True:
                _, flags, index, wanted, aux_step = self._read(_NEED_AUX, at, "DT_VERNEED")
                weak = bool(flags & _VER_FLG_WEAK)
                yield VersionNeed(name, self._strings.at(wanted), weak, index & 0x7FFF)
                if not aux_step:
                    break
                at += aux_step
            if not step:
                return
            address += step

    def definitions(self, address: int) -> Iterator[tuple[int, str]]:
        """Give index and name of what DT_VERDEF at ``address`` defines."""
        while True:
            fields = self._read(_DEFINITION, address, "DT_VERDEF")
            version, _, index, _, _, aux, step = fields
            if version != _CURRENT:
                raise self._image.error(f"unsupported version {version} of Verdef record")
            name, _ = self._read(_DEFINITION_AUX, address + aux, "DT_VERDEF")
            yield index & 0x7FFF, self._strings.at(name)
            if not step:
                return
            address += step

    def _read(self, name: str, address: int, what: str) -> tuple[int, ...]:
        self._left -= 1
        if self._left < 0:
            raise self._image.error(f"more than {_RECORDS_LIMIT} records of symbol versions")
        shape = self._shapes[name]
        at = address - self._window_at
        if not 0 <= at <= len(self._window) - shape.size:
            self._move_window(address, shape.size, what)
            at = 0
        return shape.unpack_from(self._window, at)

    def _move_window(self, address: int, size: int, what: str) -> None:
        place = place_of(self._segments, address)
        if place is None or place[1] < size:
            raise self._image.error(f"{what} leads out of every loaded segment")
        self._window_at = address
        self._window = self._image.read_some(min(_WINDOW, place[1]), place[0], what)
        if len(self._window) < size:
            raise self._image.error(f"truncated: {what} goes on past the end of file")
