"""What the programs of one root load."""

from __future__ import annotations

from rootgen.errors import ElfError, SysrootError
from rootgen.ldso.cpu import BASELINE, cpu_of_subdirectory
from rootgen.ldso.process import load_program
from rootgen.ldso.root import Root
from rootgen.ldso.search import Requester, search
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.cpu import Cpu
    from rootgen.ldso.load import Load, Mapped
    from rootgen.sysroot.port import Sysroot


class System:
    """A root and its loaders; what they read is read once, however many programs ask.

    The options are those of ``root.Root``.
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
        self._root = Root(
            sysroot, cpu=cpu, working_directory=working_directory, configuration=configuration
        )
        self._variants: dict[Cpu, System] = {}

    def load(
        self, opened: str, *, library_path: tuple[str, ...] = (), by_name: bool = False
    ) -> Load:
        """Return the process of the program at ``opened``, an absolute path.

        ``library_path`` is LD_LIBRARY_PATH's elements; ``by_name``: as ldd(1)
        has it, whose ``$ORIGIN`` follows no link to the program. Raises ElfError where
        the file is malformed or no program, SysrootError where it cannot be
        read; what is not found is in ``Load.missing``.
        """
        return load_program(self._root, opened, library_path, by_name=by_name)

    def is_elf(self, path: str) -> bool:
        """Tell whether a well-formed ELF file is at ``path``; ``load`` need not read it again."""
        found = self.sysroot.lookup(path)
        if found is None or found.node.kind is not Kind.FILE:
            return False
        try:
            self._root.facts(found)
        except (ElfError, SysrootError):
            return False
        return True

    def variants(self) -> tuple[System, ...]:
        """Return the same root for each processor that it has libraries of its own for.

        Those that are known by what was loaded so far: each glibc-hwcaps
        subdirectory in the cache or in a directory that was searched.
        """
        names = self._root.hwcaps()
        for name in names:
            cpu = cpu_of_subdirectory(name, names)
            if cpu not in self._variants:
                other = System(self.sysroot, cpu=cpu)
                other._root = self._root.with_cpu(cpu)
                self._variants[cpu] = other
        return tuple(self._variants.values())

    def find_library(self, name: str, program: ElfFacts) -> Mapped | None:
        """Return where a process of ``program``'s kind finds ``name`` with ``dlopen``, or None.

        As a program without RPATH or RUNPATH asks: by cache and default
        directories.
        """
        requester = Requester(program._replace(rpath=None, runpath=None), "", None)
        return search(self._root, name, requester, requester, ()).mapped
