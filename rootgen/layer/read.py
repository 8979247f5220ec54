"""A layer, or any tarball, as entries and whiteouts: what it says, brought inside its root.

Names are judged as container engines do (containerd ``archive/tar.go``, umoci
``oci/layer/unpack.go``): absolute names and ``..`` count from the top of the
root, which they cannot leave. Where links lead is decided when a layer is
applied (``apply``), as it depends on what is beneath.
"""

from __future__ import annotations

from rootgen.errors import LayerError
from rootgen.layer.decompress import Source
from rootgen.layer.limits import Limits
from rootgen.layer.member import Member, TarReader
from rootgen.layer.whiteout import WHITEOUT
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import HOST_ATTRIBUTES, Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[int], bytes]
    Keep = Callable[[Entry, Iterator[bytes]], None]

_KINDS = {
    b"1": EntryKind.HARDLINK,
    b"2": EntryKind.SYMLINK,
    b"3": EntryKind.CHARACTER,
    b"4": EntryKind.BLOCK,
    b"5": EntryKind.DIRECTORY,
    b"6": EntryKind.FIFO,
    b"D": EntryKind.DIRECTORY,
}
_LABEL = b"V"
_LONGEST_PATH, _LONGEST_NAME = 4096, 255  # PATH_MAX and NAME_MAX, limits.h
_LARGEST_ID = (1 << 32) - 2
# AUFS keeps its own accounts by such names; only the opaque mark says something to others.
LIMITS = Limits()
_AUFS, _OPAQUE = ".wh..wh.", ".wh..wh..opq"


class Written(NamedTuple):
    """A member that makes ``entry``.

    ``offset`` is where a file's bytes begin in the decompressed archive; -1
    where they are not there in one piece.
    """

    entry: Entry
    offset: int = -1


class Whiteout(NamedTuple):
    """A member that removes what lower layers have at ``path``; or only in it, if ``opaque``."""

    path: str
    opaque: bool = False


class Archive(NamedTuple):
    """What an archive says, in its order; ``size`` and ``sha256`` are of its decompressed bytes."""

    members: tuple[Written | Whiteout, ...]
    size: int
    sha256: str


def read_archive(read: Read, *, limits: Limits = LIMITS, keep: Keep | None = None) -> Archive:
    """Read the archive that ``read`` gives the bytes of, from a file or a pipe.

    It may be compressed with gzip, zstd, xz or bzip2. ``keep`` is called for
    each file, with its entry (as yet without a digest) and an iterator over
    its bytes, of which it may take as many as it wants. Raises LayerError
    for what is malformed, cut off, of a kind that no root file system has,
    or past ``limits``.
    """
    reader = TarReader(Source(read, limits), limits.entries)
    members = tuple(
        one for member in reader.members() if (one := _judged(member, reader, keep)) is not None
    )
    sha256, size = reader.digest()
    return Archive(members, size, sha256)


def _judged(member: Member, reader: TarReader, keep: Keep | None) -> Written | Whiteout | None:
    """Return what ``member`` says; None where that is nothing."""
    header = member.header
    if header.kind == _LABEL:
        return None
    path = _path(header.name, member)
    parent, _, name = path.rpartition("/")
    if f"/{WHITEOUT}" in path and (name.startswith(WHITEOUT) or f"/{_AUFS}" in path):
        return _whiteout(parent, name, member)
    kind = _KINDS.get(header.kind, EntryKind.FILE)
    if kind is EntryKind.FILE and header.name.endswith(b"/"):
        kind = EntryKind.DIRECTORY  # as v7 wrote them
    if path == "/" and kind is not EntryKind.DIRECTORY:
        raise LayerError(f"{_place(member)} makes the top of the root something else")
    entry = _entry(path, kind, member)
    if kind is not EntryKind.FILE:
        return Written(entry)
    return Written(_hashed(entry, reader.content(member), keep), member.offset)


def _whiteout(parent: str, name: str, member: Member) -> Whiteout | None:
    if f"/{_AUFS}" in parent or (name.startswith(_AUFS) and name != _OPAQUE):
        return None
    if name == _OPAQUE:
        return Whiteout(parent or "/", opaque=True)
    hidden = name.removeprefix(WHITEOUT)
    if hidden in {"", ".", ".."}:
        raise LayerError(f"{_place(member)} is a whiteout of nothing that can be: {name}")
    return Whiteout(f"{parent}/{hidden}")


def _entry(path: str, kind: EntryKind, member: Member) -> Entry:
    header = member.header
    if max(header.uid, header.gid) > _LARGEST_ID:
        raise LayerError(f"{path} of the archive has an owner that cannot be: {header[2:4]}")
    target = ""
    if kind is EntryKind.HARDLINK:
        target = _path(header.link, member)
    elif kind is EntryKind.SYMLINK:
        target = header.link.decode(errors="surrogateescape")
        if not 0 < len(header.link) < _LONGEST_PATH:
            raise LayerError(f"{path} of the archive is a symbolic link without a usable target")
    return Entry(
        path,
        kind,
        0o777 if kind is EntryKind.SYMLINK else header.mode,
        header.uid,
        header.gid,
        header.mtime,
        member.size if kind is EntryKind.FILE else 0,
        target=target,
        device=header.device if kind in {EntryKind.CHARACTER, EntryKind.BLOCK} else (0, 0),
        xattrs=_attributes(member) if kind is not EntryKind.HARDLINK else (),
    )


def _attributes(member: Member) -> tuple[tuple[str, bytes], ...]:
    """Return those that a scan would: what is the host's policy is not of the tree."""
    return tuple(pair for pair in member.xattrs if not pair[0].startswith(HOST_ATTRIBUTES))


def _path(raw: bytes, member: Member) -> str:
    """Return the absolute and normalised path that ``raw`` means within the root."""
    names: list[bytes] = []
    for name in raw.split(b"/"):
        if name == b"..":
            del names[-1:]
        elif name not in {b"", b"."}:
            names.append(name)
    if len(raw) >= _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in names):
        raise LayerError(f"{_place(member)} has a name longer than a name can be")
    if not raw or b"\0" in raw:
        raise LayerError(f"{_place(member)} has no name that a file can have")
    return "/" + b"/".join(names).decode(errors="surrogateescape")


def _hashed(entry: Entry, content: Iterator[bytes], keep: Keep | None) -> Entry:
    """Return ``entry`` with the digest of ``content``, which ``keep`` sees on its way."""
    from hashlib import sha256

    digest = sha256()

    def passing() -> Iterator[bytes]:
        for data in content:
            digest.update(data)
            yield data

    seen = passing()
    if keep is not None:
        keep(entry, seen)
    for _ in seen:
        pass
    return entry._replace(sha256=digest.hexdigest())


def _place(member: Member) -> str:
    name = member.header.name[:80].decode(errors="replace")
    return f"member {member.number} of the archive ({name})"
