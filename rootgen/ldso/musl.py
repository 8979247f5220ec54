"""One program's process as musl builds it (musl ldso/dynlink.c, ``load_library``, ``load_deps``).

Breadth first as well, and otherwise unlike glibc: libc's own names are
built in, RUNPATH is RPATH and is inherited through the chain of requesters,
the first file that opens is taken whatever it is, there is no cache.
"""

from __future__ import annotations

import posixpath

from rootgen.elf.facts import ET_DYN, ET_EXEC
from rootgen.ldso.load import How, Load, Mapped, Missing, Need, NeedKind
from rootgen.ldso.machine import machine_of
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.root import Root

INTERPRETER_PREFIX = "ld-musl-"
_DEFAULT_PATH = "/lib:/usr/local/lib:/usr/lib"
# load_library: names of libraries that are all in the one that is there already.
_BUILT_IN = tuple(f"lib{name}." for name in "c pthread rt m dl util xnet".split())
_PATH_FILE_LIMIT = 1 << 20
_NAME_MAX = 255


def is_musl(interpreter: str | None) -> bool:
    """Tell whether a PT_INTERP names musl's loader."""
    return posixpath.basename(interpreter or "").startswith(INTERPRETER_PREFIX)


def interpreter_of(root: Root, facts: ElfFacts) -> str | None:
    """Return musl's loader where it is the one that the file with ``facts`` is for.

    A library names none. It is musl's where it needs libc by a name that
    glibc's never had, or where the root has no other loader.
    """
    if facts.interpreter is not None:
        return facts.interpreter if is_musl(facts.interpreter) else None
    there = [path for path in machine_of(facts).interpreters if root.open(path) is not None]
    musls = [path for path in there if is_musl(path)]
    if musls and (musls == there or any(map(_is_libc, facts.needed))):
        return musls[0]
    return None


def _is_libc(name: str) -> bool:
    return name == "libc.so" or name.startswith("libc.musl-")


def path_file(interpreter: str) -> str:
    """Return the path file of the loader at ``interpreter``: ``/etc/ld-musl-ARCH.path``.

    Beneath the prefix that the loader was installed in, two components up.
    """
    architecture = posixpath.basename(interpreter).removeprefix(INTERPRETER_PREFIX)
    architecture = architecture.partition(".")[0]
    prefix = posixpath.dirname(posixpath.dirname(interpreter)).rstrip("/")
    return f"{prefix}/etc/{INTERPRETER_PREFIX}{architecture}.path"


def load_program(
    root: Root,
    program: Mapped,
    interpreter: str,
    library_path: tuple[str, ...],
    *,
    by_name: bool = False,
) -> Load:
    """Return the process of ``program``, a library too, for musl's loader at ``interpreter``.

    ``by_name``: started as ``ld-musl PROGRAM``, with ``$ORIGIN`` where that name is.
    """
    process = _Process(root, program, interpreter, library_path)
    # The kernel mapped a program, so its name is what /proc/self/exe says.
    if program.facts.interpreter is None or by_name:
        process.program_path = program.path
    process.run()
    return process.load()


