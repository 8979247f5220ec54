"""What a tree or image consists of, as one value: files, the packages they are of, and why.

``spdx``, ``cyclonedx`` and ``provenance`` write it in the forms that others
read. The same tree with the same packages gives the same bytes: nothing is of
the host, the user or the clock.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.sysroot.package import Package

TOOL = "rootgen"
# A whole Debian desktop has 30,000.
_DEPENDS_LIMIT = 4_000_000
# Package URL, "Rules for each purl component": what is not encoded.
_UNRESERVED = ".-_~:"


class BomFile(NamedTuple):
    """One file: ``package`` is an index into the packages, or -1; digests are hex.

    ``sha1`` is empty where nobody asked for it; ``differs`` is the package
    whose file of this path has another content.
    """

    path: str
    size: int
    sha256: str
    sha1: str = ""
    package: int = -1
    differs: str = ""
    reasons: tuple[str, ...] = ()


class BomPackage(NamedTuple):
    """One package: ``depends`` are indexes of others; ``licence_files`` paths that are here."""

    package: Package
    purl: str
    depends: tuple[int, ...] = ()
    licence_files: tuple[str, ...] = ()


class Release(NamedTuple):
    """The distribution, by os-release(5): ``debian``, ``12``, ``Debian GNU/Linux 12``."""

    identity: str = ""
    version: str = ""
    title: str = ""

    def name(self) -> str:
        """Return ``debian-12``, or nothing."""
        return f"{self.identity}-{self.version}" if self.version else self.identity


class Bom(NamedTuple):
    """The whole: ``digest`` is the Plan's, ``subject`` what the image or tree is named by.

    ``image`` tells whether that is an image's manifest; ``created`` is in
    seconds since 1970; ``tool`` is the version of rootgen.
    """

    name: str
    digest: str
    subject: str
    image: bool
    created: int
    tool: str
    release: Release
    programs: tuple[str, ...]
    packages: tuple[BomPackage, ...]
    files: tuple[BomFile, ...]

    def time(self) -> str:
        """Return ``created`` as RFC 3339 writes it."""
        from time import gmtime, strftime

        return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(self.created))


def parse_release(data: bytes) -> Release:
    """Return what an os-release(5) file says; lines that are no assignments are passed over."""
    import shlex

    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        name, equals, value = line.partition("=")
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        if equals and len(words) == 1:
            found[name.strip()] = words[0]
    return Release(
        found.get("ID", "linux"), found.get("VERSION_ID", ""), found.get("PRETTY_NAME", "")
    )


def purl_of(package: Package, release: Release) -> str:
    """Return the package URL (purl-spec, PURL-TYPES: ``deb``, ``rpm``, ``apk``)."""
    default = {"deb": "debian", "apk": "alpine"}.get(package.manager, "")
    space = release.identity if release.identity not in {"", "linux"} else default
    qualifiers = {
        "arch": package.architecture,
        "distro": release.name() if release.identity != "linux" else "",
        "epoch": str(package.epoch or ""),
        "upstream": _upstream(package),
    }
    asked = "&".join(f"{key}={_quoted(one)}" for key, one in sorted(qualifiers.items()) if one)
    head = f"pkg:{package.manager}/" + (f"{_quoted(space.lower())}/" if space else "")
    return f"{head}{_quoted(package.name)}@{_quoted(package.version)}" + (
        f"?{asked}" if asked else ""
    )


def bom_packages(
    packages: Sequence[Package], release: Release, licences: Mapping[int, tuple[str, ...]]
) -> tuple[BomPackage, ...]:
    """Return packages with their URLs, and with what they depend on among themselves.

    Raises SysrootError where each is said to need all the others.
    """
    left = _DEPENDS_LIMIT
    provided: dict[str, set[int]] = {}
    for number, package in enumerate(packages):
        for name in (package.name, *package.provides):
            provided.setdefault(name, set()).add(number)
    made: list[BomPackage] = []
    for number, package in enumerate(packages):
        wanted = {name for group in package.depends for name in group}
        found = {one for name in wanted for one in provided.get(name, ())} - {number}
        left -= len(found)
        if left < 0:
            raise SysrootError(f"over {_DEPENDS_LIMIT} dependencies among {len(packages)} packages")
        purl = purl_of(package, release)
        made.append(BomPackage(package, purl, tuple(sorted(found)), licences.get(number, ())))
    return tuple(made)


def shown(name: str) -> str:
    """Return ``name`` as a JSON text that every reader takes.

    A byte that is no UTF-8 is written ``\\xNN``: a lone surrogate is refused
    by many (RFC 8259, 8.2). ``raw_bytes`` then has the whole.
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def raw_bytes(name: str) -> str:
    """Return the bytes of a name that is no UTF-8 in hexadecimal, or nothing."""
    return "" if name.isascii() or shown(name) == name else _encoded(name).hex()


def short_hash(name: str | bytes) -> str:
    """Return what tells ``name`` from every other one, of letters and digits."""
    from hashlib import sha256

    return sha256(_encoded(name) if isinstance(name, str) else name).hexdigest()[:20]


def members(values: Mapping[str, object]) -> bytes:
    """Return the members of a JSON object, ASCII, in their order; what is iterated has a line each.

    Only one item of an iterator is there at a time: a tree has a million files.
    """
    from json import JSONEncoder

    encode = JSONEncoder().encode
    parts: list[str] = []
    for name, value in values.items():
        if isinstance(value, Iterator):
            lines = ",\n".join(map(encode, value))
            parts.append(f"{encode(name)}: [\n{lines}\n]" if lines else f"{encode(name)}: []")
        else:
            parts.append(f"{encode(name)}: {encode(value)}")
    return ",\n".join(parts).encode("ascii")


def braced(*parts: bytes) -> bytes:
    """Return the object that has the members ``parts``."""
    return b"{\n" + b",\n".join(parts) + b"\n}"


def _upstream(package: Package) -> str:
    source, version = package.source, package.source_version
    if not source or (source == package.name and not version):
        return ""
    return f"{source}@{version}" if version else source


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(_encoded(text), safe=_UNRESERVED)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
