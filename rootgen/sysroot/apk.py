"""apk's database: one file, a line for each field of each package (apk-tools, ``database.c``)."""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.package import (
    PACKAGES_LIMIT,
    Allowance,
    Digest,
    Installed,
    Package,
    WholeDatabase,
    blocks,
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
# The longest of Alpine, with all its files, has 2 MB.
_RECORD_LIMIT = 16 << 20


class Apk(WholeDatabase):
    """The packages of an Alpine root (``package.Database``)."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        super().__init__()
        self._sysroot = sysroot
        found = [sysroot.lookup(path) for path in _PLACES]
        there = [one.path for one in found if one is not None and one.node.kind is Kind.FILE]
        self.path = there[0] if there else _PLACES[0]
        self._there = bool(there)

    def is_there(self) -> bool:
        """Tell whether the root has such a database."""
        return self._there

    def _read_all(self) -> dict[str, Installed]:
        where = f"{self.path} in {self._sysroot.name}"
        found: dict[str, Installed] = {}
        allowance = Allowance(where)
        data = read_file(self._sysroot, self.path) or b""
        for record in blocks(data, _RECORD_LIMIT, where):
            one = _parse(record, allowance, where)
            # Layers over each other may have a package in two versions.
            name, version = one.package.name, one.package.version
            twice = name in found and found[name].package.version != version
            found[f"{name}-{version}" if twice else name] = one
            if len(found) > PACKAGES_LIMIT:
                raise SysrootError(f"{where}: too many packages")
        return found


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


def _parse(record: bytes, allowance: Allowance, where: str) -> Installed:
    fields: dict[bytes, bytes] = {}
    paths: list[bytes] = []
    digests: dict[str, Digest] = {}
    directory, path = b"/", ""
    for line in record.split(b"\n"):
        key, value = line[:2], line[2:]
        if key == b"F:":
            directory = b"/%s/" % value if value else b"/"
        elif key == b"R:":
            paths.append(allowance.path(directory, value))
            path = text(paths[-1])
        elif key == b"Z:":
            digest = _sha1(text(value))
            if digest and path:
                digests[path] = digest
        elif key[1:] == b":":
            fields.setdefault(key[:1], value)
    package = _package(fields, record, allowance, where)
    return Installed(package, tuple(paths), digests)


def _package(
    fields: Mapping[bytes, bytes], record: bytes, allowance: Allowance, where: str
) -> Package:
    name = check_word(text(fields.get(b"P", b"")), "name", where)
    return Package(
        "apk",
        name,
        check_word(text(fields.get(b"V", b"")), "version", f"{where}: {name}"),
        check_word(text(fields.get(b"A", b"noarch")), "architecture", f"{where}: {name}"),
        source=text(fields.get(b"o", b"")),
        supplier=text(fields.get(b"m", b"")),
        licence=text(fields.get(b"L", b"")),
        depends=tuple((one,) for one in _names(fields.get(b"D", b""), allowance)),
        provides=tuple(_names(fields.get(b"p", b""), allowance)),
        record=record,
    )


def _names(value: bytes, allowance: Allowance) -> Iterator[str]:
    """Return the names of a list of dependencies, without versions; ``!name`` is a conflict."""
    for word in value.split(b" "):
        if word and not word.startswith(b"!"):
            allowance.take(len(word))
            yield _unversioned(text(word))


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
