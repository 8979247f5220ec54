"""What a bill of materials is made of: the Plan of a tree or image, digests, its own records."""

from __future__ import annotations

from rootgen.errors import LayerError, PlanError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.digest import plan_digest
from rootgen.plan.entry import EntryKind, Inline
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.manifest_reader import parse_manifest
from rootgen.plan.plan import Plan
from rootgen.rootfs.packing import PackedTree
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.memory import MemorySysroot
from rootgen.sysroot.owner import is_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rootgen.api.images import Image
    from rootgen.named import Progress
    from rootgen.plan.entry import Entry, Reason
    from rootgen.plan.manifest import Manifest
    from rootgen.sysroot.port import Sysroot

    Digests = Mapping[str, str]

ALGORITHMS = ("sha256", "sha1", "md5")
_CHUNK = 1 << 20
# What is kept of an image's files while its layers are read, besides the records of packages.
_KEPT = ("/os-release", MANIFEST_PATH)
_KEPT_LIMIT = 1 << 30


class Materials(NamedTuple):
    """What is known of a tree or image.

    ``digest`` is the Plan's; ``subject`` the digest of the image's manifest
    document, or of the file that a tree's manifest is. ``digests`` and
    ``sizes`` are of every regular file by path, hard links too, ``sysroot``
    has the records of packages.
    """

    name: str
    digest: str
    subject: str
    image: Image | None
    plan: Plan
    programs: tuple[str, ...]
    digests: Mapping[str, Digests]
    sizes: Mapping[str, int]
    reasons: Mapping[str, tuple[Reason, ...]]
    sysroot: Sysroot


class _Seen(NamedTuple):
    digests: Digests
    content: bytes | None


def tree_materials(root: str, store: str, progress: Progress | None) -> Materials:
    """Read the tree at ``root``; raise TreeError, PlanError for a malformed manifest."""
    del store
    with PackedTree(root) as tree:
        meant = tree.meant()
        total = sum(entry.size for entry in meant.plan.files())
        done = 0
        digests: dict[str, Digests] = {}
        for entry in meant.plan.files():
            with tree.contents.open(entry) as file:
                digests[entry.path] = _digests(_chunks(file.pread), ())
            done += entry.size
            if progress is not None:
                progress("reading files", done, total)
    plan = Plan(
        entry._replace(sha256=digests[entry.path]["sha256"]) if entry.path in digests else entry
        for entry in meant.plan.entries()
    )
    own = digests.get(MANIFEST_PATH, {}).get("sha256")
    digest = plan_digest(plan)
    subject = digest if own is None else f"sha256:{own}"
    sysroot = DirectorySysroot(root)
    return _materials("rootfs", digest, subject, None, plan, meant.manifest, digests, sysroot)


def image_materials(name: str, path: str, progress: Progress | None) -> Materials:
    """Read the image ``name`` of the store at ``path``; raise ImageError, LayerError."""
    from rootgen.api.images import image_in, open_for
    from rootgen.image.stack import image_plan

    with open_for(path, name, or_tree=True) as store:
        image = image_in(store, name, or_tree=True)
        seen: dict[str, _Seen] = {}
        left = _KEPT_LIMIT

        def keep(entry: Entry, chunks: Iterator[bytes]) -> None:
            nonlocal left
            keeping: list[bytes] = []
            kept = _is_kept(entry.path)
            if kept:
                left -= entry.size
                if left < 0:
                    raise LayerError(f"{name}: its records of packages are too large")
            digests = _digests(chunks, (keeping,) if kept else ())
            content = b"".join(keeping) if kept else seen.get(digests["sha256"], _NONE).content
            seen[digests["sha256"]] = _Seen(digests, content)

        plan = image_plan(store, image.manifest, image.config, progress=progress, keep=keep)
    digests = {entry.path: seen[entry.sha256].digests for entry in plan.files()}
    contents = {entry.path: seen[entry.sha256].content for entry in plan.files()}
    with_contents = Plan(
        entry
        if (data := contents.get(entry.path)) is None
        else entry._replace(content=Inline(data))
        for entry in plan.entries()
    )
    nothing = MemorySysroot({}, {})
    sysroot = PlanSysroot(with_contents, nothing, nothing)
    manifest = _manifest_in(contents)
    digest = plan_digest(plan)
    return _materials(image.name, digest, image.digest, image, plan, manifest, digests, sysroot)


_NONE = _Seen({}, None)


def _materials(
    name: str,
    digest: str,
    subject: str,
    image: Image | None,
    plan: Plan,
    manifest: Manifest | None,
    digests: dict[str, Digests],
    sysroot: Sysroot,
) -> Materials:
    sizes = {entry.path: entry.size for entry in plan.files()}
    for entry in plan.entries():
        if entry.kind is EntryKind.HARDLINK and entry.target in digests:
            digests[entry.path] = digests[entry.target]
            sizes[entry.path] = sizes[entry.target]
    stated = () if manifest is None else manifest.plan.entries()
    reasons = {entry.path: entry.reasons for entry in stated}
    programs = () if manifest is None else manifest.programs
    return Materials(name, digest, subject, image, plan, programs, digests, sizes, reasons, sysroot)


def _manifest_in(contents: Mapping[str, bytes | None]) -> Manifest | None:
    data = contents.get(MANIFEST_PATH)
    try:
        return None if data is None else parse_manifest(data)
    except PlanError:
        return None  # a claim that nobody makes: the image is described without reasons


def _is_kept(path: str) -> bool:
    return path.endswith(_KEPT) or is_record(path)


def _digests(chunks: Iterable[bytes], keeping: tuple[list[bytes], ...]) -> Digests:
    import hashlib

    made = [hashlib.new(name, usedforsecurity=name == "sha256") for name in ALGORITHMS]
    for data in chunks:
        for one in made:
            one.update(data)
        for kept in keeping:
            kept.append(data)
    return {name: one.hexdigest() for name, one in zip(ALGORITHMS, made, strict=True)}


def _chunks(pread: Callable[[int, int], bytes]) -> Iterator[bytes]:
    done = 0
    while data := pread(_CHUNK, done):
        done += len(data)
        yield data
