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
    from collections.abc import Callable

    from rootgen.closure.graph import Closure
    from rootgen.plan.collect import Skipped
    from rootgen.plan.manifest import Manifest
    from rootgen.plan.plan import Plan
    from rootgen.plan.proof import Divergence
    from rootgen.rootfs.write import Note

    Progress = Callable[[str, int, int], None]

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
    """What ``make`` is asked for; the fields are the command's options."""

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


class MakeResult(NamedTuple):
    """What ``make`` did: the Plan with digests, what it rests on, what was left out."""

    plan: Plan
    closure: Closure
    manifest: Manifest
    digest: str
    out: str
    notes: tuple[Note, ...]
    skipped: tuple[Skipped, ...]


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
    profile = _profile(request)
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


def plan_of(
    request: MakeRequest, profile: Profile, sysroot: DirectorySysroot, host: DirectorySysroot
) -> Assembly:
    """Return the Plan of ``request``, proven: every program finds in it what it found before.

    ``profile`` is all that the request's profiles say, as one.

    Raises as ``make``.
    """
    wish = Wish(
        sysroot,
        host,
        tuple(path_within(request.sysroot, name) for name in request.programs),
        profile,
        tuple(Addition(os.path.abspath(source), to) for source, to in request.add),
        request.epoch,
    )
    assembly = assemble(wish)
    if assembly.closure.lacking and not request.allow_missing:
        from rootgen.api.lacking import missing_error

        raise missing_error(assembly.closure.lacking, sysroot)
    return _proven(assembly, sysroot, host)


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


def _profile(request: MakeRequest) -> Profile:
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

    return load_profiles(names, shipped=shipped)


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
    if not request.out and not request.dry_run:
        raise UsageError("where to? name the directory with --out, or use --dry-run")
    out = os.path.realpath(request.out)
    for source, _ in request.add:
        whole = os.path.realpath(source).rstrip("/")
        if request.out and (out == whole or out.startswith(f"{whole}/")):
            raise UsageError(
                f"--out {request.out} lies within what --add {source} brings",
                hint="a tree would hold the one made before: give --out another place",
            )
