"""What a process would ``dlopen``, as its objects say in ``.note.dlopen``.

The loader itself knows nothing of these: the libraries are looked up as
``dlopen`` without RPATH does, and what they need joins the process as it is.
"""

from __future__ import annotations

import posixpath

from rootgen.closure.once import read_once
from rootgen.elf.notes import PRIORITIES, DlopenNote, read_dlopen_notes
from rootgen.ldso.load import How, Load, Mapped, Missing, Need, NeedKind
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.ldso.system import System


class DlopenReader:
    """The dlopen notes of one root's files, each read once."""

    def __init__(self, system: System) -> None:
        """Read nothing yet."""
        self._system = system
        self._notes = read_once(system.sysroot, read_dlopen_notes)

    def follow(self, load: Load, least: str) -> Load:
        """Return ``load`` with what its notes of priority ``least`` and above bring.

        Of a note's names the first that is found counts. A required library
        that is not there is missing; any other is a need without a target.
        What follows brings its own notes. Raises ElfError where notes are malformed.
        """
        if not load.objects[0].facts.dynamic:
            return load
        wanted = PRIORITIES[: PRIORITIES.index(least) + 1]
        following = _Following(self._system, load)
        for index, mapped in following.each():
            for note in self._notes(mapped):
                if note.priority in wanted:
                    following.ask(index, note)
        return following.load()


class _Following:
    """A process that grows by what is opened in it."""

    def __init__(self, system: System, load: Load) -> None:
        self._system = system
        self._objects = list(load.objects)
        self._needs = list(load.needs)
        self._missing = list(load.missing)
        self._paths = {one.found.path: index for index, one in enumerate(self._objects)}
        self._names: dict[str, int] = {}
        for need in self._needs:
            if need.target is not None:
                self._names.setdefault(need.name, need.target)
        for index, mapped in enumerate(self._objects):
            self._know(index, mapped)

    def each(self) -> Iterator[tuple[int, Mapped]]:
        """Give each object with its index, those that are added meanwhile included."""
        # A list that grows is walked to its end all the same.
        yield from enumerate(self._objects)

    def load(self) -> Load:
        return Load(tuple(self._objects), tuple(self._needs), tuple(self._missing))

    def ask(self, index: int, note: DlopenNote) -> None:
        """Find what ``note`` of the object ``index`` names."""
        for name in note.sonames:
            target = self._names.get(name)
            if target is None:
                target = self._open(name)
            if target is not None:
                self._needs.append(Need(index, name, NeedKind.DLOPEN, target))
                return
        name = note.sonames[0]
        self._needs.append(Need(index, name, NeedKind.DLOPEN, None))
        if note.priority == "required":
            others = f" (nor {', '.join(note.sonames[1:])})" if note.sonames[1:] else ""
            why = f"not found{others}"
            self._missing.append(Missing(index, name, NeedKind.DLOPEN, (), why))

    def _open(self, name: str) -> int | None:
        mapped = self._system.find_library(name, self._objects[0].facts)
        if mapped is None:
            return None
        known = self._paths.get(mapped.found.path)
        if known is None:
            known = self._add(mapped)
            self._join(self._system.load(mapped.path), known)
        self._names.setdefault(name, known)
        return known

    def _join(self, load: Load, opened: int) -> None:
        """Bring what the library ``opened`` needs, which is the program of ``load``."""
        places = {0: opened}
        queue = [0]
        missing = {(one.requester, one.name): one for one in load.missing}
        below: dict[int, list[Need]] = {}
        for need in load.needs:
            if need.kind is not NeedKind.INTERPRETER:
                below.setdefault(need.requester, []).append(need)
        for inner in queue:
            for need in below.get(inner, ()):
                # By its name it may be there already, as another file even.
                target = self._names.get(need.name)
                if target is None and need.target is not None:
                    target = self._paths.get(load.objects[need.target].found.path)
                    if target is None:
                        target = self._add(load.objects[need.target])
                    self._names.setdefault(need.name, target)
                    if need.target not in places:
                        places[need.target] = target
                        queue.append(need.target)
                self._needs.append(need._replace(requester=places[inner], target=target))
                lacks = missing.get((inner, need.name))
                if target is None and lacks is not None:
                    self._missing.append(lacks._replace(requester=places[inner]))

    def _add(self, mapped: Mapped) -> int:
        index = len(self._objects)
        self._objects.append(mapped)
        self._paths[mapped.found.path] = index
        self._know(index, mapped)
        return index

    def _know(self, index: int, mapped: Mapped) -> None:
        if mapped.facts.soname is not None:
            self._names.setdefault(mapped.facts.soname, index)
        if mapped.how is How.INTERPRETER:
            self._names.setdefault(posixpath.basename(mapped.path), index)
