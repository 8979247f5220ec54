"""Programs that load in one root, held against another that is to take its place.

A root is changed under its programs in two ways: an increment replaces files
of its base, a base is exchanged beneath its increments. Either way the same is
asked of every ELF file and every script: does it lack anything now that it did
not lack before?
"""

from __future__ import annotations

from rootgen.closure.graph import EdgeKind
from rootgen.closure.resolve import Gathering
from rootgen.closure.shortfall import Comparison, Shortfall, What
from rootgen.elf.reader import is_elf
from rootgen.errors import ElfError, LoaderError, MissingError, RootgenError, SysrootError
from rootgen.ldso.cpu import BASELINE
from rootgen.ldso.system import System
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rootgen.ldso.cpu import Cpu
    from rootgen.ldso.load import Load
    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan
    from rootgen.sysroot.port import Sysroot

    Judge = Callable[[str], bool]

_FILES = {EntryKind.FILE, EntryKind.HARDLINK}
_EXECUTABLE = 0o111
# What a root can be wrong in, as opposed to what we may be.
_ERRORS = (ElfError, LoaderError, MissingError, SysrootError)


class Proven:
    """The programs among the files of ``plan``, as they start in ``root``; each read once."""

    def __init__(self, root: Sysroot, plan: Plan) -> None:
        """Read nothing yet."""
        self._root = root
        self._plan = plan
        self._sorted: tuple[list[str], dict[str, tuple[str, ...]]] | None = None
        self._loads: dict[Cpu, dict[str, Load]] = {}

    def loads(self, cpu: Cpu = BASELINE) -> Mapping[str, Load]:
        """Return the process of every ELF file that can be loaded, by path, on the processor."""
        if cpu not in self._loads:
            system, loads = System(self._root, cpu=cpu), {}
            for path in self._programs()[0]:
                load = load_of(system, path)
                if not isinstance(load, RootgenError):
                    loads[path] = load
            self._loads[cpu] = loads
        return self._loads[cpu]

    def scripts(self) -> Mapping[str, tuple[str, ...]]:
        """Return what starts every script that can be started, by its path."""
        return self._programs()[1]

    def shortfalls(
        self, target: Sysroot, is_same: Judge, is_of_both: Judge = lambda _: False
    ) -> list[Shortfall]:
        """Return what the programs lack in ``target`` and not in their own root.

        ``is_same`` tells of a real path whether the same bytes are there in
        both: another file there is no program of this root any more. See
        ``closure.shortfall.Comparison`` for ``is_of_both``. So it is asked
        for each processor that ``target`` has libraries of its own for.
        """
        comparing = Comparison(self._root, target, is_same, is_of_both)
        found = dict.fromkeys(self._scripts_lacking(target, is_same))
        first = System(target)
        found.update(dict.fromkeys(self._lacking(first, comparing, is_same)))
        for system in first.variants():
            found.update(dict.fromkeys(self._lacking(system, comparing, is_same)))
        return list(found)

    def _lacking(
        self, system: System, comparing: Comparison, is_same: Judge
    ) -> Iterator[Shortfall]:
        for path, before in self.loads(system.cpu).items():
            if not is_same(path):
                continue
            after = load_of(system, path)
            if isinstance(after, RootgenError):
                yield _unstartable(path, "; ".join((after.what, *after.why)))
            else:
                yield from comparing.shortfalls(before, after)

    def _scripts_lacking(self, target: Sysroot, is_same: Judge) -> Iterator[Shortfall]:
        _, failed = started_scripts(target, filter(is_same, self.scripts()))
        for path, why in failed.items():
            yield _unstartable(path, why)

    def _programs(self) -> tuple[list[str], dict[str, tuple[str, ...]]]:
        """Return the paths of ELF files, and what starts the scripts."""
        if self._sorted is None:
            programs: list[str] = []
            scripts: list[str] = []
            for entry in self._plan.entries():
                head = self._head(entry)
                if is_elf(head):
                    programs.append(entry.path)
                elif head.startswith(b"#!") and entry.mode & _EXECUTABLE:
                    scripts.append(entry.path)
            self._sorted = programs, started_scripts(self._root, scripts)[0]
        return self._sorted

    def _head(self, entry: Entry) -> bytes:
        if entry.kind not in _FILES:
            return b""
        try:
            with self._root.open(entry.path) as file:
                return file.pread(4, 0)
        except SysrootError:
            return b""  # large data of an archive, which was not kept


def load_of(system: System, opened: str) -> Load | RootgenError:
    """Return the process of what is at ``opened``, or why it is no program."""
    try:
        return system.load(opened)
    except (ElfError, LoaderError, SysrootError) as error:
        return error


def started_scripts(
    root: Sysroot, paths: Iterable[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return what starts each of the scripts at ``paths``, and why some cannot be started.

    Those are real paths: of an interpreter, of ``env`` and the program that it finds.
    """
    gathering = Gathering(System(root))
    started: dict[str, tuple[str, ...]] = {}
    failed: dict[str, str] = {}
    for path in paths:
        try:
            gathering.add(path, path)
        except _ERRORS as error:
            failed[path] = "; ".join((error.what, *error.why))
        else:
            started[path] = ()
    closure = gathering.closure()
    for one in closure.lacking:
        if one.kind is EdgeKind.SCRIPT and started.pop(one.chain[0], None) is not None:
            failed[one.chain[0]] = f"its interpreter {one.name} is not there ({one.why})"
    for edge in closure.edges:
        if edge.kind is EdgeKind.SCRIPT and edge.source in started:
            started[edge.source] += (edge.target,)
    return started, failed


def _unstartable(path: str, why: str) -> Shortfall:
    return Shortfall(What.PROGRAM, (path,), "", "", why, "")
