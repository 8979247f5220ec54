"""``make``: names of programs and profiles in, a tree out."""

from __future__ import annotations

import os

from rootgen.api.targets import open_sysroot, path_within
from rootgen.errors import PlanError, UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.as_sysroot import PlanSysroot
from rootgen.plan.assemble import Assembly, Wish, assemble, with_entry
from rootgen.plan.proof import divergences
from rootgen.plan.rules import Addition
from rootgen.profile.model import Profile
from rootgen.profile.shipped import known_profile, shipped_directory
from rootgen.sysroot.directory import DirectorySysroot

if TYPE_CHECKING:
    from rootgen.api.bases import OpenedBase
    from rootgen.api.layered import LayeredImage
    from rootgen.api.over import Tagged
    from rootgen.closure.graph import Closure
    from rootgen.named import Progress
    from rootgen.plan.collect import Skipped
    from rootgen.plan.increment import Exchange
    from rootgen.plan.manifest import Manifest
    from rootgen.plan.plan import Plan
    from rootgen.plan.proof import Divergence
    from rootgen.rootfs.write import Note


# By uname(2)'s machine, the others whose programs its kernel runs.
_RUNS_TOO = {
    "x86_64": ("i386", "x32"),
    "i686": ("i386",),
    "aarch64": ("arm",),
    "armv7l": ("arm",),
    "armv8l": ("arm",),
    "mips64": ("mips", "mipsel", "mips64el"),
    "mips": ("mipsel",),
    "ppc64": ("powerpc",),
    "s390x": ("s390",),
    "sparc64": ("sparc",),
}


class MakeRequest(NamedTuple):
    """What ``make`` is asked for; the fields are the command's options.

    ``records`` brings what scanners read of packages. ``base`` and ``tag``
    are names of images in the store at ``store``; ``base`` may be a path
    instead. The image has one layer over its base, or as many as ``layers``
    (not 0) at most.
    """

    programs: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    out: str = ""
    sysroot: str = "/"
    add: tuple[tuple[str, str], ...] = ()
    bare: bool = False
    dry_run: bool = False
    force: bool = False
    allow_missing: bool = False
    epoch: int | None = None
    base: str = ""
    tag: str = ""
    store: str = ""
    compress: str = "gzip"
    records: bool = False
    layers: int = 0


class MakeResult(NamedTuple):
    """What ``make`` did: the Plan with digests, what it rests on, what was left out.

    With a base, ``plan`` is the increment, ``exchanged`` what it replaces of
    the base, and why; ``image`` is what was stored.
    """

    plan: Plan
    closure: Closure
    manifest: Manifest
    digest: str
    out: str
    notes: tuple[Note, ...]
    skipped: tuple[Skipped, ...]
    exchanged: tuple[Exchange, ...] = ()
    image: LayeredImage | None = None


def make(request: MakeRequest, *, progress: Progress | None = None) -> MakeResult:
    """Assemble what ``request`` asks for, prove it, and write it.

    With ``dry_run`` everything but the writing is done. ``progress`` is
    called with a phase, what is done and the total. Raises MissingError for
    what cannot be found (unless ``allow_missing``), ProfileError, PlanError,
    TreeError, UsageError.
    """
    from rootgen.rootfs.write import hash_plan, write_tree

    _check(request)
    sysroot, host = open_sysroot(request.sysroot), DirectorySysroot("/")
    profile = profile_of(request)
    if profile.layers:
        from rootgen.profile.merge import whole

        profile = whole(profile)
    if request.base or request.tag:
        return _make_over(request, profile, sysroot, host, progress)
    assembly = plan_of(request, profile, sysroot, host)
    programs = tuple(sorted({one.opened for one in assembly.closure.programs}))
    # What a program brings by itself are its files; how a tree is started is for who asks.
    image = profile.image if request.profiles else Profile("", "").image
    if request.dry_run:
        plan = hash_plan(assembly.plan, sysroot=sysroot, host=host, progress=progress)
        notes: tuple[Note, ...] = ()
    else:
        written = write_tree(
            assembly.plan,
            request.out,
            sysroot=sysroot,
            host=host,
            programs=programs,
            image=image,
            force=request.force,
            progress=progress,
        )
        plan, notes = written.plan, written.notes
    from rootgen.plan.manifest import manifest_of

    manifest = manifest_of(programs, plan, image)
    out = "" if request.dry_run else request.out
    return MakeResult(
        plan, assembly.closure, manifest, manifest.digest, out, notes, assembly.skipped
    )


def _make_over(
    request: MakeRequest,
    profile: Profile,
    sysroot: DirectorySysroot,
    host: DirectorySysroot,
    progress: Progress | None,
) -> MakeResult:
    """Make an increment over ``request.base``, as a tree and as an image, as is asked for."""
    from rootgen.api import over
    from rootgen.plan.manifest import manifest_of

    opened = _opened(request, progress)
    base = over.nothing(host) if opened is None else opened.base
    made = over.add_to(base, wish_of(request, profile, sysroot, host), host, progress=progress)
    increment = made.increment
    check_lacking(request, increment.assembly, sysroot)
    image = profile.image if request.profiles else Profile("", "").image
    programs = tuple(sorted({one.opened for one in increment.assembly.closure.programs}))
    digest = over.base_digest(base) if request.base else ""
    notes: tuple[Note, ...] = ()
    plan, out = made.plan, ""
    stored: LayeredImage | None = None
    if request.out and not request.dry_run:
        from rootgen.rootfs.write import write_tree

        written = write_tree(
            plan,
            request.out,
            sysroot=increment.root,
            host=host,
            programs=programs,
            image=image,
            force=request.force,
            base=digest,
            progress=progress,
        )
        notes, out = written.notes, request.out
    if request.tag and not request.dry_run:
        roots = (sysroot, host)
        stored = over.store_made(_tagged(request), opened, made, image, roots, progress=progress)
    manifest = manifest_of(programs, plan, image, digest)
    return MakeResult(
        plan, increment.assembly.closure, manifest, manifest.digest, out, notes,
        increment.assembly.skipped, increment.exchanged, stored,
    )  # fmt: skip


