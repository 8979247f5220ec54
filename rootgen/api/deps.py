"""``deps``: what the dynamic loader would map for a file, without running it."""

from __future__ import annotations

from rootgen.api.targets import find_target, open_sysroot, path_within, working_directory
from rootgen.errors import RootgenError, UsageError
from rootgen.ldso.cpu import cpu_of_level, read_cpu
from rootgen.ldso.machine import machine_of
from rootgen.ldso.system import System
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.closure.checks import Checks
    from rootgen.closure.dlopen import DlopenReader
    from rootgen.closure.isa import TooNew
    from rootgen.closure.symbols import Undefined
    from rootgen.closure.versions import VersionLack
    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.cpu import Cpu
    from rootgen.ldso.load import Load
    from rootgen.sysroot.directory import DirectorySysroot

# What ``dlopen`` may be, as elf.notes.PRIORITIES.
PRIORITIES = ("required", "recommended", "suggested")
# What ``cpu`` may be: this processor, or a level of the x86-64 psABI.
CPUS = ("native", "x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4")


class DepsResult(NamedTuple):
    """One target: as given, as found, its process; ``script`` are the interpreters met.

    What lacks beside whole files: ``versions`` of symbols, symbols that are
    ``undefined``, objects ``beyond`` the processor asked for; None where that
    was not asked.
    """

    target: str
    path: str
    load: Load
    script: tuple[str, ...] = ()
    versions: tuple[VersionLack, ...] | None = None
    undefined: tuple[Undefined, ...] | None = None
    beyond: tuple[TooNew, ...] | None = None


class Refused(NamedTuple):
    """A target that nothing can be said of, and why."""

    target: str
    error: RootgenError


class Asked(NamedTuple):
    """How to resolve: within which root, for which processor, with which LD_LIBRARY_PATH.

    ``cpu`` is one of ``CPUS``; "" is this processor for the host's own root,
    for any other the baseline. ``by_name``: start programs as ldd(1) does.
    ``versions``, ``symbols``: check symbol versions, find undefined symbols.
    ``dlopen``: follow the dlopen
    notes of this priority (``required``, ``recommended``, ``suggested``) and
    of those before it; "" follows none. ``kernel``: tell what wants a newer
    one than this release (``5.10``).
    """

    sysroot: str = "/"
    library_path: tuple[str, ...] = ()
    cpu: str = ""
    by_name: bool = False
    versions: bool = False
    dlopen: str = ""
    symbols: bool = False
    kernel: str = ""


def deps(
    targets: Sequence[str],
    *,
    sysroot: str = "/",
    library_path: tuple[str, ...] = (),
    cpu: str = "",
    versions: bool = False,
    dlopen: str = "",
    symbols: bool = False,
    kernel: str = "",
) -> tuple[DepsResult, ...]:
    """Return what each of ``targets`` would load, resolved within ``sysroot``.

    A target is a path, or a name on the root's PATH; for a script it is its
    interpreter that loads. the other options are those of ``Asked``.
    Raises MissingError for a target that is not there and ElfError for one
    that is no program; libraries that lack are in ``load.missing``.
    """
    asked = Asked(
        sysroot,
        library_path,
        cpu,
        versions=versions,
        dlopen=dlopen,
        symbols=symbols,
        kernel=kernel,
    )
    resolver = Resolver(asked)
    return tuple([resolver.resolve(target) for target in targets])


class Resolver:
    """One root, asked about targets; what was read for one serves the others."""

    def __init__(self, asked: Asked) -> None:
        """Open the root; raise SysrootError where there is none."""
        self._asked = asked
        self.root = open_sysroot(asked.sysroot)
        self.system = System(
            self.root,
            cpu=_cpu(asked.cpu, self.root),
            # The host's own root answers for this directory, any other for its top.
            working_directory=working_directory(asked.sysroot),
        )
        self._checks: Checks | None = None
        self._dlopen: DlopenReader | None = None

    def resolve(self, target: str) -> DepsResult:
        """Return what ``target`` loads; raise as ``deps``."""
        path = find_target(self.root, target)
        script: tuple[str, ...] = ()
        if not self.system.is_elf(path):
            from rootgen.closure.resolve import interpreters_of  # only for what is no ELF file

            script = interpreters_of(self.root, path)
        program = script[-1] if script else path
        result = DepsResult(target, path, self.load(program), script)
        asked = self._asked
        wanted = asked.versions or asked.symbols or asked.cpu or asked.kernel
        return self._check(result) if wanted else result

    def _check(self, result: DepsResult) -> DepsResult:
        if self._checks is None:
            from rootgen.closure.checks import Checks  # only where it is asked for

            self._checks = Checks(self.root)
        asked, checks, load = self._asked, self._checks, result.load
        return result._replace(
            versions=checks.versions.lacking(load) if asked.versions else None,
            undefined=checks.symbols.undefined(load) if asked.symbols else None,
            beyond=self._beyond(load, checks) if asked.cpu or asked.kernel else None,
        )

    def _beyond(self, load: Load, checks: Checks) -> tuple[TooNew, ...]:
        from rootgen.closure.isa import beyond_kernel, parse_release

        found: tuple[TooNew, ...] = ()
        if self._asked.cpu:
            found += checks.isa.beyond(load, self.system.cpu.levels)
        if self._asked.kernel:
            release = parse_release(self._asked.kernel)
            if release is None:
                raise UsageError(
                    f"'{self._asked.kernel}' is no release of a kernel",
                    hint="write it as `uname -r` prints it: 6.1",
                )
            found += beyond_kernel(load, release)
        return found

    def load(self, path: str) -> Load:
        """Return the process of the ELF file at ``path``."""
        asked = self._asked
        load = self.system.load(path, library_path=asked.library_path, by_name=asked.by_name)
        if not asked.dlopen:
            return load
        if self._dlopen is None:
            from rootgen.closure.dlopen import DlopenReader  # only where it is asked for

            self._dlopen = DlopenReader(self.system)
        return self._dlopen.follow(load, asked.dlopen)

    def path_within(self, name: str) -> str:
        """Return the path that ``name`` stands for in this root."""
        return path_within(self._asked.sysroot, name)

    def each(self, targets: Sequence[str]) -> Iterator[DepsResult | Refused]:
        """Give what each of ``targets`` loads, or why it cannot be said, and go on."""
        for target in targets:
            try:
                yield self.resolve(target)
            except RootgenError as error:
                yield Refused(target, error)

    def usual_loader(self, facts: ElfFacts) -> str:
        """Return the glibc loader that this root has for ``facts``, "" for none.

        It is the one that the root's ldd(1) would run (its RTLDLIST).
        """
        usual = machine_of(facts).interpreters[:1]
        return next((path for path in usual if self.root.lookup(path) is not None), "")


def _cpu(name: str, root: DirectorySysroot) -> Cpu:
    if name == "native":
        return read_cpu(open_sysroot("/"))
    # Only the host's own root has a /proc/cpuinfo.
    return cpu_of_level(name) or read_cpu(root)
