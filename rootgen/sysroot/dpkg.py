"""dpkg's database: ``status``, ``info/NAME.list`` and ``info/NAME.md5sums`` (dpkg(1), deb822(5)).

A minimal image has ``status.d/NAME`` instead, a stanza each, with
``status.d/NAME.md5sums`` beside it: the form of distroless images, which
scanners read.
"""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sysroot.package import (
    PACKAGES_LIMIT,
    TEXT_LIMIT,
    Allowance,
    Digest,
    Diversion,
    Package,
    blocks,
    check_word,
    read_file,
    text,
)
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.sysroot.port import Sysroot

ADMIN = "/var/lib/dpkg"
STATUS_D = f"{ADMIN}/status.d"
CHECKSUMS = ".md5sums"
# The lists of a large Debian have 60 MB in all, the longest 3; the longest stanza is of 50 KB.
_LIST_LIMIT, _LISTS_LIMIT = 16 << 20, 512 << 20
_STANZA_LIMIT, _STANZAS_LIMIT = 1 << 20, 32 << 20
_DIVERSIONS_LIMIT = 4 << 20
# dpkg(1): what is left of a package in these states is no file but configuration.
_GONE = frozenset(("not-installed", "config-files"))
_MD5_DIGITS = 32


class Stanza(NamedTuple):
    """Fields by their names in lower case (deb822(5): case does not count), in order."""

    fields: tuple[tuple[str, bytes], ...]

    def get(self, name: str) -> bytes:
        """Return a field's value with its continuation lines, or nothing."""
        return next((value for key, value in self.fields if key == name), b"")


class Dpkg:
    """The packages of a Debian root (``package.Database``)."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self._sysroot = sysroot
        self.path = ADMIN
        self._packages: dict[str, Package] | None = None
        self._stems: dict[str, str] = {}

    def is_there(self) -> bool:
        """Tell whether the root has such a database."""
        return any(self._sysroot.lookup(path) is not None for path in (f"{ADMIN}/status", STATUS_D))

    def packages(self) -> Mapping[str, Package]:
        """Return the installed packages by ``name:architecture``.

        Layers over each other may have a package in two versions: a second
        one has its version in its key.
        """
        if self._packages is None:
            found: dict[str, Package] = {}
            allowance = Allowance(f"{ADMIN}/status in {self._sysroot.name}")
            for where, data in self._stanzas():
                package = package_of(parse_stanza(data), data, allowance, where)
                if package is None:
                    continue
                key = f"{package.name}:{package.architecture}"
                if key in found and found[key].version != package.version:
                    key = f"{key}:{package.version}"
                found.setdefault(key, package)
                if where.startswith(f"{STATUS_D}/"):
                    self._stems.setdefault(key, where.removeprefix(f"{STATUS_D}/"))
            self._packages = found
        return self._packages

    def stem(self, key: str) -> str:
        """Return what a package's files in ``status.d`` are called, nothing where it has none."""
        return self._stems.get(key, "") if key in self.packages() else ""

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Return what each package has, by the names of its list.

        A package that was removed, and not purged, has a list of what its
        configuration was: that is no package's any more.
        """
        left = _LISTS_LIMIT
        for key, data in self._lists():
            left -= len(data)
            if left < 0:
                raise SysrootError(f"{ADMIN} in {self._sysroot.name}: too long lists of files")
            yield key, data if data.endswith(b"\n") else data + b"\n"

    def _lists(self) -> Iterator[tuple[str, bytes]]:
        # Those of which there may be one for each architecture have it in the names of their files.
        keys = {package.name: key for key, package in reversed([*self.packages().items()])}
        keys |= {key: key for key in self.packages()}
        info = f"{ADMIN}/info"
        for name in self._names(info):
            key = keys.get(name.removesuffix(".list")) if name.endswith(".list") else None
            if key is not None:
                yield key, read_file(self._sysroot, f"{info}/{name}", _LIST_LIMIT) or b""
        for key in self._stems:
            yield key, b"".join(b"%s\n" % _encoded(path) for path in self.digests(key))

    def digests(self, key: str) -> Mapping[str, Digest]:
        """Return the MD5 of each file, and of the configuration files as they were shipped."""
        found = _conffiles(parse_stanza(self.packages()[key].record).get("conffiles"))
        stem, info = self.stem(key), f"{ADMIN}/info"
        places = [f"{STATUS_D}/{stem}"] if stem else []
        for place in (*places, f"{info}/{key}", f"{info}/{key.partition(':')[0]}"):
            data = read_file(self._sysroot, place + CHECKSUMS, _LIST_LIMIT)
            if data is not None:
                return found | _checksums(data)
        return found

    def licence_files(self, key: str) -> tuple[str, ...]:
        """Return where Debian policy (12.5) wants the copyright file."""
        return (f"/usr/share/doc/{key.partition(':')[0]}/copyright",)

    def diversions(self) -> tuple[Diversion, ...]:
        """Return dpkg's diversions: three lines each."""
        data = read_file(self._sysroot, f"{ADMIN}/diversions", _DIVERSIONS_LIMIT)
        lines = (data or b"").split(b"\n")
        return tuple(
            Diversion(text(path), text(elsewhere), text(package))
            for path, elsewhere, package in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
        )

    def _stanzas(self) -> Iterator[tuple[str, bytes]]:
        places = [f"{ADMIN}/status"]
        names = self._names(STATUS_D)
        places += [f"{STATUS_D}/{one}" for one in names if not one.endswith(CHECKSUMS)]
        left, count = _STANZAS_LIMIT, PACKAGES_LIMIT
        for place in places:
            data = read_file(self._sysroot, place, TEXT_LIMIT) or b""
            for stanza in blocks(data, _STANZA_LIMIT, f"{place} in {self._sysroot.name}"):
                left, count = left - len(stanza), count - 1
                if left < 0 or count < 0:
                    raise SysrootError(f"{place} in {self._sysroot.name}: too many packages")
                yield place, stanza

    def _names(self, directory: str) -> list[str]:
        found = self._sysroot.lookup(directory)
        if found is None or found.node.kind is not Kind.DIRECTORY:
            return []
        return list(self._sysroot.names(found.path))