class _Process:
    """A process under construction; indexes are into ``_objects``, which is in load order."""

    def __init__(
        self, root: Root, program: Mapped, interpreter: str, library_path: tuple[str, ...]
    ) -> None:
        self.program_path = program.found.path
        self._root = root
        self._interpreter_path = interpreter
        self._library_path = ":".join(library_path)
        self._objects = [program]
        self._requesters: list[int | None] = [None]
        self._short_names: dict[str, int] = {}
        self._inodes: dict[tuple[int, int], int] = {}
        self._interpreter: int | None = None
        self._needs: list[Need] = []
        self._missing: list[Missing] = []
        self._system_path: tuple[str, How] | None = None

    def run(self) -> None:
        """Load what each object needs, in the order in which the objects were loaded."""
        index = 0
        while index < len(self._objects):
            if index != self._interpreter:
                for name in self._objects[index].facts.needed:
                    self._ask(index, name)
            index += 1

    def load(self) -> Load:
        """Return the value; the loader itself last, where nothing asked for libc."""
        interpreter = self._map_interpreter()
        if interpreter is None:
            why = "not found"
            self._missing.append(Missing(0, self._interpreter_path, NeedKind.INTERPRETER, (), why))
        needs = list(self._needs)
        if self._objects[0].facts.interpreter is not None:
            needs.insert(0, Need(0, self._interpreter_path, NeedKind.INTERPRETER, interpreter))
        return Load(tuple(self._objects), tuple(needs), tuple(self._missing))

    def _ask(self, index: int, name: str) -> None:
        searched: dict[str, None] = {}
        why = "not found"
        target: int | None = None
        if name.startswith(_BUILT_IN) or name == self._interpreter_path:
            target = self._map_interpreter()
        elif name not in self._short_names:
            place = self._first_open(index, name, searched)
            if place is not None:
                target, why = self._map(index, name, *place)
        else:
            target = self._short_names[name]
        self._needs.append(Need(index, name, NeedKind.NEEDED, target))
        if target is None:
            self._missing.append(Missing(index, name, NeedKind.NEEDED, tuple(searched), why))

    def _map_interpreter(self) -> int | None:
        if self._interpreter is None:
            opened = self._root.open(self._interpreter_path)
            if opened is None or opened.facts is None:
                return None
            mapped = Mapped(self._interpreter_path, opened.found, opened.facts, How.INTERPRETER)
            self._interpreter = self._append(mapped, 0)
        return self._interpreter

    def _first_open(
        self, index: int, name: str, searched: dict[str, None]
    ) -> tuple[str, How, str] | None:
        for directory, how in self._directories(index, name):
            path = f"{directory}/{name}" if directory is not None else name
            if self._root.open(self._absolute(path)) is not None:
                return path, how, directory or ""
            if directory is not None:
                searched[directory or "/"] = None
        return None

    def _directories(self, index: int, name: str) -> Iterator[tuple[str | None, How]]:
        if "/" in name:
            yield None, How.PATH
            return
        if len(name) > _NAME_MAX:
            return
        for directory in _split(self._library_path):
            yield directory, How.LIBRARY_PATH
        asked: int | None = index
        while asked is not None:
            facts = self._objects[asked].facts
            how = How.RPATH if facts.runpath is None else How.RUNPATH
            for directory in _split(self._rpath(asked)):
                yield directory, how
            asked = self._requesters[asked]
        path, how = self._read_system_path()
        for directory in _split(path):
            yield directory, how

    def _rpath(self, index: int) -> str:
        """Return the object's path with ``$ORIGIN`` replaced; "" if there is another token."""
        mapped = self._objects[index]
        text = mapped.facts.rpath if mapped.facts.runpath is None else mapped.facts.runpath
        if not text or "$" not in text:
            return text or ""
        origin = posixpath.dirname(self.program_path if index == 0 else mapped.path)
        expanded = text.replace("${ORIGIN}", "$ORIGIN")
        return "" if "$" in expanded.replace("$ORIGIN", "") else expanded.replace("$ORIGIN", origin)

    def _read_system_path(self) -> tuple[str, How]:
        if self._system_path is None:
            self._system_path = (_DEFAULT_PATH, How.DEFAULT)
            found = self._root.sysroot.lookup(path_file(self._interpreter_path))
            if found is not None and found.node.kind is Kind.FILE:
                with self._root.sysroot.open(found.path) as file:
                    text = file.pread(_PATH_FILE_LIMIT, 0).partition(b"\0")[0]
                self._system_path = (text.decode("utf-8", "surrogateescape"), How.PATH_FILE)
        return self._system_path

    def _map(
        self, index: int, name: str, path: str, how: How, directory: str
    ) -> tuple[int | None, str]:
        opened = self._root.open(self._absolute(path))
        if opened is None:
            return None, "not found"
        program = self._objects[0].facts
        facts = opened.facts
        # musl does not look at e_machine: it maps such an object, and fails to relocate it.
        if facts is None or (facts.elf_class, facts.machine, facts.byte_order) != (
            program.elf_class,
            program.machine,
            program.byte_order,
        ):
            return None, f"{path}: Exec format error"
        if facts.type not in {ET_DYN, ET_EXEC} or not facts.dynamic:
            return None, f"{path}: Exec format error"
        if (facts.soname or "").startswith("libc."):
            # Another libc by its path: musl takes itself instead (__libc_start_main, stdin).
            return self._map_interpreter(), ""
        identity = opened.found.node.identity
        target = self._inodes.get(identity)
        if target is None:
            mapped = Mapped(self._absolute(path), opened.found, facts, how, directory)
            target = self._append(mapped, index)
            self._inodes[identity] = target
        if "/" not in name:
            self._short_names.setdefault(posixpath.basename(self._objects[target].path), target)
        return target, ""

    def _append(self, mapped: Mapped, requester: int) -> int:
        self._objects.append(mapped)
        self._requesters.append(requester)
        return len(self._objects) - 1

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self._root.working_directory}/{path}"


def _split(text: str) -> Iterator[str]:
    """Return the directories of a path, colons or lines between them; empty ones count for none."""
    for line in text.split("\n"):
        for directory in line.split(":"):
            if directory:
                yield directory
