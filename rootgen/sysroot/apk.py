"""apk's database: one file, a line for each field of each package (apk-tools, ``database.c``)."""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sysroot.package import (
    PACKAGES_LIMIT,
    Digest,
    Diversion,
    Package,
    check_word,
    read_file,
    text,
)
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.sysroot.port import Sysroot

# Alpine 3.23 moved it with the rest of /lib.
_PLACES = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
_SHA1 = "Q1"
_SHA1_BYTES = 20


class _Installed(NamedTuple):
    package: Package
    paths: tuple[bytes, ...]
    digests: Mapping[str, Digest]


class Apk:
    """The packages of an Alpine root (``package.Database``)."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._sysroot = sysroot
        found = [sysroot.lookup(path) for path in _PLACES]
        there = [one.path for one in found if one is not None and one.node.kind is Kind.FILE]
        self.path = there[0] if there else _PLACES[0]
        self._there = bool(there)
        self._all: dict[str, _Installed] | None = None

    def is_there(self) -> bool:
        """Tell whether the root has such a database."""
        return self._there

    def packages(self) -> Mapping[str, Package]:
        """Return the installed packages, by name."""
        return {key: one.package for key, one in self._installed().items()}

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Return what each package has."""
        for key, one in self._installed().items():
            yield key, b"".join(b"%s\n" % path for path in one.paths)

    def digests(self, key: str) -> Mapping[str, Digest]:
        """Return the SHA-1 of each file."""
        return self._installed()[key].digests

    def licence_files(self, key: str) -> tuple[str, ...]:
        """Return nothing: Alpine keeps licences in packages of their own."""
        del key
        return ()

    def diversions(self) -> tuple[Diversion, ...]:
        """Return nothing: apk has none."""
        return ()

    def _installed(self) -> dict[str, _Installed]:
        if self._all is None:
            where = f"{self.path} in {self._sysroot.name}"
            self._all = {}
            for record in (read_file(self._sysroot, self.path) or b"").split(b"\n\n"):
                if not record.strip():
                    continue
                one = _parse(record.strip(b"\n") + b"\n", where)
                self._all[one.package.name] = one
                if len(self._all) > PACKAGES_LIMIT:
                    raise SysrootError(f"{where}: too many packages")
        return self._all


def lines_with(record: bytes, paths: frozenset[str]) -> bytes:
    """Return a record with only those files (and their directories) that are in ``paths``."""
    kept: list[bytes] = []
    directory: list[bytes] = []
    here, wanted = "", False
    for line in record.split(b"\n"):
        key, value = line[:2], text(line[2:])
        if key == b"F:":
            here, directory, wanted = value, [line], False
        elif key == b"M:":
            directory.append(line)
        elif key == b"R:":
            wanted = _path(here, value) in paths
            if wanted:
                kept += [*directory, line]
                directory = []
        elif key not in {b"a:", b"Z:"} or wanted:
            kept.append(line)
    return b"\n".join(kept)


def _parse(record: bytes, where: str) -> _Installed:
    fields: dict[bytes, bytes] = {}
    paths: list[bytes] = []
    digests: dict[str, Digest] = {}
    directory = path = ""
    for line in record.split(b"\n"):
        key, value = line[:2], line[2:]
        if key == b"F:":
            directory = text(value)
        elif key == b"R:":
            path = _path(directory, text(value))
            paths.append(path.encode("utf-8", "surrogateescape"))
        elif key == b"Z:":
            digest = _sha1(text(value))
            if digest and path:
                digests[path] = digest
        elif key[1:] == b":":
            fields.setdefault(key[:1], value)
    return _Installed(_package(fields, record, where), tuple(paths), digests)


def _package(fields: Mapping[bytes, bytes], record: bytes, where: str) -> Package:
    name = check_word(text(fields.get(b"P", b"")), "name", where)
    return Package(
        "apk",
        name,
        check_word(text(fields.get(b"V", b"")), "version", f"{where}: {name}"),
        check_word(text(fields.get(b"A", b"noarch")), "architecture", f"{where}: {name}"),
        source=text(fields.get(b"o", b"")),
        supplier=text(fields.get(b"m", b"")),
        licence=text(fields.get(b"L", b"")),
        depends=tuple((one,) for one in _names(fields.get(b"D", b""))),
        provides=_names(fields.get(b"p", b"")),
        record=record,
    )


def _names(value: bytes) -> tuple[str, ...]:
    """Return the names of a list of dependencies, without versions; ``!name`` is a conflict."""
    words = (text(one) for one in value.split(b" ") if one and not one.startswith(b"!"))
    return tuple(_unversioned(word) for word in words)


def _unversioned(word: str) -> str:
    for at, character in enumerate(word):
        if character in "<>=~@":
            return word[:at]
    return word


def _sha1(value: str) -> Digest | None:
    from base64 import b64decode

    try:
        raw = b64decode(value.removeprefix(_SHA1), validate=True)
    except ValueError:
        return None
    if not value.startswith(_SHA1) or len(raw) != _SHA1_BYTES:
        return None
    return Digest("sha1", raw.hex())


def _path(directory: str, name: str) -> str:
    return f"/{directory}/{name}" if directory else f"/{name}"