def _opened(request: MakeRequest, progress: Progress | None) -> OpenedBase | None:
    if not request.base:
        return None
    from rootgen.api.bases import open_base

    everything = bool(request.tag)
    return open_base(request.base, request.store, everything=everything, progress=progress)


def _tagged(request: MakeRequest) -> Tagged:
    from rootgen.api.over import Tagged

    words = (*(f"-f {one}" for one in request.profiles), *request.programs)
    created_by = " ".join(("rootgen make", *words))
    epoch = request.epoch or 0
    return Tagged(
        request.tag, request.store, created_by, request.compress, epoch, request.layers
    )  # fmt: skip


def plan_of(
    request: MakeRequest, profile: Profile, sysroot: DirectorySysroot, host: DirectorySysroot
) -> Assembly:
    """Return the Plan of ``request``, proven: every program finds in it what it found before.

    ``profile`` is all that the request's profiles say, as one.

    Raises as ``make``.
    """
    assembly = assemble(wish_of(request, profile, sysroot, host))
    check_lacking(request, assembly, sysroot)
    return _proven(assembly, sysroot, host)


def wish_of(
    request: MakeRequest, profile: Profile, sysroot: DirectorySysroot, host: DirectorySysroot
) -> Wish:
    """Return what ``request`` wishes for, all that its profiles say being ``profile``."""
    return Wish(
        sysroot,
        host,
        tuple(path_within(request.sysroot, name) for name in request.programs),
        profile,
        tuple(Addition(os.path.abspath(source), to) for source, to in request.add),
        request.epoch,
        request.records,
    )


def check_lacking(request: MakeRequest, assembly: Assembly, sysroot: DirectorySysroot) -> None:
    """Raise MissingError where something lacks, unless that is allowed."""
    if assembly.closure.lacking and not request.allow_missing:
        from rootgen.api.lacking import missing_error

        raise missing_error(assembly.closure.lacking, sysroot)


def _proven(assembly: Assembly, sysroot: DirectorySysroot, host: DirectorySysroot) -> Assembly:
    if not _divergences(assembly, sysroot, host):
        return assembly
    # The host's loader found it through its cache; the tree has none yet.
    from rootgen.plan.loader_cache import loader_entries

    variants = [load for loads in assembly.variants.values() for load in loads.values()]
    plan = assembly.plan
    for entry in loader_entries([*assembly.loads.values(), *variants], sysroot):
        plan = with_entry(plan, entry)
    assembly = assembly._replace(plan=plan)
    remaining = _divergences(assembly, sysroot, host)
    if remaining:
        raise PlanError(
            f"{remaining[0].program} would not load in the target what it loads here",
            why=tuple(_told(one) for one in remaining[:8]),
            hint="this is a defect of rootgen, or a root that changed while it was read",
        )
    return assembly


def _divergences(
    assembly: Assembly, sysroot: DirectorySysroot, host: DirectorySysroot
) -> list[Divergence]:
    target = PlanSysroot(assembly.plan, sysroot, host)
    found = divergences(assembly.loads, target)
    for cpu, loads in assembly.variants.items():
        found += divergences(loads, target, cpu)
    return found


def _told(one: Divergence) -> str:
    return f"{one.name}: {one.wanted or 'nothing'} here, {one.got or 'nothing'} in the target"


def profile_of(request: MakeRequest) -> Profile:
    """Return the profiles of ``request``, and those of known programs, as one.

    Known are programs of the request, and of its profiles.
    """
    shipped = shipped_directory()
    names = list(request.profiles)
    if not request.bare:
        known = (known_profile(os.path.basename(name), shipped) for name in request.programs)
        names += [name for name in known if name is not None and name not in names]
    if not names:
        return Profile("", "")
    from rootgen.profile.read import (
        load_profiles,
    )  # YAML costs 20 ms: only where there is a profile

    return load_profiles(names, shipped=shipped, known=not request.bare)


def foreign_machine(closure: Closure) -> str:
    """Return the machine that all ELF programs of ``closure`` are for, where it is not this one.

    Empty where any of them may run here, as those of 32 bits do on a
    machine of 64.
    """
    from rootgen.elf.names import machine_name

    facts = [closure.files[one.path].facts for one in closure.programs]
    machines = {machine_name(one) for one in facts if one is not None}
    here = os.uname().machine
    if not machines or machines & {here, *_RUNS_TOO.get(here, ())}:
        return ""
    return " and ".join(sorted(machines))


def _check(request: MakeRequest) -> None:
    if not (request.programs or request.profiles or request.add):
        raise UsageError("nothing to make: name a program, or a profile with -f")
    if request.layers and not request.tag:
        raise UsageError("layers are of an image: name it with -t")
    if not (request.out or request.tag or request.dry_run):
        raise UsageError("where to? name the directory with --out, or use --dry-run")
    if request.tag:
        from rootgen.image.reference import parse_reference

        parse_reference(request.tag)
    out = os.path.realpath(request.out)
    for source, _ in request.add:
        whole = os.path.realpath(source).rstrip("/")
        if request.out and (out == whole or out.startswith(f"{whole}/")):
            raise UsageError(
                f"--out {request.out} lies within what --add {source} brings",
                hint="a tree would hold the one made before: give --out another place",
            )
