"""What scanners read of a minimal image: which distribution, which packages, which of their files.

They look where a whole distribution keeps it, and at what distroless images
have instead: ``var/lib/dpkg/status.d/NAME`` with ``NAME.md5sums``,
``lib/apk/db/installed``, ``var/lib/rpmmanifest/container-manifest-2``. Only
packages of which a file is here are recorded, and of their files only those.
"""

from __future__ import annotations

from collections import Counter

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.collect import Skipped
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline, Reason, ReasonKind
from rootgen.plan.rules import real_target
from rootgen.sysroot.apk import lines_with
from rootgen.sysroot.dpkg import CHECKSUMS, STATUS_D, parse_stanza
from rootgen.sysroot.owner import databases, owners_of, unread
from rootgen.sysroot.port import Kind
from rootgen.sysroot.rpm import MANIFEST, manifest_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rootgen.plan.collect import Collection
    from rootgen.plan.plan import Plan
    from rootgen.sysroot.owner import Owner
    from rootgen.sysroot.package import Database, Package
    from rootgen.sysroot.port import Sysroot

# os-release(5); the others are how scanners tell releases that are older than it.
_RELEASES = ("/etc/os-release", "/usr/lib/os-release", "/etc/debian_version")
_RELEASE_SUFFIX = "-release"
# Fields of dpkg's status that say what happened on the machine, not what the package is.
_OF_THE_MACHINE = frozenset(("triggers-pending", "triggers-awaited", "config-version"))
_INSTALLED = b"install ok installed"


def add_records(collection: Collection, sysroot: Sysroot) -> None:
    """Add what scanners read to ``collection``, whose files are ``sysroot``'s.

    Raises SysrootError for a database that cannot be read.
    """
    lacks = unread(sysroot)
    if lacks:
        raise SysrootError(f"{sysroot.name}: {lacks}", hint="make the tree without --records")
    for path in _releases(sysroot):
        found = sysroot.lookup(path)
        if found is not None and found.node.kind is Kind.FILE:
            collection.add(found, Reason(ReasonKind.RECORD, "", "the distribution"))
    all_of_them = databases(sysroot)
    if not all_of_them:
        why = f"{sysroot.name} has no database of dpkg, apk or rpm"
        collection.skipped.append(Skipped("records of packages", why))
    owners = _with_licences(collection, sysroot, all_of_them)
    for database in all_of_them:
        own = {path: one for path, one in owners.items() if one.database is database}
        for entry in _entries(database, own):
            collection.add_entry(entry._replace(path=real_target(sysroot, entry.path)))


def _releases(sysroot: Sysroot) -> Iterator[str]:
    yield from _RELEASES
    found = sysroot.lookup("/etc")
    if found is not None and found.node.kind is Kind.DIRECTORY:
        for name in sysroot.names(found.path):
            if name.endswith(_RELEASE_SUFFIX):
                yield f"/etc/{name}"


def _with_licences(
    collection: Collection, sysroot: Sysroot, found: Iterable[Database]
) -> dict[str, Owner]:
    """Add each package's licence files; return who has what, those files included.

    A licence may be a link into another package, which is then here as well,
    with a licence of its own.
    """
    owners: dict[str, Owner] = {}
    asked: set[str] = set()
    seen: set[tuple[str, str]] = set()
    while paths := _of_the_root(collection.plan()) - asked:
        asked |= paths
        new = owners_of(found, sorted(paths))
        owners |= new
        for owner in new.values():
            if (owner.database.path, owner.key) in seen:
                continue
            seen.add((owner.database.path, owner.key))
            name = owner.package().name
            reason = Reason(ReasonKind.RECORD, name, f"package {name}: its licence")
            for path in owner.database.licence_files(owner.key):
                licence = sysroot.lookup(path)
                if licence is not None and licence.node.kind is Kind.FILE:
                    collection.add(licence, reason)
    return owners


def _of_the_root(plan: Plan) -> set[str]:
    """Return the files and links that are as the root has them: what was added is no package's."""
    paths = {
        entry.path
        for entry in plan.entries()
        if isinstance(entry.content, FromSysroot) or entry.kind is EntryKind.SYMLINK
    }
    links = (entry for entry in plan.entries() if entry.kind is EntryKind.HARDLINK)
    return paths | {entry.path for entry in links if entry.target in paths}


def _entries(database: Database, owners: Mapping[str, Owner]) -> Iterator[Entry]:
    """Return the record of the packages that ``owners`` (by path) have files of."""
    listed: dict[str, set[str]] = {}
    for owner in owners.values():
        listed.setdefault(owner.key, set()).add(owner.path)
    packages = {key: database.packages()[key] for key in sorted(listed)}
    managers = {package.manager for package in packages.values()}
    if "deb" in managers:
        yield from _dpkg(database, packages, listed)
    if "apk" in managers:
        records = (
            lines_with(package.record, frozenset(listed[key])) for key, package in packages.items()
        )
        yield _record(database.path, b"".join(b"%s\n" % one for one in records))
    if "rpm" in managers:
        lines = "".join(f"{manifest_line(package)}\n" for package in packages.values())
        yield _record(MANIFEST, _encoded(lines))


def _dpkg(
    database: Database, packages: Mapping[str, Package], listed: Mapping[str, set[str]]
) -> Iterator[Entry]:
    names = Counter(package.name for package in packages.values())
    for key, package in packages.items():
        own = package.name if names[package.name] == 1 else key
        here = listed[key]
        yield _record(f"{STATUS_D}/{own}", status_stanza(package.record, here), package.name)
        digests = database.digests(key)
        lines = (
            f"{digests[path].value}  {path.lstrip('/')}\n"
            for path in sorted(here)
            if path in digests
        )
        yield _record(f"{STATUS_D}/{own}{CHECKSUMS}", _encoded("".join(lines)), package.name)


def status_stanza(record: bytes, here: set[str]) -> bytes:
    """Return a package's stanza with the configuration files that are ``here``.

    What the machine did with the package since it was installed is left out.
    """
    lines: list[bytes] = []
    for name, value in parse_stanza(record).fields:
        if name in _OF_THE_MACHINE:
            continue
        if name == "conffiles":
            kept = [one for one in value.split(b"\n") if _conffile(one) in here]
            if kept:
                lines += [b"Conffiles:", *(b" " + one.strip() for one in kept)]
            continue
        written = b"-".join(part.capitalize() for part in _encoded(name).split(b"-"))
        said = _INSTALLED if name == "status" else value
        lines.append(written + (b":" if said.startswith(b"\n") else b": ") + said)
    return b"\n".join(lines) + b"\n"


def _conffile(line: bytes) -> str:
    return line.strip().partition(b" ")[0].decode("utf-8", "surrogateescape")


def _record(path: str, data: bytes, package: str = "") -> Entry:
    reason = Reason(ReasonKind.RECORD, package, "" if package else "the packages")
    return Entry(
        path, EntryKind.FILE, 0o644, size=len(data), content=Inline(data), reasons=(reason,)
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