def parse_stanza(data: bytes) -> Stanza:
    """Return the fields of one stanza; lines that are none are passed over, as scanners do."""
    fields: list[tuple[str, list[bytes]]] = []
    for line in data.split(b"\n"):
        if line[:1] in {b" ", b"\t"}:
            if fields:
                fields[-1][1].append(line)
            continue
        name, colon, value = line.partition(b":")
        if colon:
            fields.append((text(name).lower(), [value.strip()]))
    return Stanza(tuple((name, b"\n".join(lines)) for name, lines in fields))


def package_of(stanza: Stanza, record: bytes, allowance: Allowance, where: str) -> Package | None:
    """Return the package that a stanza is of; None for one that is not installed.

    Raises SysrootError for a name, version or architecture that can be none.
    """
    status = stanza.get("status").split()
    if status and text(status[-1]) in _GONE:
        return None
    name = check_word(text(stanza.get("package")), "name", where)
    version = check_word(text(stanza.get("version")), "version", f"{where}: {name}")
    architecture = text(stanza.get("architecture")) or "all"
    check_word(architecture, "architecture", f"{where}: {name}")
    source, _, source_version = text(stanza.get("source")).partition(" ")
    depends = b", ".join(one for one in map(stanza.get, ("pre-depends", "depends")) if one)
    provides = relations(text(stanza.get("provides")), allowance)
    return Package(
        "deb",
        name,
        version,
        architecture,
        0,
        source,
        source_version.strip("() "),
        text(stanza.get("maintainer")),
        "",
        relations(text(depends), allowance),
        tuple(one for group in provides for one in group),
        record,
    )


def relations(written: str, allowance: Allowance) -> tuple[tuple[str, ...], ...]:
    """Return the names of a relationship field, alternatives together (deb-control(5))."""
    groups: list[tuple[str, ...]] = []
    for group in written.split(","):
        allowance.take(len(group))
        names = (one.partition("(")[0].partition("[")[0].strip() for one in group.split("|"))
        kept = tuple(one.partition(":")[0] for one in names if one)
        if kept:
            groups.append(kept)
    return tuple(groups)


def _conffiles(value: bytes) -> dict[str, Digest]:
    """Return the field Conffiles: a path and its MD5 a line, maybe marked ``obsolete``."""
    found: dict[str, Digest] = {}
    for line in value.split(b"\n"):
        path, _, rest = line.strip().rpartition(b" ")
        if rest in {b"obsolete", b"remove-on-upgrade"}:
            path, _, rest = path.rpartition(b" ")
        if path.startswith(b"/") and len(rest) == _MD5_DIGITS:
            found[text(path)] = Digest("md5", text(rest))
    return found


def _checksums(data: bytes) -> dict[str, Digest]:
    """Return a file of md5sum(1): the digest, two spaces, a path without its first slash."""
    found: dict[str, Digest] = {}
    for line in data.split(b"\n"):
        value, _, path = line.partition(b"  ")
        if path and len(value) == _MD5_DIGITS:
            found["/" + text(path).lstrip("/")] = Digest("md5", text(value))
    return found


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
