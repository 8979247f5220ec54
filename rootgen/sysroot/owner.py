"""Which package a file of a root belongs to: dpkg's lists, apk's database.

Read only on the way to a message, and within bounds: a database is as
hostile as anything else in a root.
"""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sysroot.port import Sysroot

_DPKG_LISTS = "/var/lib/dpkg/info"
_APK_DATABASE = "/lib/apk/db/installed"
# The lists of a large Debian have 60 MB in all, the largest single one 3 MB.
_LIST_LIMIT = 16 << 20
_TOTAL_LIMIT = 256 << 20
_MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")


class Owned(NamedTuple):
    """A package, and the path by which its database knows a file."""

    package: str
    path: str


class Owners:
    """The packages of a root."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._sysroot = sysroot

    def package(self, path: str) -> str | None:
        """Return the package that has ``path``, or None.

        Both spellings of a merged-/usr are tried: dpkg's lists name
        ``/lib/…`` where the file is at ``/usr/lib/…``, and the other way round.
        """
        spellings = {spelling.encode("utf-8", "surrogateescape") for spelling in _spellings(path)}
        for owned in self._search(spellings):
            return owned.package
        return None

    def suggest(self, name: str) -> Owned | None:
        """Return a package that has a file called ``name`` anywhere, or None."""
        wanted = b"/" + name.encode("utf-8", "surrogateescape")
        for owned in self._search({wanted}, suffix=True):
            return owned
        return None

    def _search(self, wanted: set[bytes], *, suffix: bool = False) -> Iterator[Owned]:
        for package, data in self._lists():
            for line in wanted:
                at = data.find(line + b"\n")
                if at < 0 or (not suffix and at > 0 and data[at - 1 : at] != b"\n"):
                    continue
                start = data.rfind(b"\n", 0, at) + 1
                path = data[start : at + len(line)].decode("utf-8", "replace")
                yield Owned(package, path)

    def _lists(self) -> Iterator[tuple[str, bytes]]:
        yield from self._dpkg()
        yield from self._apk()

    def _dpkg(self) -> Iterator[tuple[str, bytes]]:
        left = _TOTAL_LIMIT
        found = self._sysroot.lookup(_DPKG_LISTS)
        if found is None or found.node.kind is not Kind.DIRECTORY:
            return
        try:
            names = self._sysroot.names(found.path)
        except SysrootError:
            # Whose file it is adds to a message; that it cannot be told is no message of its own.
            return
        for name in names:
            if name.endswith(".list") and left > 0:
                data = self._read(f"{found.path}/{name}")
                left -= len(data)
                yield name.removesuffix(".list").partition(":")[0], data

    def _apk(self) -> Iterator[tuple[str, bytes]]:
        """Turn apk's database (P: package, F: directory, R: file) into lists like dpkg's."""
        package, directory = "", ""
        lines: list[bytes] = []
        for raw in self._read(_APK_DATABASE).split(b"\n"):
            key, value = raw[:2], raw[2:]
            if key == b"P:":
                package = value.decode("utf-8", "replace")
            elif key == b"F:":
                directory = value.decode("utf-8", "surrogateescape")
            elif key == b"R:":
                path = f"/{directory}/".encode("utf-8", "surrogateescape") + value
                lines.append(path if directory else b"/" + value)
            elif not raw and package:
                yield package, b"\n".join([*lines, b""])
                package, lines = "", []

    def _read(self, path: str) -> bytes:
        found = self._sysroot.lookup(path)
        if found is None or found.node.kind is not Kind.FILE:
            return b""
        try:
            with self._sysroot.open(found.path) as file:
                return file.pread(_LIST_LIMIT, 0)
        except SysrootError:
            return b""


def _spellings(path: str) -> Iterator[str]:
    yield path
    if path.startswith("/usr/"):
        yield path.removeprefix("/usr")
    elif path.startswith(_MERGED):
        yield f"/usr{path}"
