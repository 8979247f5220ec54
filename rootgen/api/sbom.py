"""``sbom``: what a tree or an image consists of, in a form that others read."""

from __future__ import annotations

from rootgen.api.materials import image_materials, tree_materials
from rootgen.errors import UsageError
from rootgen.image.sbom import Bom, BomFile, Release, bom_packages, parse_release
from rootgen.ldso.cache import CACHE_PATH
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.skeleton import files as skeleton_files
from rootgen.report.reason import reason_words
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.owner import databases, is_record, owners_of, unread
from rootgen.sysroot.package import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.api.materials import Materials
    from rootgen.named import Progress
    from rootgen.sysroot.owner import Owner
    from rootgen.sysroot.port import Sysroot


SPDX, CYCLONEDX, SLSA = FORMATS = ("spdx", "cyclonedx", "slsa")
# As they are registered with IANA, and in-toto's attestation framework has it.
MEDIA_TYPES = {
    SPDX: "application/spdx+json",
    CYCLONEDX: "application/vnd.cyclonedx+json",
    SLSA: "application/vnd.in-toto+json",
}
_RELEASES = ("/etc/os-release", "/usr/lib/os-release")
_RELEASE_LIMIT = 1 << 16


class SbomRequest(NamedTuple):
    """What to describe (a directory, or an image of ``store``), and as which of FORMATS.

    ``sysroot`` is the root whose packages are asked where the tree has no
    record of its own; ``attach`` keeps the document in the store, about the
    image. ``epoch`` is the time that it is said to be of.
    """

    root: str
    form: str
    store: str
    sysroot: str = "/"
    epoch: int = 0
    attach: bool = False


class SbomResult(NamedTuple):
    """The document; ``unknown`` files are of no package that is known, ``changed`` not as it had.

    ``artifact`` is the digest of what was attached, or nothing.
    """

    data: bytes
    packages: int
    files: int
    unknown: int
    changed: int
    notes: tuple[str, ...]
    artifact: str = ""


def sbom(request: SbomRequest, *, progress: Progress | None = None) -> SbomResult:
    """Return the document of ``request``: the same bytes for the same tree and packages.

    Raises UsageError, TreeError, PlanError, ImageError, LayerError, and
    SysrootError for a database of packages that is malformed.
    """
    if request.form not in FORMATS:
        raise UsageError(f"the formats are {', '.join(FORMATS)}")
    from rootgen.api.run import root_or_image

    is_tree = isinstance(root_or_image(request.root), str)
    if is_tree and request.attach:
        raise UsageError(
            f"{request.root} is a directory: only to an image can something be attached",
            hint="make an image of it with rootgen commit",
        )
    read = tree_materials if is_tree else image_materials
    materials = read(request.root, request.store, progress)
    bom, notes = bom_of(materials, request)
    data = _render(bom, request.form)
    artifact = _attach(request, bom, data) if request.attach else ""
    unknown = len(_of_nobody(bom.files))
    changed = sum(bool(one.differs) for one in bom.files)
    return SbomResult(data, len(bom.packages), len(bom.files), unknown, changed, notes, artifact)


def bom_of(materials: Materials, request: SbomRequest) -> tuple[Bom, tuple[str, ...]]:
    """Return the value behind every format, and what a person should know of it."""
    source, notes = _source(materials.sysroot, request.sysroot)
    release = _release(materials.sysroot)
    if not release.identity and source is not None:
        release = _release(source)
    found = {} if source is None else _owners(source, materials)
    changed = _changed(found, materials)
    # Another root's package is here only where one of its files is; one of our own record always.
    keyed = {
        (one.database.path, one.key): one.package()
        for path, one in found.items()
        if source is materials.sysroot or path not in changed
    }
    for database in databases(materials.sysroot):
        keyed |= {(database.path, key): one for key, one in database.packages().items()}
    numbers = {key: number for number, key in enumerate(sorted(keyed))}
    files = tuple(_files(materials, found, changed, numbers))
    packages = bom_packages(
        [keyed[key] for key in numbers], release, _licences(materials, found, numbers)
    )
    from rootgen import __version__

    bom = Bom(
        materials.name,
        materials.digest,
        materials.subject,
        materials.image is not None,
        request.epoch,
        __version__,
        release,
        materials.programs,
        packages,
        files,
    )
    return bom, (*notes, *_unknown(files))


