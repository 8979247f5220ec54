"""rpm's database in its sqlite form (rpm 4.16 and later), and the manifest of minimal images.

The file is read into memory and opened there: no path of the root is given
to sqlite, and nothing is written, neither a journal nor a lock.
"""

from __future__ import annotations

from io import BytesIO

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot import rpm_header as header
from rootgen.sysroot.package import (
    PACKAGES_LIMIT,
    Allowance,
    Digest,
    Installed,
    Package,
    WholeDatabase,
    check_word,
    read_file,
    text,
)
from rootgen.sysroot.port import Kind
from rootgen.sysroot.rpm_header import Header, parse_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sysroot.port import Sysroot

# What a minimal image has instead (CBL-Mariner, Azure Linux): a line of ten fields a package.
MANIFEST = "/var/lib/rpmmanifest/container-manifest-2"
_DIRECTORIES = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
_SQLITE = "rpmdb.sqlite"
_UNREAD = {"Packages": "Berkeley DB", "Packages.db": "ndb"}
_DATABASE_LIMIT = 512 << 20
_BLOB_LIMIT = 64 << 20
# Each step is 100,000 instructions of sqlite's machine: some seconds in all.
_STEP, _STEPS = 100_000, 5_000
_FIELDS = 10
# rpm, rpmcrypto.h: the algorithms of PGP (RFC 4880, 9.4).
_ALGORITHMS = {1: "md5", 2: "sha1", 8: "sha256", 0: "md5"}


