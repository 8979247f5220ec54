"""What scanners read of a minimal image: which distribution, which packages, which of their files.

They look where a whole distribution keeps it, and at what distroless images
have instead: ``var/lib/dpkg/status.d/NAME`` with ``NAME.md5sums``,
``lib/apk/db/installed``, ``var/lib/rpmmanifest/container-manifest-2``. Only
packages of which a file is here are recorded, and of their files only those.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.as_sysroot import PlanSysroot, Union
from rootgen.plan.collect import Collection, Skipped
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline, Reason, ReasonKind
from rootgen.plan.plan import Plan
from rootgen.plan.rules import real_target
from rootgen.sysroot.apk import Apk, lines_with
from rootgen.sysroot.dpkg import CHECKSUMS, STATUS_D, Dpkg, parse_stanza
from rootgen.sysroot.memory import MemorySysroot
from rootgen.sysroot.owner import databases, owners_of, unread
from rootgen.sysroot.port import Kind
from rootgen.sysroot.rpm import MANIFEST, Rpm, manifest_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rootgen.plan.base import Base
    from rootgen.sysroot.owner import Owner
    from rootgen.sysroot.package import Database, Package
    from rootgen.sysroot.port import Sysroot

# os-release(5); the others are how scanners tell releases that are older than it.
_RELEASES = ("/etc/os-release", "/usr/lib/os-release", "/etc/debian_version")
_RELEASE_SUFFIX = "-release"
# Fields of dpkg's status that say what happened on the machine, not what the package is.
_OF_THE_MACHINE = frozenset(("triggers-pending", "triggers-awaited", "config-version"))
_INSTALLED = b"install ok installed"


def add_records(
    collection: Collection,
    sysroot: Sysroot,
    base: Sysroot | None = None,
    root: Sysroot | None = None,
) -> None:
    """Add what scanners read to ``collection``, whose files are ``sysroot``'s.

    What ``base`` has recorded of the same packages stays recorded; ``root``
    says where a path lies in the target, if that is not laid out as ``sysroot``.
    Raises SysrootError for a database that cannot be read.
    """
    lacks = unread(sysroot)
    if lacks:
        raise SysrootError(f"{sysroot.name}: {lacks}", hint="make it without --records")
    for path in _releases(sysroot):
        found = sysroot.lookup(path)
        if found is not None and found.node.kind is Kind.FILE:
            collection.add(found, Reason(ReasonKind.RECORD, "", "the distribution"))
    all_of_them = databases(sysroot)
    if not all_of_them:
        why = f"{sysroot.name} has no database of dpkg, apk or rpm"
        collection.skipped.append(Skipped("records of packages", why))
    owners = _with_licences(collection, sysroot, all_of_them)
    before = MemorySysroot({}, {}) if base is None else base
    for database in all_of_them:
        own = {path: one for path, one in owners.items() if one.database is database}
        for entry in _entries(database, own, before):
            path = real_target(sysroot if root is None else root, entry.path)
            collection.add_entry(entry._replace(path=path))


def records_over(
    base: Base, brought: Plan, sysroot: Sysroot, root: Sysroot, epoch: int | None
) -> tuple[tuple[Entry, ...], tuple[Skipped, ...]]:
    """Return the records of what an increment brings over ``base`` from ``sysroot``.

    ``root`` is both, one over the other. What of the records is no part of
    the increment already, and what was left out. Raises as ``add_records``.
    """
    nothing = PlanSysroot(Plan(), sysroot, sysroot)
    collection = Collection(Union(nothing, sysroot), {}, epoch)
    for entry in brought.entries():
        collection.add_entry(entry)
    add_records(collection, sysroot, base.root, root)
    entries = tuple(
        entry
        for entry in collection.plan().entries()
        if entry.kind is not EntryKind.DIRECTORY
        and entry.path not in brought
        and not _is_bases(entry, base.plan.get(entry.path))
    )
    return entries, tuple(collection.skipped)


def _is_bases(entry: Entry, there: Entry | None) -> bool:
    """Tell whether the base's own stays: what it says of the distribution, and a like record."""
    if there is None or not isinstance(entry.content, Inline):
        return there is not None
    return there.sha256 == sha256(entry.content.data).hexdigest()


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