def _source(own: Sysroot, other: str) -> tuple[Sysroot | None, tuple[str, ...]]:
    """Return the root whose databases are asked: the tree's own, where it has any."""
    if databases(own):
        return own, ()
    lacks = unread(own)
    notes = (lacks,) if lacks else ()
    if not other:
        return None, (*notes, "the tree has no record of packages")
    sysroot = DirectorySysroot(other)
    lacks = unread(sysroot)
    if not databases(sysroot):
        return None, (*notes, lacks or f"neither the tree nor {other} has a record of packages")
    told = f"the tree has no record of packages: those of {other}, by path and digest"
    return sysroot, (*notes, told)


def _owners(source: Sysroot, materials: Materials) -> dict[str, Owner]:
    files = (EntryKind.FILE, EntryKind.HARDLINK)
    paths = [one.path for one in materials.plan.entries() if one.kind in files]
    return owners_of(databases(source), paths)


def _changed(found: Mapping[str, Owner], materials: Materials) -> set[str]:
    """Return the paths of files that are not what their packages say; most do not say of all."""
    groups: dict[tuple[str, str], list[tuple[str, Owner]]] = {}
    for path, owner in found.items():
        groups.setdefault((owner.database.path, owner.key), []).append((path, owner))
    changed: set[str] = set()
    for group in groups.values():
        owner = group[0][1]
        stated = owner.database.digests(owner.key)
        for path, one in group:
            said = stated.get(one.path)
            if said is not None and materials.digests[path].get(said.algorithm) != said.value:
                changed.add(path)
    return changed


def _licences(
    materials: Materials, found: Mapping[str, Owner], numbers: Mapping[tuple[str, str], int]
) -> dict[int, tuple[str, ...]]:
    """Return the licence files that are here, by the number of their package."""
    licences: dict[int, tuple[str, ...]] = {}
    for owner in found.values():
        number = numbers.get((owner.database.path, owner.key), -1)
        if number not in licences:
            licences[number] = tuple(
                path
                for path in owner.database.licence_files(owner.key)
                if materials.sysroot.lookup(path) is not None
            )
    return licences


def _files(
    materials: Materials,
    found: Mapping[str, Owner],
    changed: set[str],
    numbers: Mapping[tuple[str, str], int],
) -> Iterator[BomFile]:
    for entry in materials.plan.entries():
        digests = materials.digests.get(entry.path)
        if digests is None:
            continue
        owner = found.get(entry.path)
        number, differs = -1, ""
        if owner is not None and entry.path in changed:
            differs = owner.package().name
        elif owner is not None:
            number = numbers[owner.database.path, owner.key]
        reasons = tuple(reason_words(one) for one in materials.reasons.get(entry.path, ()))
        size = materials.sizes[entry.path]
        yield BomFile(
            entry.path, size, digests["sha256"], digests["sha1"], number, differs, reasons
        )


def _of_nobody(files: tuple[BomFile, ...]) -> list[str]:
    """Return the files of no package, without the databases and what rootgen makes itself."""
    ours = {MANIFEST_PATH, CACHE_PATH, *(one.path for one in skeleton_files((), ""))}
    others = (one.path for one in files if one.package < 0 and not one.differs)
    return [path for path in others if path not in ours and not is_record(path)]


def _unknown(files: tuple[BomFile, ...]) -> tuple[str, ...]:
    unknown = _of_nobody(files)
    changed = [one.path for one in files if one.differs]
    told = (
        (unknown, "of no package that is known"),
        (changed, "not as its package has it"),
    )
    return tuple(
        f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: {what}"
        for paths, what in told
        if paths
    )


def _release(sysroot: Sysroot) -> Release:
    for path in _RELEASES:
        data = read_file(sysroot, path, _RELEASE_LIMIT)
        if data is not None:
            return parse_release(data)
    return Release()


def _render(bom: Bom, form: str) -> bytes:
    if form == SPDX:
        from rootgen.image.spdx import spdx_bytes

        return spdx_bytes(bom)
    if form == CYCLONEDX:
        from rootgen.image.cyclonedx import cyclonedx_bytes

        return cyclonedx_bytes(bom)
    from rootgen.image.provenance import provenance_bytes

    return provenance_bytes(bom)


def _attach(request: SbomRequest, bom: Bom, data: bytes) -> str:
    from rootgen.api.images import manifest_in
    from rootgen.errors import ImageError
    from rootgen.image.artifact import attach
    from rootgen.image.store import Store

    with Store(request.store) as store, store.adding():
        subject = manifest_in(store, request.root)
        if subject.digest != bom.subject:
            raise ImageError(f"{request.root} became another image meanwhile")
        return attach(store, subject, MEDIA_TYPES[request.form], data, bom.time()).digest
