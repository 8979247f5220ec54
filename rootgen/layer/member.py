"""The members of a tar archive, one after another, however it was written.

v7, ustar, GNU and PAX archives are read; a member's names are bytes as they
stand there, and not yet judged.
"""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.layer.fields import BLOCK, Header, parse_header
from rootgen.layer.pax import XATTR, attribute_name, decode_records
from rootgen.layer.sparse import Sparse, old_gnu_map, pax_map
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.layer.decompress import Source

_CHUNK = 1 << 20
# Of a long name, or of the records of one member (Go's archive/tar has the same).
_LONGEST_RECORDS = 1 << 20
_FILES = frozenset((b"0", b"\0", b"7", b"S"))
_WITHOUT_CONTENT = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
_ZEROS = bytes(_CHUNK)
_LIBARCHIVE = b"LIBARCHIVE.xattr."
# GNU tar's lists of directories and its labels of volumes.
_PASSED_OVER = frozenset((b"D", b"V"))
_LONGEST_NUMBER = 19


class Member(NamedTuple):
    """One member: ``header`` with what PAX records and long names say instead.

    ``size`` is that of the file, ``header.size`` what the archive holds of
    it; ``offset`` is where that begins in the decompressed archive.
    """

    number: int
    header: Header
    size: int
    offset: int
    xattrs: tuple[tuple[str, bytes], ...]
    sparse: Sparse | None = None


