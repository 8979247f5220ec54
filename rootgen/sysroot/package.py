"""One installed package, and the database of a package manager that knows it.

A database is as hostile as anything else in a root: it is read within bounds,
and what it calls a package is checked before it becomes part of a file name
or of a document.
"""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple, Protocol
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.sysroot.port import Sysroot

# dpkg's status of a large Debian has 6 MB, Alpine's database 10.
TEXT_LIMIT = 64 << 20
PACKAGES_LIMIT = 200_000
# So much of memory may the paths, relations and digests of one database take, each with what
# Python needs for it: a large Fedora has 600,000 files.
_ALLOWANCE, _EACH = 1 << 30, 512
_PATH_MAX = 4096  # <linux/limits.h>
# What goes before and behind it in the name of a file is within NAME_MAX.
_WORD_LIMIT = 240
_SHOWN = 60


class Package(NamedTuple):
    """What a database says of one package.

    ``manager`` is its type in package URLs: ``deb``, ``rpm`` or ``apk``.
    ``version`` is as the manager compares it (with rpm's release), ``epoch``
    rpm's alone; ``source`` is what it was built from, ``record`` the
    database's own words. ``depends`` are alternatives, each a tuple of names.
    ``size`` (bytes, installed) and ``built`` (seconds since 1970) are rpm's.
    """

    manager: str
    name: str
    version: str
    architecture: str
    epoch: int = 0
    source: str = ""
    source_version: str = ""
    supplier: str = ""
    licence: str = ""
    depends: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()
    record: bytes = b""
    size: int = 0
    built: int = 0


class Digest(NamedTuple):
    """What a database says that a file's content is: ``md5``, ``sha1`` or ``sha256``, and hex."""

    algorithm: str
    value: str


class Diversion(NamedTuple):
    """What dpkg puts at ``elsewhere``, of every package but ``package`` (dpkg-divert(1))."""

    path: str
    elsewhere: str
    package: str


class Database(Protocol):
    """What one package manager keeps of a root; packages are told apart by a key of its own."""

    @property
    def path(self) -> str:
        """Where it is, by its real path."""

    def packages(self) -> Mapping[str, Package]:
        """Return the installed packages by key; raise SysrootError for a malformed database."""

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Return for each key of ``packages`` the absolute paths it has, each with a newline."""

    def digests(self, key: str) -> Mapping[str, Digest]:
        """Return what a package's regular files are, by path; those without a digest lack."""

    def licence_files(self, key: str) -> tuple[str, ...]:
        """Return the paths where a package's licence may be."""

    def diversions(self) -> tuple[Diversion, ...]:
        """Return what lies elsewhere than its package says."""


class Installed(NamedTuple):
    """A package of a database that is read as a whole, and what that has of its files."""

    package: Package
    paths: tuple[bytes, ...] = ()
    digests: Mapping[str, Digest] = {}
    licences: tuple[str, ...] = ()


class WholeDatabase:
    """What a database does that is read as a whole, once (``Database``)."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._all: dict[str, Installed] | None = None
        self._packages: dict[str, Package] | None = None

    def packages(self) -> Mapping[str, Package]:
        """Return the installed packages by key."""
        if self._packages is None:
            self._packages = {key: one.package for key, one in self._installed().items()}
        return self._packages

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Return what each package has."""
        for key, one in self._installed().items():
            yield key, b"".join(b"%s\n" % path for path in one.paths)

    def digests(self, key: str) -> Mapping[str, Digest]:
        """Return what the database has of each regular file."""
        return self._installed()[key].digests

    def licence_files(self, key: str) -> tuple[str, ...]:
        """Return the files that the package marks as its licence."""
        return self._installed()[key].licences

    def diversions(self) -> tuple[Diversion, ...]:
        """Return nothing: dpkg alone has diversions."""
        return ()

    def _installed(self) -> dict[str, Installed]:
        if self._all is None:
            self._all = self._read_all()
        return self._all

    def _read_all(self) -> dict[str, Installed]:
        """Read the database; each kind has its own way."""
        raise NotImplementedError


class Allowance:
    """What one database may still take: a few bytes of it can stand for long paths."""

    def __init__(self, where: str) -> None:
        """Begin with all of it; ``where`` is for the message."""
        self._where = where
        self._left = _ALLOWANCE

    def take(self, size: int) -> None:
        """Take what a value of ``size`` bytes needs; raise SysrootError past the end."""
        self._left -= size + _EACH
        if self._left < 0:
            raise SysrootError(f"{self._where}: more than a database of packages has")

    def path(self, directory: bytes, name: bytes) -> bytes:
        """Return the path of a file; raise SysrootError for one that can be none."""
        size = len(directory) + len(name)
        if size > _PATH_MAX:
            raise SysrootError(f"{self._where}: a path of {size} bytes")
        self.take(size)
        return directory + name


def blocks(data: bytes, limit: int, where: str) -> Iterator[bytes]:
    """Return what stands between empty lines, each with its end; raise SysrootError past ``limit``.

    ``limit`` is in bytes, of one of them.
    """
    from io import BytesIO

    lines: list[bytes] = []
    size = 0
    for line in BytesIO(data):
        if line != b"\n":
            lines.append(line)
            size += len(line)
            if size > limit:
                raise SysrootError(f"{where}: an entry of more than {limit} bytes")
        elif lines:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines).rstrip(b"\n") + b"\n"


def read_file(sysroot: Sysroot, path: str, limit: int = TEXT_LIMIT) -> bytes | None:
    """Return the bytes of the file that ``path`` leads to; None where there is none.

    Raises SysrootError where it may not be read, or is longer than ``limit``.
    """
    found = sysroot.lookup(path)
    if found is None or found.node.kind is not Kind.FILE:
        return None
    if found.node.size > limit:
        raise SysrootError(f"{path} in {sysroot.name}: {found.node.size} bytes are too many")
    parts: list[bytes] = []
    done = 0
    with sysroot.open(found.path) as file:
        while part := file.pread(max(found.node.size - done, 1), done):
            parts.append(part)
            done += len(part)
            if done > limit:
                raise SysrootError(f"{path} in {sysroot.name}: it grows while it is read")
    return b"".join(parts)


def check_word(word: str, what: str, where: str) -> str:
    """Return a name, version or architecture that is one; raise SysrootError, with ``where``.

    It is one word of ASCII without a slash, as all three managers demand.
    """
    sound = word.isascii() and word.isprintable() and not set(word) & set(" /\\\"'<>")
    if not word or len(word) > _WORD_LIMIT or not sound or word.startswith("."):
        shown = word[:_SHOWN].encode("unicode_escape", "surrogatepass").decode()
        raise SysrootError(f"{where}{': ' if where else ''}'{shown}' is no {what} of a package")
    return word


def text(data: bytes) -> str:
    """Return text whose bytes that are no UTF-8 are kept as lone surrogates (PEP 383)."""
    return data.decode("utf-8", "surrogateescape")
