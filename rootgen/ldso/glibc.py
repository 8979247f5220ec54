"""One program's process as glibc builds it (elf/rtld.c, elf/dl-deps.c).

Breadth first over DT_NEEDED, DT_AUXILIARY and DT_FILTER; an object is known
by the names it was asked for, by its SONAME, and by its inode.
"""

from __future__ import annotations

import posixpath

from rootgen.ldso.load import SETS_IDS, How, Load, Mapped, Missing, Need, NeedKind, Outcome
from rootgen.ldso.machine import machine_of
from rootgen.ldso.search import Requester, search
from rootgen.ldso.tokens import expand_tokens
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.ldso.root import Root

_NO_TOKENS = "DST not allowed in SUID/SGID programs"  # elf/dl-deps.c, expand_dst
_NOTHING = Outcome(None, (), "its tokens stand for nothing")


def load_program(
    root: Root, program: Mapped, library_path: tuple[str, ...], *, by_name: bool = False
) -> Load:
    """Return the process of ``program``, whose interpreter is glibc's loader.

    A shared library given as the program is loaded as ``ld.so LIBRARY`` does;
    ``by_name``: so is a program, as ldd(1) does it.
    """
    # /proc/self/exe is what the kernel says of the program, so links are resolved
    # (_dl_get_origin); a library given as the target is opened by its name.
    is_program = program.facts.interpreter is not None and not by_name
    name = program.found.path if is_program else program.path
    secure = bool(program.found.node.mode & SETS_IDS) and is_program
    # Where a program is counts by ``$ORIGIN`` alone; else those that say the same load the same,
    # and in a directory of programs only one in four says something new.
    key = None if _names_origin(program, library_path) else (program.facts, library_path, secure)
    load = None if key is None else root.loads.get(key)
    if load is None:
        process = _Process(root, program, library_path, posixpath.dirname(name), secure=secure)
        process.run()
        load = process.load()
        if key is not None:
            root.loads[key] = load
    return Load((program, *load.objects[1:]), load.needs, load.missing)


def _names_origin(program: Mapped, library_path: tuple[str, ...]) -> bool:
    facts = program.facts
    paths = (facts.rpath or "", facts.runpath or "", *library_path)
    return any("$" in text for text in (*paths, *facts.needed, *facts.auxiliary, *facts.filter))


