"""Programs in, closure out: ELF by its own loader's rules, scripts by their interpreters.

Each program is one process and is resolved on its own (searches depend on
who asks); what they load is then united into one graph.
"""

from __future__ import annotations

from types import MappingProxyType

from rootgen.closure.graph import (
    Closure,
    ClosureFile,
    Edge,
    EdgeKind,
    Lacking,
    LinkUse,
    Program,
    edges_of,
)
from rootgen.closure.script import DEPTH_LIMIT, LINE_LIMIT, env_program, line_hint, parse_shebang
from rootgen.elf.reader import is_elf
from rootgen.errors import ElfError, MissingError, RootgenError, SysrootError
from rootgen.ldso.machine import machine_of
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.program import find_program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.closure.script import Shebang
    from rootgen.ldso.cpu import Cpu
    from rootgen.ldso.load import Load
    from rootgen.ldso.system import System
    from rootgen.sysroot.port import Found, Sysroot


class Gathering:
    """A closure under construction: what has been found so far, in the order found.

    Programs are added one by one; ``closure()`` gives the value. Adding a
    program twice changes nothing.
    """

    def __init__(self, system: System) -> None:
        """Start empty over ``system``."""
        self._system = system
        self._sysroot = system.sysroot
        self._programs: dict[str, Program] = {}
        self._files: dict[str, ClosureFile] = {}
        self._edges: dict[Edge, None] = {}
        self._links: dict[LinkUse, None] = {}
        self._lacking: dict[Lacking, None] = {}
        self._loads: dict[str, Load] = {}
        self._variants: dict[Cpu, dict[str, Load]] = {}
        self._machines: set[str] = set()

    def add(self, name: str, opened: str, *, lenient: bool = False) -> None:
        """Add the program at ``opened`` (an absolute path), asked for as ``name``.

        Raises ElfError where it is malformed or neither ELF nor a script
        (unless ``lenient``: a file that a profile brings may be data; one
        for a machine that no program is for is an ElfError then), and
        SysrootError where it cannot be read. What is not found is kept
        as Lacking.
        """
        if opened in self._programs:
            return
        found = self._sysroot.lookup(opened)
        if found is None:
            message = f"no such program: {opened}"
            raise MissingError(message)
        self._visit(opened, found, (), lenient=lenient)
        self._programs[opened] = Program(name, opened, found.path)

    def closure(self) -> Closure:
        """Return what has been gathered."""
        return Closure(
            tuple(self._programs.values()),
            MappingProxyType(self._files),
            tuple(self._edges),
            tuple(self._links),
            tuple(self._lacking),
        )

    def loads(self) -> dict[str, Load]:
        """Return each ELF program's process by the path it was opened at."""
        return dict(self._loads)

    def variants(self) -> dict[Cpu, dict[str, Load]]:
        """Return the same for each processor that the root has libraries of its own for."""
        return {cpu: dict(loads) for cpu, loads in self._variants.items()}

    def _visit(
        self, opened: str, found: Found, chain: tuple[str, ...], *, lenient: bool = False
    ) -> None:
        self._use_links(found)
        known = self._files.get(found.path)
        if known is not None and known.facts is None:
            return
        if opened in self._loads:
            return
        with self._sysroot.open(found.path) as file:
            head = file.pread(LINE_LIMIT, 0)
        if is_elf(head):
            self._visit_elf(opened, found, chain, lenient=lenient)
            return
        shebang = parse_shebang(head)
        if shebang is None and not lenient:
            raise _not_a_program(opened, head)
        self._files[found.path] = ClosureFile(found, None)
        if shebang is not None:
            self._visit_script(found.path, shebang, (*chain, found.path), lenient=lenient)

    def _visit_elf(
        self, opened: str, found: Found, chain: tuple[str, ...], *, lenient: bool
    ) -> None:
        load = self._system.load(opened)
        machine = machine_of(load.objects[0].facts).name
        if not lenient:
            self._machines.add(machine)
        elif load.missing and machine not in self._machines:
            # Firmware, another machine's boot loader: it will not run here, and lacks nothing.
            raise ElfError(f"{opened} is for {machine}, as no program asked for is")
        self._loads[opened] = load
        self._take(load, (*chain, found.path))
        for system in self._system.variants():
            variant = system.load(opened)
            self._variants.setdefault(system.cpu, {})[opened] = variant
            self._take(variant, (*chain, found.path))

    def _take(self, load: Load, chain: tuple[str, ...]) -> None:
        """Take the objects of a process, the reasons for each, and what lacks."""
        for mapped in load.objects:
            self._files[mapped.found.path] = ClosureFile(mapped.found, mapped.facts)
            self._use_links(mapped.found)
        self._edges.update(dict.fromkeys(edges_of(load)))
        self._lack(load, chain)

    def _lack(self, load: Load, chain: tuple[str, ...]) -> None:
        for missing in load.missing:
            through = _chain_to(load, missing.requester)
            lacking = Lacking(
                (*chain, *through[1:]),
                missing.name,
                EdgeKind(missing.kind.value),
                missing.searched,
                missing.why,
            )
            self._lacking[lacking] = None

    def _visit_script(
        self, path: str, shebang: Shebang, chain: tuple[str, ...], *, lenient: bool
    ) -> None:
        if len(chain) > DEPTH_LIMIT:
            self._lack_interpreter(chain, shebang.interpreter, "too many scripts in a row")
            return
        program = env_program(shebang)
        wanted = [(shebang.interpreter, _interpreter(shebang))]
        if program is not None:
            wanted.append((program, _from_top(program)))
        for name, looked_up in wanted:
            try:
                opened, found = self._find_interpreter(looked_up, chain)
                with_reason = Edge(path, found.path, EdgeKind.SCRIPT, name, opened)
                self._visit(opened, found, chain)
            except (MissingError, SysrootError, ElfError) as error:
                if not lenient:
                    self._lack_interpreter(chain, name, error.what)
                continue
            self._edges[with_reason] = None

    def _find_interpreter(self, name: str, chain: tuple[str, ...]) -> tuple[str, Found]:
        opened, found = find_program(self._sysroot, name, explain=False)
        if found.path in chain:
            # exec(2) gives up on it after some rounds: ELOOP.
            message = "the scripts lead round in a circle"
            raise MissingError(message)
        return opened, found

    def _lack_interpreter(self, chain: tuple[str, ...], name: str, why: str) -> None:
        self._lacking[Lacking(chain, name, EdgeKind.SCRIPT, (), why)] = None

    def _use_links(self, found: Found) -> None:
        for link in found.links:
            self._links[LinkUse(link, found.path)] = None