class Rpm(WholeDatabase):
    """The packages of a root that rpm looks after (``package.Database``)."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        super().__init__()
        self._sysroot = sysroot
        places = [f"{directory}/{_SQLITE}" for directory in _DIRECTORIES]
        self._sqlite = next((path for path in places if _is_file(sysroot, path)), "")
        self.path = self._sqlite or MANIFEST

    def is_there(self) -> bool:
        """Tell whether the root has such a database."""
        return bool(self._sqlite) or _is_file(self._sysroot, MANIFEST)

    def unread(self) -> str:
        """Say which form of database there is that is not read, or nothing."""
        for directory in () if self._sqlite else _DIRECTORIES:
            for name, form in _UNREAD.items():
                if _is_file(self._sysroot, f"{directory}/{name}"):
                    return f"{directory}/{name}: rpm's database as {form} is not read, only sqlite"
        return ""

    def _read_all(self) -> dict[str, Installed]:
        found: dict[str, Installed] = {}
        for one in self._read():
            package = one.package
            found.setdefault(f"{package.name}-{package.version}.{package.architecture}", one)
            if len(found) > PACKAGES_LIMIT:
                raise SysrootError(f"{self.path} in {self._sysroot.name}: too many packages")
        return found

    def _read(self) -> Iterator[Installed]:
        where = f"{self.path} in {self._sysroot.name}"
        allowance = Allowance(where)
        if self._sqlite:
            log = self._sysroot.lookup(f"{self._sqlite}-wal")
            if log is not None and log.node.size:
                raise SysrootError(
                    f"{where}: what was changed last is not in it yet, but in its write-ahead log",
                    hint="let rpm write it: `rpm -q rpm` as root",
                )
            data = read_file(self._sysroot, self._sqlite, _DATABASE_LIMIT) or b""
            for blob in _blobs(data, where):
                try:
                    yield _of_header(parse_header(blob), allowance)
                except SysrootError as error:
                    raise SysrootError(f"{where}: a header is malformed: {error.what}") from error
            return
        for line in BytesIO(read_file(self._sysroot, MANIFEST) or b""):
            if line != b"\n":
                allowance.take(len(line))
                yield Installed(_of_line(line.rstrip(b"\n"), where))


def manifest_line(package: Package) -> str:
    """Return what ``rpm -qa`` prints in the format of a minimal image's manifest.

    ``%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{INSTALLTIME}\\t%{BUILDTIME}\\t%{VENDOR}\\t%{EPOCH}``
    ``\\t%{SIZE}\\t%{ARCH}\\t%{EPOCHNUM}\\t%{SOURCERPM}``; the time of installation is left 0.
    """
    epoch = str(package.epoch) if package.epoch else "(none)"
    # To scanners a line without a source is no line, and the manifest then none.
    source = package.source or f"{package.name}-{package.version}.src.rpm"
    vendor = " ".join(package.supplier.split()) or "(none)"
    fields = (
        package.name, package.version, "0", str(package.built), vendor, epoch, str(package.size),
        package.architecture, str(package.epoch), source,
    )  # fmt: skip
    return "\t".join(fields)


def _blobs(data: bytes, where: str) -> Iterator[bytes]:
    try:
        import sqlite3
    except ImportError as error:
        raise SysrootError(f"{where}: this Python has no sqlite3 to read it with") from error
    # A database in memory cannot have a write-ahead log (sqlite3_deserialize): bytes 18 and 19
    # (Database File Format, 1.3) say that it has none. rpm leaves an empty one behind.
    image = bytearray(data)
    image[18:20] = b"\x01\x01"
    steps = 0

    def too_long() -> bool:
        nonlocal steps
        steps += 1
        return steps > _STEPS

    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(image)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _BLOB_LIMIT)
        connection.set_progress_handler(too_long, _STEP)
        # sqlite.org/security.html, "Untrusted SQLite Database Files".
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        # A view computes, and so does a virtual table, which has no page of its own.
        kinds = connection.execute(
            "SELECT type = 'table' AND rootpage > 0 FROM sqlite_master WHERE name = 'Packages'"
        )
        if [bool(kind) for (kind,) in kinds] != [True]:
            raise SysrootError(f"{where}: it has no table Packages")
        rows = connection.execute("SELECT blob FROM Packages ORDER BY hnum")
        left = _DATABASE_LIMIT
        for (blob,) in rows:
            if not isinstance(blob, bytes):
                raise SysrootError(f"{where}: its table Packages has something else")
            left -= len(blob)
            if left < 0:  # rows can share their pages
                raise SysrootError(f"{where}: it says more than it has")
            yield blob
    except (sqlite3.Error, MemoryError, OverflowError) as error:
        raise SysrootError(f"{where}: sqlite cannot read it: {error}") from error
    finally:
        connection.close()


def _of_header(one: Header, allowance: Allowance) -> Installed:
    name = check_word(one.text(header.NAME), "name", "")
    version = f"{one.text(header.VERSION)}-{one.text(header.RELEASE)}"
    package = Package(
        "rpm",
        name,
        check_word(version, "version", name),
        check_word(one.text(header.ARCHITECTURE) or "noarch", "architecture", name),
        _first(one, header.EPOCH),
        one.text(header.SOURCE_RPM),
        "",
        one.text(header.VENDOR),
        one.text(header.LICENCE),
        tuple((each,) for each in _names(one, header.REQUIRE_NAME, allowance)),
        tuple(_names(one, header.PROVIDE_NAME, allowance)),
        size=_first(one, header.SIZE),
        built=_first(one, header.BUILD_TIME),
    )
    paths = tuple(_paths(one, allowance))
    flags = one.numbers(header.FILE_FLAGS)
    licences = (
        path for path, flag in zip(paths, flags, strict=False) if flag & header.LICENCE_FLAG
    )
    return Installed(package, paths, _digests(one, paths), tuple(map(text, licences)))


def _names(one: Header, tag: int, allowance: Allowance) -> Iterator[str]:
    for name in dict.fromkeys(one.texts(tag)):
        allowance.take(len(name))
        yield text(name)


def _paths(one: Header, allowance: Allowance) -> Iterator[bytes]:
    directories = one.texts(header.DIRECTORY_NAMES)
    indexes = one.numbers(header.DIRECTORY_INDEXES)
    names = one.texts(header.BASE_NAMES)
    if len(indexes) != len(names) or any(index >= len(directories) for index in indexes):
        raise SysrootError("its files are in directories that it does not name")
    for at, name in zip(indexes, names, strict=True):
        yield allowance.path(directories[at], name)


def _digests(one: Header, paths: tuple[bytes, ...]) -> dict[str, Digest]:
    algorithm = _ALGORITHMS.get(_first(one, header.DIGEST_ALGORITHM))
    if algorithm is None:
        return {}
    pairs = zip(paths, one.texts(header.FILE_DIGESTS), strict=False)
    return {text(path): Digest(algorithm, text(value)) for path, value in pairs if value}


def _first(one: Header, tag: int) -> int:
    return (one.numbers(tag) or (0,))[0]


def _of_line(line: bytes, where: str) -> Package:
    fields = text(line).split("\t")
    if len(fields) != _FIELDS:
        raise SysrootError(f"{where}: a line of {len(fields)} fields, not {_FIELDS}")
    name = check_word(fields[0], "name", where)
    check_word(fields[1], "version", f"{where}: {name}")
    check_word(fields[7], "architecture", f"{where}: {name}")
    epoch = int(fields[8]) if fields[8].isascii() and fields[8].isdigit() else 0
    source = "" if fields[9] == "(none)" else fields[9]
    vendor = "" if fields[4] == "(none)" else fields[4]
    return Package("rpm", name, fields[1], fields[7], epoch, source, supplier=vendor)


def _is_file(sysroot: Sysroot, path: str) -> bool:
    found = sysroot.lookup(path)
    return found is not None and found.node.kind is Kind.FILE
