"""One program's process as musl builds it (musl ldso/dynlink.c, ``load_library``, ``load_deps``).

Breadth first as well, and otherwise unlike glibc: libc's own names are
built in, RUNPATH is RPATH and is inherited through the chain of requesters,
the first file that opens is taken whatever it is, there is no cache.
"""

from __future__ import annotations

import os
import posixpath
from errno import ELOOP, ENOENT

from rootgen.elf.facts import ET_DYN, ET_EXEC
from rootgen.errors import ElfError, SysrootError
from rootgen.ldso.load import SETS_IDS, How, Load, Mapped, Missing, Need, NeedKind
from rootgen.ldso.machine import machine_of
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.root import Root
    from rootgen.sysroot.port import Found

INTERPRETER_PREFIX = "ld-musl-"
_DEFAULT_PATH = "/lib:/usr/local/lib:/usr/lib"
# load_library: names of libraries that are all in the one that is there already.
_BUILT_IN = tuple(f"lib{name}." for name in "c pthread rt m dl util xnet".split())
_PATH_FILE_LIMIT = 1 << 20
_NAME_MAX = 255
_BUFFER = 2 * _NAME_MAX + 2  # load_library, buf


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
    # The kernel mapped a program, so its name is what /proc/self/exe says.
    kernel_mapped = program.facts.interpreter is not None and not by_name
    secure = kernel_mapped and bool(program.found.node.mode & SETS_IDS)
    process = _Process(root, program, interpreter, library_path, secure=secure)
    if not kernel_mapped:
        process.program_path = program.path
    process.run()
    return process.load()


class _Process:
    """A process under construction; indexes are into ``_objects``, which is in load order."""

    def __init__(
        self,
        root: Root,
        program: Mapped,
        interpreter: str,
        library_path: tuple[str, ...],
        *,
        secure: bool,
    ) -> None:
        self.program_path = program.found.path
        self._root = root
        self._interpreter_path = interpreter
        self._secure = secure
        self._library_path = "" if secure else ":".join(library_path)
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
        why = ""
        target: int | None = None
        if not name:
            why = "Invalid argument"
        elif name.startswith(_BUILT_IN) or name == self._interpreter_path:
            target = self._map_interpreter()
        elif name in self._short_names:
            target = self._short_names[name]
        else:
            place = self._first_open(index, name, searched)
            if isinstance(place, str):
                why = place
            else:
                target, why = self._map(index, name, *place)
        self._needs.append(Need(index, name, NeedKind.NEEDED, target))
        if target is None or why:
            why = why or "not found"
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
    ) -> tuple[str, How, str] | str:
        """Return the path of the first file that opens, or why there is none."""
        for directory, how in self._directories(index, name):
            path = f"{directory}/{name}" if directory is not None else name
            if directory is not None and len(os.fsencode(path)) >= _BUFFER:
                continue  # path_open: what snprintf would cut
            at = self._absolute(path)
            opened = self._root.open(at)
            if opened is not None and opened.found.node.kind is not Kind.SOCKET:
                return path, how, directory or ""
            if directory is not None:
                searched[directory or "/"] = None
            # Any errno but ENOENT, ENOTDIR, EACCES and ENAMETOOLONG ends the search as a whole.
            if opened is not None:
                return f"{path}: No such device or address"
            if self._root.sysroot.lookup_error(at) == ELOOP:
                return f"{path}: Symbolic link loop"
        return "not found"

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
        if index == 0 and self._secure:
            return ""  # fixup_rpath: who runs the program may have named it
        origin = (self.program_path if index == 0 else mapped.path).rpartition("/")[0]
        expanded = text.replace("${ORIGIN}", "$ORIGIN")
        return "" if "$" in expanded.replace("$ORIGIN", "") else expanded.replace("$ORIGIN", origin)

    def _read_system_path(self) -> tuple[str, How]:
        if self._system_path is None:
            text = self._read_path_file()
            self._system_path = (
                (_DEFAULT_PATH, How.DEFAULT) if text is None else (text, How.PATH_FILE)
            )
        return self._system_path

    def _read_path_file(self) -> str | None:
        """Return the path file's text: None where there is none, "" where it cannot be read."""
        sysroot, path = self._root.sysroot, path_file(self._interpreter_path)
        found = sysroot.lookup(path)
        if found is None and sysroot.lookup_error(path) == ENOENT:
            return None
        if found is None or found.node.kind is not Kind.FILE:
            return ""
        try:
            with sysroot.open(found.path) as file:
                text = file.pread(_PATH_FILE_LIMIT, 0).partition(b"\0")[0]
        except SysrootError:
            return ""
        return text.decode("utf-8", "surrogateescape")

    def _map(
        self, index: int, name: str, path: str, how: How, directory: str
    ) -> tuple[int | None, str]:
        opened = self._root.open(self._absolute(path))
        if opened is None:
            return None, "not found"
        program = self._objects[0]
        facts = opened.facts
        if opened.found.node.kind is Kind.DIRECTORY:
            return None, f"{path}: Is a directory"
        # map_library: no other field of the header is looked at, not even the machine.
        if facts is None or (facts.elf_class, facts.byte_order) != (
            program.facts.elf_class,
            program.facts.byte_order,
        ):
            return None, f"{path}: Exec format error"
        if facts.type not in {ET_DYN, ET_EXEC} or not facts.dynamic:
            return None, f"{path}: Exec format error"
        identity = opened.found.node.identity
        target = self._inodes.get(identity)
        if target is None and facts.type == ET_EXEC and identity == program.found.node.identity:
            return None, f"{path}: Resource busy"  # its addresses are the program's already
        if target is None and self._is_libc(opened.found, facts):
            return self._map_interpreter(), ""
        if target is None:
            mapped = Mapped(self._absolute(path), opened.found, facts, how, directory)
            target = self._append(mapped, index)
            self._inodes[identity] = target
        if "/" not in name:
            self._short_names.setdefault(posixpath.basename(self._objects[target].path), target)
        if facts.machine != program.facts.machine:
            kind = f"{machine_of(facts).name} and not {machine_of(program.facts).name}"
            return target, f"{path} is for {kind}: musl maps it and cannot relocate it"
        return target, ""

    def _is_libc(self, found: Found, facts: ElfFacts) -> bool:
        """Tell whether it is a libc, musl's or another: then musl takes itself (load_library).

        By two symbols that it defines. Only what needs nothing, or a loader
        alone, is asked: reading symbols is slow, and each libc is such.
        """
        if not all(posixpath.basename(name).startswith("ld") for name in facts.needed):
            return False
        known = self._root.libcs.get(found.path)
        if known is None:
            from rootgen.elf.symbols import read_symbols

            try:
                with self._root.sysroot.open(found.path) as file:
                    defined = read_symbols(file.pread, found.path).defined
            except ElfError:
                defined = {}
            known = b"__libc_start_main" in defined and b"stdin" in defined
            self._root.libcs[found.path] = known
        return known

    def _append(self, mapped: Mapped, requester: int) -> int:
        self._objects.append(mapped)
        self._requesters.append(requester)
        return len(self._objects) - 1

    def _absolute(self, path: str) -> str:
        return path if path[:1] == "/" else f"{self._root.working_directory.rstrip('/')}/{path}"


def _split(text: str) -> Iterator[str]:
    """Return the directories of a path, colons or lines between them; empty ones count for none."""
    for line in text.split("\n"):
        for directory in line.split(":"):
            if directory:
                yield directory
