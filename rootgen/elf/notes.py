"""Notes that are read on request: libraries that an object may dlopen, processors that it needs.

ELF dlopen metadata (https://systemd.io/ELF_DLOPEN_METADATA/) and
NT_GNU_PROPERTY_TYPE_0 (x86-64 psABI, "Program Property").
"""

from __future__ import annotations

from rootgen.elf.image import Image, read_header, read_notes, read_segments
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.elf.image import ReadAt

_NT_DLOPEN, _NT_GNU_PROPERTY = 0x407C0C0A, 5
_ISA_1_NEEDED = 0xC0008002
# All the notes of a file together. What systemd's libraries say is below 4 KiB.
_LIMIT = 1 << 18
_SONAMES_LIMIT = 1 << 10
_NAME_LIMIT = 4096

# What a note may say of itself, what must be there first; one that says nothing is recommended.
PRIORITIES = ("required", "recommended", "suggested")
_LEVELS = ("x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4")


class DlopenNote(NamedTuple):
    """One library that an object may load with ``dlopen``: its names, the preferred one first."""

    sonames: tuple[str, ...]
    priority: str = "recommended"
    feature: str = ""
    description: str = ""


def read_dlopen_notes(read_at: ReadAt, where: str) -> tuple[DlopenNote, ...]:
    """Read the dlopen metadata of the file behind ``read_at(size, offset)``, bounded.

    Raises ElfError for what is not ELF or truncated, and for a note that is
    not what the specification says.
    """
    image = Image(read_at, where)
    segments = read_segments(image, read_header(image))
    found: list[DlopenNote] = []
    for name, kind, data in read_notes(image, segments, _LIMIT):
        if kind == _NT_DLOPEN and name == b"FDO\0":
            found += _parse(image, data)
    if sum(len(one.sonames) for one in found) > _SONAMES_LIMIT:
        raise image.error(f"dlopen notes that name more than {_SONAMES_LIMIT} libraries")
    return tuple(found)


def _parse(image: Image, data: bytes) -> list[DlopenNote]:
    import json  # few files have such a note

    try:
        items = json.loads(data.partition(b"\0")[0])
    except (ValueError, RecursionError) as error:
        raise image.error("a dlopen note that is not JSON") from error
    # The first version of the specification had one object, with one soname.
    return [_note(image, item) for item in (items if isinstance(items, list) else [items])]


def _note(image: Image, item: object) -> DlopenNote:
    sonames = item.get("soname") if isinstance(item, dict) else None
    sonames = [sonames] if isinstance(sonames, str) else sonames
    if not isinstance(item, dict) or not isinstance(sonames, list) or not sonames:
        raise image.error("a dlopen note that names no library")
    for one in sonames:
        if not isinstance(one, str) or not 0 < len(one) < _NAME_LIMIT or "\0" in one:
            raise image.error("a dlopen note with a soname that is no name")
    priority = item.get("priority")
    words = {key: item.get(key) for key in ("feature", "description")}
    return DlopenNote(
        tuple(sonames),
        priority if isinstance(priority, str) and priority in PRIORITIES else "recommended",
        **{key: value for key, value in words.items() if isinstance(value, str)},
    )


def read_isa_needed(read_at: ReadAt, where: str) -> str:
    """Return the x86-64 level that the file says it needs (``x86-64-v3``), "" where it does not.

    GNU_PROPERTY_X86_ISA_1_NEEDED; the loader of glibc 2.33 and later refuses
    an object whose level the processor has not (sysdeps/x86/dl-prop.h).
    Raises ElfError for what is not ELF or truncated.
    """
    image = Image(read_at, where)
    segments = read_segments(image, read_header(image))
    for name, kind, data in read_notes(image, segments, _LIMIT):
        if kind == _NT_GNU_PROPERTY and name == b"GNU\0":
            bits = _property(image, data, _ISA_1_NEEDED) & ((1 << len(_LEVELS)) - 1)
            if bits:
                return _LEVELS[bits.bit_length() - 1]
    return ""


def _property(image: Image, data: bytes, wanted: int) -> int:
    """Return the property ``wanted`` of one note, 0 where it has none."""
    order = image.layout.byte_order
    alignment = image.layout.elf_class // 8
    at = 0
    while at + 8 <= len(data):
        kind = int.from_bytes(data[at : at + 4], order)
        size = int.from_bytes(data[at + 4 : at + 8], order)
        if kind == wanted and size == 4:  # noqa: PLR2004 - a word of bits
            return int.from_bytes(data[at + 8 : at + 12], order)
        at += 8 + (size + alignment - 1) // alignment * alignment
    return 0