def close(system: System, programs: Iterable[tuple[str, str]]) -> Closure:
    """Return the closure of ``programs``, pairs of a name and an absolute path.

    Raises as ``Gathering.add``.
    """
    gathering = Gathering(system)
    for name, opened in programs:
        gathering.add(name, opened)
    return gathering.closure()


def interpreters_of(sysroot: Sysroot, path: str) -> tuple[str, ...]:
    """Return the paths of the interpreters that the script at ``path`` goes through.

    The last one is the ELF program that runs in the end (behind env, the
    program that env starts); empty for an ELF file. Raises ElfError for what
    is neither, MissingError for an interpreter that is not there.
    """
    interpreters: list[str] = []
    at = path
    while len(interpreters) <= DEPTH_LIMIT:
        found = find_program(sysroot, at)[1]
        with sysroot.open(found.path) as file:
            head = file.pread(LINE_LIMIT, 0)
        if is_elf(head):
            return tuple(interpreters)
        shebang = parse_shebang(head)
        if shebang is None:
            raise _not_a_program(at, head)
        program = env_program(shebang)
        name = _from_top(program) if program is not None else _interpreter(shebang)
        try:
            at = find_program(sysroot, name)[0]
        except RootgenError as error:
            raise _no_interpreter(at, name, error) from error
        interpreters.append(at)
    message = f"{path}: more than {DEPTH_LIMIT} scripts in a row"
    raise ElfError(message)


def _interpreter(shebang: Shebang) -> str:
    # The kernel opens a relative interpreter from the caller's directory, and never on PATH;
    # in a root that has yet to be entered that is its top.
    name = shebang.interpreter
    return name if name.startswith("/") else f"/{name}"


def _from_top(name: str) -> str:
    """Return ``name`` for a search on PATH, or from the top of the root where it is a path."""
    return name if name.startswith("/") or "/" not in name else f"/{name}"


def _chain_to(load: Load, index: int) -> tuple[str, ...]:
    parents: dict[int, int] = {}
    for need in load.needs:
        if need.target is not None and need.target not in parents and need.target != 0:
            parents[need.target] = need.requester
    chain = [index]
    while chain[-1] != 0 and chain[-1] in parents and parents[chain[-1]] not in chain:
        chain.append(parents[chain[-1]])
    return tuple(load.objects[step].found.path for step in reversed(chain))


def _no_interpreter(script: str, name: str, error: RootgenError) -> MissingError:
    hint = line_hint(name) or error.hint
    return MissingError(
        f"{script}: its interpreter is not there", why=(error.what, *error.why), hint=hint
    )


def _not_a_program(path: str, head: bytes) -> ElfError:
    if not head:
        return ElfError(f"{path} is empty, not a program")
    if head.startswith(b"#!"):
        return ElfError(f"{path} is no script: its first line names no interpreter")
    return ElfError(
        f"{path} is neither an ELF file nor a script",
        why=(f"it begins with {head[:4]!r}, not with '\\x7fELF' or '#!'",),
        hint=f"to bring it as data: --add {path}",
    )