class TarReader:
    """An archive being read, member by member; ``content`` is of the last one given."""

    def __init__(self, source: Source, entries: int) -> None:
        """Read ``source``, at most ``entries`` members of it."""
        from hashlib import sha256

        self._source = source
        self._most = entries
        self._digest = sha256()
        self._position = 0
        self._number = 0
        # Of the current member's content, with its padding, what is not read yet.
        self._left = 0
        self._padding = 0
        self._global: dict[bytes, bytes] = {}

    def members(self) -> Iterator[Member]:
        """Give each member; raise LayerError for what is malformed, cut off or past a limit."""
        while (block := self._next_header()) is not None:
            member = self._member(block)
            if member is not None:
                yield member
        while data := self._source.read(_CHUNK):
            self._take(data)

    def digest(self) -> tuple[str, int]:
        """Return the SHA-256 and the length of the archive, decompressed, so far as it was read."""
        return self._digest.hexdigest(), self._position

    def content(self, member: Member) -> Iterator[bytes]:
        """Give the bytes of ``member``, in pieces; holes of a sparse file are zeros."""
        if member.sparse is None:
            yield from self._stored(member.size)
            return
        at = 0
        for start, length in member.sparse.pieces:
            yield from self._hole(start - at)
            yield from self._stored(length)
            at = start + length
        yield from self._hole(member.size - at)

    def _hole(self, size: int) -> Iterator[bytes]:
        while size > 0:
            data = _ZEROS[: min(size, _CHUNK)]
            self._source.count(len(data))
            size -= len(data)
            yield data

    def _stored(self, size: int) -> Iterator[bytes]:
        if size > self._left:
            raise LayerError(f"{self._place()} has less content than it says")
        while size > 0:
            data = self._source.read(min(size, _CHUNK))
            if not data:
                raise self._cut_off()
            self._take(data)
            size -= len(data)
            self._left -= len(data)
            yield data

    def _next_header(self) -> bytes | None:
        """Return the next header block; None at the end of the archive."""
        for _ in self._stored(self._left):
            pass
        if self._padding:
            self._exactly(self._padding)
            self._padding = 0
        first = self._source.read(BLOCK)
        if not first:
            return None  # no end written, as by some; nothing is lacking
        self._take(first)
        block = first + self._exactly(BLOCK - len(first))
        # Two such blocks are the end; one is as clear (GNU tar, Go).
        return block if block.strip(b"\0") else None

    def _member(self, block: bytes) -> Member | None:
        """Return the member that ``block`` begins, with what members before it say of it.

        None for the comment that an archive of nothing else ends with.
        """
        own: dict[bytes, bytes] = {}
        pairs: list[int] = []
        names: dict[bytes, bytes] = {}
        while True:
            self._number += 1
            if self._number > self._most:
                raise LayerError(f"the archive has more than {self._most} members")
            header = parse_header(block, self._number)
            if header.kind == b"g":
                self._global.update(self._records(header, []))
                if sum(map(len, self._global.values())) > _LONGEST_RECORDS:
                    raise LayerError(f"{self._place()} has more records than any archive needs")
            elif header.kind in {b"x", b"X"}:
                own.update(self._records(header, pairs))
            elif header.kind in {b"L", b"K"}:
                names[header.kind] = self._whole(header).partition(b"\0")[0]
            else:
                break
            following = self._next_header()
            if following is None:
                if own or names:
                    raise self._cut_off()
                return None
            block = following
        header = header._replace(
            name=names.get(b"L", header.name), link=names.get(b"K", header.link)
        )
        return self._with_records(header, block, {**self._global, **own}, pairs)

    def _with_records(
        self, header: Header, block: bytes, records: dict[bytes, bytes], pairs: list[int]
    ) -> Member:
        place = self._place()
        numbers = {key: self._number_in(records, key) for key in (b"uid", b"gid", b"size")}
        size = _either(numbers[b"size"], header.size)
        if header.kind in _WITHOUT_CONTENT:
            size = 0  # old archives write sizes of directories, and of a link's file
        elif header.kind not in _FILES and header.kind not in _PASSED_OVER:
            raise LayerError(f"{place} is of type {header.kind!r}, which is not supported")
        header = header._replace(
            name=records.get(b"GNU.sparse.name") or records.get(b"path") or header.name,
            link=records.get(b"linkpath") or header.link,
            uid=_either(numbers[b"uid"], header.uid),
            gid=_either(numbers[b"gid"], header.gid),
            mtime=_either(self._number_in(records, b"mtime"), header.mtime),
            size=size,
        )
        sparse = old_gnu_map(block, self._exactly, place) if header.kind == b"S" else None
        self._left, self._padding = size, -size % BLOCK
        if sparse is None and header.kind in _FILES:
            sparse = pax_map(records, pairs, self._content_exactly, place)
        full = size if sparse is None else sparse.size
        offset = self._position if sparse is None else -1
        return Member(self._number, header, full, offset, self._xattrs(records), sparse)

    def _records(self, header: Header, pairs: list[int]) -> dict[bytes, bytes]:
        """Return the records that a member holds; ``pairs`` gets those that come repeatedly."""
        found: dict[bytes, bytes] = {}
        for key, value in decode_records(self._whole(header), self._place()):
            if key in {b"GNU.sparse.offset", b"GNU.sparse.numbytes"}:
                pairs.append(_either(self._number_in({key: value}, key), -1))
            else:
                found[key] = value
        return found

    def _number_in(self, records: dict[bytes, bytes], key: bytes) -> int | None:
        """Return a number among ``records``: whole seconds of a time, no sign where none can be."""
        value = records.get(key)
        if not value:
            return None
        whole, point, fraction = value.partition(b".")
        digits = whole.removeprefix(b"-") if key == b"mtime" else whole
        if not digits.isdigit() or len(digits) > _LONGEST_NUMBER or (point and key != b"mtime"):
            name = key.decode(errors="replace")
            raise LayerError(f"{self._place()} has a {name} that is no number: {value[:40]!r}")
        # The second that a time is in begins before it, also before 1970.
        return int(whole) - (whole.startswith(b"-") and bool(fraction.strip(b"0")))

    def _xattrs(self, records: dict[bytes, bytes]) -> tuple[tuple[str, bytes], ...]:
        found: dict[str, bytes] = {}
        for key, value in records.items():
            if key.startswith(_LIBARCHIVE):
                from base64 import b64decode
                from binascii import Error
                from urllib.parse import unquote_to_bytes

                name = unquote_to_bytes(key[len(_LIBARCHIVE) :]).decode(errors="surrogateescape")
                try:
                    found.setdefault(name, b64decode(value + b"=" * (-len(value) % 4)))
                except Error:
                    raise LayerError(
                        f"{self._place()} has an attribute that is not base 64"
                    ) from None
        found.update(
            (attribute_name(key), value) for key, value in records.items() if key.startswith(XATTR)
        )
        found.pop("", None)
        return tuple(sorted(found.items()))

    def _whole(self, header: Header) -> bytes:
        """Return the content of a member that is about the next one."""
        if header.size > _LONGEST_RECORDS:
            raise LayerError(f"{self._place()} has {header.size} bytes of names or records")
        self._left, self._padding = header.size, -header.size % BLOCK
        return self._content_exactly(header.size)

    def _content_exactly(self, size: int) -> bytes:
        return b"".join(self._stored(size))

    def _exactly(self, size: int) -> bytes:
        """Return ``size`` bytes that are no member's content."""
        data = b""
        while len(data) < size:
            more = self._source.read(size - len(data))
            if not more:
                raise self._cut_off()
            self._take(more)
            data += more
        return data

    def _take(self, data: bytes) -> None:
        self._digest.update(data)
        self._position += len(data)

    def _place(self) -> str:
        return f"member {self._number} of the archive"

    def _cut_off(self) -> LayerError:
        return LayerError(f"the archive is cut off in or after its member {self._number}")


def _either(value: int | None, other: int) -> int:
    return other if value is None else value
