"""Which package a file of a root belongs to: dpkg's, apk's and rpm's databases.

Read within bounds: a database is as hostile as anything else in a root.
"""

from __future__ import annotations

from io import BytesIO

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sysroot.apk import Apk
from rootgen.sysroot.dpkg import Dpkg
from rootgen.sysroot.rpm import Rpm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.sysroot.package import Database, Package
    from rootgen.sysroot.port import Sysroot

_MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")
_DATABASES = (
    "/dpkg/status", "/dpkg/diversions", "/apk/db/installed", "/rpmdb.sqlite", "/rpmdb.sqlite-wal",
    "/rpm/Packages", "/rpm/Packages.db", "/rpmmanifest/container-manifest-2",
)  # fmt: skip
_BENEATH = ("/dpkg/info/", "/dpkg/status.d/")
_BY_ADMINISTRATOR = ":"  # dpkg's diversions: those that no package made


class Owned(NamedTuple):
    """A package, and the path by which its database knows a file."""

    package: str
    path: str


class Owner(NamedTuple):
    """Who has a file: the database, its key for the package, and the path it knows it by.

    ``place`` is where the file is instead, if dpkg diverted it.
    """

    database: Database
    key: str
    path: str
    place: str = ""

    def package(self) -> Package:
        """Return what the database says of the package."""
        return self.database.packages()[self.key]


class Owners:
    """The packages of a root, for messages: what cannot be read adds nothing to one."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._databases = databases(sysroot)

    def package(self, path: str) -> str | None:
        """Return the package that has ``path``, or None."""
        try:
            owner = owners_of(self._databases, (path,)).get(path)
        except SysrootError:
            return None
        return None if owner is None else owner.package().name

    def suggest(self, name: str) -> Owned | None:
        """Return a package that has a file called ``name`` anywhere, or None."""
        wanted = b"/" + name.encode("utf-8", "surrogateescape") + b"\n"
        try:
            for database in self._databases:
                for key, data in database.lists():
                    at = data.find(wanted)
                    if at >= 0:
                        start = data.rfind(b"\n", 0, at) + 1
                        path = data[start : at + len(wanted) - 1].decode("utf-8", "replace")
                        return Owned(database.packages()[key].name, path)
        except SysrootError:
            return None
        return None


def databases(sysroot: Sysroot) -> tuple[Database, ...]:
    """Return the databases of a root that are read."""
    return tuple(one for one in (Dpkg(sysroot), Apk(sysroot), Rpm(sysroot)) if one.is_there())


def is_record(path: str) -> bool:
    """Tell whether a file may be part of a database, whatever links lead to where it is."""
    return path.endswith(_DATABASES) or any(part in path for part in _BENEATH)


def unread(sysroot: Sysroot) -> str:
    """Say which database the root has that is not read, or nothing."""
    return Rpm(sysroot).unread()


def owners_of(found: Iterable[Database], paths: Iterable[str]) -> dict[str, Owner]:
    """Return who has each of ``paths`` (real ones, of anything but directories).

    Both spellings of a merged-/usr are tried: dpkg's lists name ``/lib/…``
    where the file is at ``/usr/lib/…``, and the other way round. Raises
    SysrootError for a malformed database.
    """
    wanted = tuple(paths)
    owners: dict[str, Owner] = {}
    for database in found:
        for path, owner in _owners_in(database, wanted).items():
            owners.setdefault(path, owner)
    return owners


def _owners_in(database: Database, paths: tuple[str, ...]) -> dict[str, Owner]:
    diversions = database.diversions()
    diverted = {one.elsewhere: one.path for one in diversions}
    diverting = {one.path: one.package for one in diversions}
    # By what a list may say: which path that is of, and how near it is to it.
    spelled: dict[bytes, list[tuple[str, int]]] = {}
    for path in paths:
        for rank, spelling in enumerate(_spellings(path)):
            listed = diverted.get(spelling, spelling)
            spelled.setdefault(b"%s\n" % _encoded(listed), []).append((path, rank))
    names = set(spelled)
    best: dict[str, tuple[int, str, str]] = {}
    for key, data in database.lists():
        lines = names.intersection(BytesIO(data))
        # A list tells no directory from a link to one: what has something in it is a directory,
        # whatever stands there in this root.
        above = {line.rpartition(b"/")[0] for line in BytesIO(data)} if lines else set()
        for line in lines:
            listed = line[:-1].decode("utf-8", "surrogateescape")
            for path, rank in spelled[line]:
                if line[:-1] not in above and _is_its(key, path, listed, diverted, diverting):
                    candidate = (rank, key, listed)
                    best[path] = min(best.get(path, candidate), candidate)
    return {
        path: Owner(database, key, listed, "" if listed in _spellings(path) else path)
        for path, (_, key, listed) in best.items()
    }


def _is_its(
    key: str, path: str, listed: str, diverted: dict[str, str], diverting: dict[str, str]
) -> bool:
    """Tell whether what a package lists as ``listed`` lies at ``path`` (dpkg-divert(1)).

    At a diverted path lies the diverting package's own file, and the others'
    elsewhere.
    """
    if listed not in diverting:
        return True
    mine = key.partition(":")[0] == diverting[listed] != _BY_ADMINISTRATOR
    elsewhere = any(diverted.get(one) == listed for one in _spellings(path))
    return mine != elsewhere


def _spellings(path: str) -> Iterator[str]:
    yield path
    if path.startswith("/usr/"):
        yield path.removeprefix("/usr")
    elif path.startswith(_MERGED):
        yield f"/usr{path}"


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