class _Process:
    """A process under construction; indexes are into ``_objects``."""

    def __init__(
        self,
        root: Root,
        program: Mapped,
        library_path: tuple[str, ...],
        origin: str,
        *,
        secure: bool,
    ) -> None:
        self._root = root
        self._library_path = library_path
        self._program = Requester(program.facts, program.path, None, origin, secure=secure)
        self._objects: list[Mapped] = [program]
        # Who brought each in, and what asks for it: of use only where it asks for something new.
        self._loaders: list[int] = [0]
        self._requesters: dict[int, Requester] = {0: self._program}
        self._names: dict[str, int] = {}
        self._sonames: dict[str, int] = {}
        self._inodes: dict[tuple[int, int], int] = {}
        self._needs: list[tuple[int, str, NeedKind, int | None]] = []
        self._missing: list[Missing] = []
        self._order: list[int] = [0]  # the chain of link maps
        self._queue: list[int] = [0]  # those whose needs are looked at in turn
        self._queued: set[int] = {0}
        self._interpreter: int | None = None
        self._interpreter_asked = False

    def run(self) -> None:
        """Map the interpreter, what is preloaded, and then everything that is needed."""
        # The program's link map has no name, so a name that is empty is the program's.
        self._names[""] = 0
        self._know_soname(0)
        self._map_interpreter()
        for name in self._root.preloads():
            self._ask(0, name, NeedKind.PRELOAD)
        at = 0
        done: set[int] = set()
        while at < len(self._queue):
            index = self._queue[at]
            if index in done:
                at += 1
                continue
            done.add(index)
            # What the object filters may be put before it: look at this place again.
            self._dependencies(index, at)

    def load(self) -> Load:
        """Return the value, objects in the order of the link maps."""
        order = list(self._order)
        if self._interpreter is not None and not self._interpreter_asked:
            order.append(self._interpreter)
        place: dict[int | None, int] = {index: number for number, index in enumerate(order)}
        return Load(
            tuple([self._objects[index] for index in order]),
            # None: nothing was found, and that has no place.
            tuple(
                [
                    Need(place[requester], name, kind, place.get(target))
                    for requester, name, kind, target in self._needs
                ]
            ),
            tuple(one._replace(requester=place[one.requester]) for one in self._missing),
        )

    def _map_interpreter(self) -> None:
        facts = self._program.facts
        name = facts.interpreter or self._root.usual_interpreter(facts)
        if not name:
            return
        # The kernel starts it from the working directory if its name is relative.
        path = posixpath.normpath(posixpath.join("/", name)) if name[:1] != "/" else name
        opened = self._root.open(path)
        if opened is None or opened.facts is None or opened.fatal:
            why = f"not found (the program is for {machine_of(facts).name})"
            if opened is not None:
                why = opened.fatal
            if facts.interpreter is not None:
                self._needs.append((0, name, NeedKind.INTERPRETER, None))
                self._missing.append(Missing(0, name, NeedKind.INTERPRETER, (), why))
            return
        index = self._append(Mapped(path, opened.found, opened.facts, How.INTERPRETER), 0)
        self._interpreter = index
        self._names[name] = index
        if facts.interpreter is not None:
            self._needs.append((0, name, NeedKind.INTERPRETER, index))

    def _dependencies(self, index: int, at: int) -> None:
        facts = self._objects[index].facts
        if index == self._interpreter:
            return
        if facts.filter or facts.auxiliary:
            self._filtees(index, at)
        names, needs, queued = self._names, self._needs, self._queued
        for name in facts.needed:
            target = names.get(name)
            # Most names are those of objects that others have asked for.
            if target is None or target not in queued or "$" in name:
                self._ask(index, name, NeedKind.NEEDED)
            else:
                needs.append((index, name, NeedKind.NEEDED, target))

    def _filtees(self, index: int, before: int) -> None:
        facts = self._objects[index].facts
        # In the order of the dynamic section, where linkers put the filters first.
        for kind, names in (
            (NeedKind.FILTER, facts.filter),
            (NeedKind.AUXILIARY, facts.auxiliary),
        ):
            for name in names:
                target = self._ask(index, name, kind)
                if target is not None and self._put_before(target, index, before):
                    before += 1

    def _put_before(self, target: int, index: int, at: int) -> bool:
        """Put a filtee before its filter, in the queue and in the chain (dl-deps.c)."""
        if target in self._queued:
            if self._queue.index(target) <= at:
                return False
            self._queue.remove(target)
        self._queue.insert(at, target)
        self._queued.add(target)
        if target in self._order:
            self._order.remove(target)
        if target == self._interpreter:
            self._interpreter_asked = True
        # The program leads its process whatever it filters.
        self._order.insert(max(self._order.index(index), 1), target)
        return True

    def _ask(self, index: int, name: str, kind: NeedKind) -> int | None:
        """Find or map ``name`` for the object ``index``; queue it if it is new and no filtee."""
        written = name
        requester = self._requester(index)
        outcome = _NOTHING
        if "$" in name:
            name = expand_tokens(name, requester.tokens(self._root, self._program)) or ""
            if name != written and self._program.secure:
                name, outcome = "", Outcome(None, (), _NO_TOKENS)
        # An empty name is the program's; what tokens came to nothing for is no name.
        target = self._known(name) if name or not written else None
        if target is None and name:
            outcome = search(self._root, name, requester, self._program, self._library_path)
            if outcome.mapped is not None:
                target = self._map(outcome.mapped, name, index)
        if target is None:
            self._needs.append((index, written, kind, None))
            # A missing filtee is no failure: then the filter's own symbols count.
            if kind is not NeedKind.AUXILIARY:
                self._missing.append(Missing(index, written, kind, outcome.searched, outcome.why))
            return None
        self._needs.append((index, written, kind, target))
        is_filtee = kind is NeedKind.FILTER or kind is NeedKind.AUXILIARY
        if not is_filtee and target not in self._queued:
            self._queue.append(target)
            self._queued.add(target)
            if target == self._interpreter and not self._interpreter_asked:
                self._interpreter_asked = True
                self._order.append(target)
        return target

    def _known(self, name: str) -> int | None:
        index = self._names.get(name)
        if index is None:
            index = self._sonames.get(name)
            if index is not None:
                self._names[name] = index
        return index

    def _map(self, mapped: Mapped, name: str, loader: int) -> int:
        index = self._inodes.get(mapped.found.node.identity)
        if index is None:
            index = self._append(mapped, loader)
            self._inodes[mapped.found.node.identity] = index
            self._order.append(index)
            self._names.setdefault(mapped.path, index)
        self._names.setdefault(name, index)
        return index

    def _append(self, mapped: Mapped, loader: int) -> int:
        index = len(self._objects)
        self._objects.append(mapped)
        self._loaders.append(loader)
        self._know_soname(index)
        return index

    def _requester(self, index: int) -> Requester:
        known = self._requesters.get(index)
        if known is None:
            mapped = self._objects[index]
            # Who brought it in has asked, so that is known.
            loader = self._requesters[self._loaders[index]]
            known = self._requesters[index] = Requester(mapped.facts, mapped.path, loader)
        return known

    def _know_soname(self, index: int) -> None:
        soname = self._objects[index].facts.soname
        if soname is not None:
            self._sonames.setdefault(soname, index)
