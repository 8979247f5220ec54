"""One root, and what was read of it: facts, cache, directories, each once.

``Root`` is what the searches of all programs share. It answers questions
about the root; which questions to ask in which order is ``glibc`` and
``search``'s.
"""

from __future__ import annotations

from errno import ENOENT, ENOTDIR

from rootgen.elf.facts import ET_DYN, ET_EXEC
from rootgen.elf.reader import read_facts
from rootgen.errors import ElfError, LoaderError, SysrootError
from rootgen.ldso import cache, hwcaps, loader
from rootgen.ldso.cpu import BASELINE, Cpu
from rootgen.ldso.machine import machine_of
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.load import Load, Outcome
    from rootgen.ldso.loader import Loader
    from rootgen.ldso.machine import Machine
    from rootgen.sysroot.port import Found, Sysroot


PRELOAD_PATH = "/etc/ld.so.preload"
_PRELOAD_LIMIT = 1 << 16


class Opened(NamedTuple):
    """A file that a loader opened: where it is, its facts, or why it is fatal to the process."""

    found: Found
    facts: ElfFacts | None
    fatal: str = ""


class Root:
    """A root as its loaders see it.

    ``cpu`` chooses among glibc-hwcaps variants; ``working_directory`` is
    where relative search path elements start; ``configuration`` lets
    ld.so.conf speak where the root has no ld.so.cache yet.
    """

    def __init__(
        self,
        sysroot: Sysroot,
        *,
        cpu: Cpu = BASELINE,
        working_directory: str = "/",
        configuration: bool = False,
    ) -> None:
        """Read nothing yet."""
        self.sysroot = sysroot
        self.cpu = cpu
        self.working_directory = working_directory
        self._configured = configuration
        self._facts: dict[str, ElfFacts] = {}
        self._opened: dict[str, Opened | None] = {}
        self._cache: cache.LoaderCache | None = None
        self._cache_read = False
        self._loaders: dict[str, Loader] = {}
        self._subdirectories: dict[tuple[str, str], tuple[str, ...]] = {}
        self._configuration: tuple[str, ...] | None = None
        self._preloads: tuple[str, ...] | None = None
        self._searched: set[str] = set()
        self.libcs: dict[str, bool] = {}
        self.plain: dict[tuple[str, bool, str], Outcome] = {}
        self.loads: dict[tuple[ElfFacts, tuple[str, ...], bool], Load] = {}

    def with_cpu(self, cpu: Cpu) -> Root:
        """Return the same root for another processor; what was read of it is shared."""
        self._loaded_cache()
        other = Root(
            self.sysroot,
            cpu=cpu,
            working_directory=self.working_directory,
            configuration=self._configured,
        )
        other._facts, other._opened, other._loaders = self._facts, self._opened, self._loaders
        other._cache, other._cache_read = self._cache, True
        return other

    def hwcaps(self) -> tuple[str, ...]:
        """Return the glibc-hwcaps subdirectories that cache and searched directories have."""
        loaded = self._loaded_cache()
        found = set(loaded.subdirectories()) if loaded is not None else set()
        for directory in self._searched:
            at = self.sysroot.lookup(f"{directory.rstrip('/')}/{hwcaps.DIRECTORY}")
            if at is not None and at.node.kind is Kind.DIRECTORY:
                found.update(self.sysroot.names(at.path))
        return tuple(sorted(found))

    def facts(self, found: Found) -> ElfFacts:
        """Return the facts of the file at ``found``, read once; raise ElfError, SysrootError."""
        facts = self._facts.get(found.path)
        if facts is None:
            with self.sysroot.open(found.path) as file:
                facts = read_facts(file.pread, found.path)
            self._facts[found.path] = facts
        return facts

    def open(self, path: str) -> Opened | None:
        """Open ``path`` as a loader does a candidate (elf/dl-load.c, ``open_verify``).

        None where nothing is there or it may not be read: the search goes
        on. ``Opened.fatal`` says what ends the process.
        """
        try:
            return self._opened[path]
        except KeyError:
            opened = self._open(path)
            self._opened[path] = opened
            return opened

    def _open(self, path: str) -> Opened | None:
        found = self.sysroot.lookup(path)
        if found is None:
            return None
        if found.node.kind is not Kind.FILE:
            return Opened(found, None, f"a {found.node.kind.value}, not a file")
        try:
            facts = self.facts(found)
        except SysrootError:
            return None
        except ElfError as error:
            return Opened(found, None, error.what.removeprefix(f"{found.path}: "))
        if facts.type not in {ET_DYN, ET_EXEC}:
            return Opened(found, facts, "only ET_DYN and ET_EXEC can be loaded")
        return Opened(found, facts)

    def is_barred(self, path: str, program: ElfFacts, *, relative: bool) -> bool:
        """Tell whether ``path``, where ``open`` found nothing, ends a list of directories.

        As a link in a circle does, and before 2.39 one through a file, in a
        directory that is there; any directory passes for it whose element
        is ``relative`` (elf/dl-load.c, ``open_path``: ``here_any``, and an errno
        that it does not go on after; ``fillin_rpath``: ``existing``).
        """
        if self._opened.get(path) is not None:
            return False
        error = self.sysroot.lookup_error(path)
        if error == ENOENT or (error == ENOTDIR and self.loader(program).skips_files()):
            return False
        directory = self.sysroot.lookup(path.rpartition("/")[0] or "/")
        return relative or (directory is not None and directory.node.kind is Kind.DIRECTORY)

    def cached(self, name: str, program: ElfFacts) -> str | None:
        """Return the path that ld.so.cache has for ``name`` in a process like ``program``'s."""
        loaded = self._loaded_cache()
        if loaded is None:
            return None
        machine = machine_of(program)
        flags, other_flags = machine.lookup_flags()
        program_loader = self.loader(program)
        return loaded.lookup(
            name,
            flags,
            self.cpu if program_loader.searches_hwcaps() else self.cpu._replace(levels=()),
            lambda bits: hwcaps.usable(bits, self.cpu, machine, program_loader),
            other_flags=other_flags,
        )

    def _loaded_cache(self) -> cache.LoaderCache | None:
        if not self._cache_read:
            self._cache_read = True
            self._cache = self._read_cache()
        return self._cache

    def _read_cache(self) -> cache.LoaderCache | None:
        found = self.sysroot.lookup(cache.CACHE_PATH)
        if found is None or found.node.kind is not Kind.FILE:
            return None
        try:
            with self.sysroot.open(found.path) as file:
                data = file.pread(cache.SIZE_LIMIT, 0)
            return cache.parse_cache(data, found.path)
        except (LoaderError, SysrootError):
            # As the loader does: it goes on without a cache that it cannot use.
            return None

    def configured_directories(self) -> tuple[str, ...]:
        """Return ld.so.conf's directories, where they count and the root has no cache."""
        if self._configuration is None:
            self._configuration = ()
            if self._configured and self.sysroot.lookup(cache.CACHE_PATH) is None:
                from rootgen.ldso.configuration import read_configuration

                self._configuration = read_configuration(self.sysroot)
        return self._configuration

    def preloads(self) -> tuple[str, ...]:
        """Return the names in /etc/ld.so.preload, read once (elf/rtld.c, do_preload)."""
        if self._preloads is None:
            self._preloads = tuple(self._read_preloads())
        return self._preloads

    def _read_preloads(self) -> Iterator[str]:
        found = self.sysroot.lookup(PRELOAD_PATH)
        if found is None or found.node.kind is not Kind.FILE:
            return
        try:
            with self.sysroot.open(found.path) as file:
                data = file.pread(_PRELOAD_LIMIT, 0)
        except SysrootError:
            # do_preload: what may not be read preloads nothing.
            return
        for line in data.split(b"\n"):
            text = line.partition(b"#")[0].decode("utf-8", "surrogateescape")
            # No other white space parts names.
            yield from filter(None, text.replace("\t", " ").replace(":", " ").split(" "))

    def default_directories(self, program: ElfFacts) -> tuple[str, ...]:
        """Return the directories that the loader of ``program`` was built with, in order.

        They stand in the loader's own bytes (elf/dl-load.c, ``system_dirs``);
        where they cannot be found there, glibc's defaults for the machine.
        """
        return self.loader(program).directories or machine_of(program).directories

    def loader(self, program: ElfFacts) -> Loader:
        """Return what the loader of ``program`` says of itself, read once."""
        interpreter = program.interpreter or self.usual_interpreter(program)
        known = self._loaders.get(interpreter)
        if known is None:
            known = self._read_loader(interpreter)
            self._loaders[interpreter] = known
        return known

    def usual_interpreter(self, facts: ElfFacts) -> str:
        """Return the interpreter of ``facts``'s machine that this root has, "" for none."""
        for path in machine_of(facts).interpreters:
            if self.open(path) is not None:
                return path
        return ""

    def _read_loader(self, interpreter: str) -> Loader:
        found = self.sysroot.lookup(interpreter) if interpreter else None
        if found is None or found.node.kind is not Kind.FILE:
            return loader.UNKNOWN
        try:
            with self.sysroot.open(found.path) as file:
                return loader.parse_loader(file.pread(loader.SIZE_LIMIT, 0))
        except SysrootError:
            # A loader that may be executed and not read says nothing.
            return loader.UNKNOWN

    def subdirectories(self, directory: str, program: ElfFacts) -> tuple[str, ...]:
        """Return where a process of ``program`` looks for names in ``directory``: itself last."""
        machine = machine_of(program)
        key = (directory, machine.name)
        known = self._subdirectories.get(key)
        if known is None:
            self._searched.add(directory)
            known = self._find_subdirectories(directory, machine, program)
            self._subdirectories[key] = known
        return known

    def _find_subdirectories(
        self, directory: str, machine: Machine, program: ElfFacts
    ) -> tuple[str, ...]:
        top = directory.rstrip("/")
        there = {
            name
            for name in hwcaps.first_components(self.cpu, machine)
            if self.sysroot.lookup(f"{top}/{name}") is not None
        }
        if not there:
            return (directory,)
        names = hwcaps.subdirectories(self.cpu, machine, self.loader(program))
        wanted = [name for name in names if name.partition("/")[0] in there]
        return (*(f"{top}/{name}" for name in wanted), directory)