def _entries(database: Database, owners: Mapping[str, Owner], before: Sysroot) -> Iterator[Entry]:
    """Return the record of the packages that ``owners`` (by path) have files of."""
    here: dict[str, dict[str, str]] = {}
    for owner in owners.values():
        here.setdefault(owner.key, {})[owner.path] = owner.place or owner.path
    packages = {key: database.packages()[key] for key in sorted(here)}
    managers = {package.manager for package in packages.values()}
    if "deb" in managers:
        yield from _dpkg(database, packages, here, before)
    if "apk" in managers:
        yield _apk(database, packages, here, Apk(before))
    if "rpm" in managers:
        yield from _rpm(packages, Rpm(before))


def _dpkg(
    database: Database,
    packages: Mapping[str, Package],
    here: Mapping[str, Mapping[str, str]],
    before: Sysroot,
) -> Iterator[Entry]:
    names = Counter(package.name for package in packages.values())
    earlier = Dpkg(before)
    known = {one[:4]: key for key, one in earlier.packages().items()}
    taken = {earlier.stem(key) for key in known.values()}
    for key, package in packages.items():
        own = package.name if names[package.name] == 1 and package.name not in taken else key
        stated = database.digests(key)
        digests = {place: stated[path] for path, place in here[key].items() if path in stated}
        there = known.get(package[:4])
        if there is not None:
            own = earlier.stem(there)
            if not own:
                continue  # a whole distribution, which has it with all of its files
            digests = {**earlier.digests(there), **digests}
        elif own in taken:
            own = f"{key}:{package.version}"  # the base's own is another version: both are here
        stanza = status_stanza(package.record, here[key].keys() | digests.keys())
        lines = (f"{one.value}  {path.lstrip('/')}\n" for path, one in sorted(digests.items()))
        yield _record(f"{STATUS_D}/{own}", stanza, package.name)
        yield _record(f"{STATUS_D}/{own}{CHECKSUMS}", _encoded("".join(lines)), package.name)


def _apk(
    database: Database,
    packages: Mapping[str, Package],
    here: Mapping[str, Mapping[str, str]],
    earlier: Apk,
) -> Entry:
    known = {one[:4]: key for key, one in earlier.packages().items()}
    there = dict(earlier.lists())
    records = {package[:4]: package.record for package in earlier.packages().values()}
    for key, package in packages.items():
        paths = set(here[key])
        if package[:4] in known:
            listed = there[known[package[:4]]].decode("utf-8", "surrogateescape")
            paths.update(listed.split("\n"))
        records[package[:4]] = lines_with(package.record, frozenset(paths))
    path = earlier.path if earlier.is_there() else database.path
    return _record(path, b"".join(b"%s\n" % records[one] for one in sorted(records)))


def _rpm(packages: Mapping[str, Package], earlier: Rpm) -> Iterator[Entry]:
    known = earlier.packages() if earlier.is_there() else {}
    # A whole distribution's database goes on saying what it says; a manifest is one file.
    left = known if earlier.path == MANIFEST else {}
    told = {key: one for key, one in packages.items() if key not in known} | dict(left)
    if told:
        lines = (f"{manifest_line(told[key])}\n" for key in sorted(told))
        yield _record(MANIFEST, _encoded("".join(lines)))


def status_stanza(record: bytes, here: set[str]) -> bytes:
    """Return a package's stanza with the configuration files that are ``here``.

    What the machine did with the package since it was installed is left out.
    """
    lines: list[bytes] = []
    done = set(_OF_THE_MACHINE)
    for name, value in parse_stanza(record).fields:
        if name in done:  # a field that stands twice is an error to scanners
            continue
        done.add(name)
        if name == "conffiles":
            kept = [one for one in value.split(b"\n") if _conffile(one) in here]
            if kept:
                lines += [b"Conffiles:", *(b" " + one.strip() for one in kept)]
            continue
        written = b"-".join(part.capitalize() for part in _encoded(name).split(b"-"))
        said = _INSTALLED if name == "status" else value.replace(b"\n\t", b"\n ")
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
