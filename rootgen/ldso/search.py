"""Looking one name up as glibc does (elf/dl-load.c, ``_dl_map_object``).

The order of ld.so(8): RPATH of the requester and of those that brought it in,
LD_LIBRARY_PATH, RUNPATH of the requester alone, ld.so.cache, the default
directories.
"""

from __future__ import annotations

import posixpath

from rootgen.ldso.header import fits, refusal
from rootgen.ldso.load import How, Mapped, Outcome
from rootgen.ldso.machine import machine_of
from rootgen.ldso.tokens import Tokens, expand_tokens, secure_origin, split_path
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.root import Root

_DF_1_NODEFLIB = 0x800


class Requester:
    """An object of the process that asks for others (``struct link_map``).

    ``path`` is the one that it was opened by, ``loader`` the object that
    brought it in; ``origin`` is what ``$ORIGIN`` stands for; ``secure`` (of
    the program) means secure-execution mode (ld.so(8)). ``has_rpath``: it,
    or one that brought it in, has a DT_RPATH.
    """

    __slots__ = (
        "_kind",
        "_rpath",
        "_runpath",
        "facts",
        "has_rpath",
        "loader",
        "origin",
        "path",
        "secure",
    )

    def __init__(
        self,
        facts: ElfFacts,
        path: str,
        loader: Requester | None,
        origin: str | None = None,
        *,
        secure: bool = False,
    ) -> None:
        """Take the facts; ``origin`` None: the directory of ``path``."""
        self.secure = secure
        self.facts = facts
        self.path = path
        self.loader = loader
        self.origin = origin
        self.has_rpath: bool = facts.rpath is not None or (loader is not None and loader.has_rpath)
        self._rpath: tuple[str, ...] | None = None
        self._runpath: tuple[str, ...] | None = None
        self._kind = ""

    def kind(self) -> str:
        """Return what its process has in common with those that find the same by a plain search."""
        if not self._kind:
            facts = self.facts
            kind = (facts.machine, facts.elf_class, facts.byte_order, facts.flags)
            self._kind = f"\0{kind}\0{facts.interpreter or ''}"
        return self._kind

    def rpath(self, root: Root, program: Requester) -> tuple[str, ...]:
        """Return DT_RPATH's directories; none beside a DT_RUNPATH (get-dynamic-info.h)."""
        if self._rpath is None:
            text = self.facts.rpath if self.facts.runpath is None else None
            self._rpath = self._split(text, root, program)
        return self._rpath

    def runpath(self, root: Root, program: Requester) -> tuple[str, ...]:
        """Return its DT_RUNPATH's directories."""
        if self._runpath is None:
            self._runpath = self._split(self.facts.runpath, root, program)
        return self._runpath

    def tokens(self, root: Root, program: Requester) -> Tokens:
        """Return what the tokens stand for in this object."""
        defaults = root.default_directories(program.facts)
        machine = machine_of(program.facts)
        # DL_DST_LIB is made of the same slibdir as the first default directory.
        library = defaults[0].lstrip("/") if defaults else None
        origin = posixpath.dirname(self.path) if self.origin is None else self.origin
        return Tokens(origin or "/", library, root.cpu.platform or machine.platform or None)

    def _split(self, text: str | None, root: Root, program: Requester) -> tuple[str, ...]:
        # decompose_rpath: an empty path is none, not the working directory.
        if not text:
            return ()
        if program.secure:
            elements = (one for one in text.split(":") if self._is_trusted(one, root, program))
            text = ":".join(elements)
        return tuple(split_path(text, lambda: self.tokens(root, program))) if text else ()

    def _is_trusted(self, element: str, root: Root, program: Requester) -> bool:
        """Tell whether a set-user-ID program's process searches a path element.

        The program's own ``$ORIGIN`` counts where it leads beneath a default
        directory (``is_trusted_path_normalize``).
        """
        if not secure_origin(element):
            return False
        if self is not program or not element.startswith(("$ORIGIN", "${ORIGIN}")):
            return True
        expanded = expand_tokens(element, self.tokens(root, program)) or ""
        path = posixpath.normpath(expanded) + "/"
        defaults = root.default_directories(program.facts)
        return any(path.startswith(f"{directory}/") for directory in defaults)


class _Place(NamedTuple):
    """A file to try: its path, by which rule, and the path element that it is of."""

    path: str
    how: How
    via: str


def search(
    root: Root,
    name: str,
    requester: Requester,
    program: Requester,
    library_path: tuple[str, ...],
) -> Outcome:
    """Return what ``name``, asked for by ``requester`` in the process of ``program``, leads to."""
    if "/" in name:
        return _by_path(root, name, requester, program)
    searches_runpath = requester.facts.runpath is not None
    if not (requester.has_rpath or program.has_rpath or searches_runpath or library_path):
        return _plain(root, name, requester, program)
    special = _special_places(root, name, requester, program, library_path)
    outcome = _first_fitting(root, special, program.facts)
    if outcome.mapped is not None or outcome.fatal:
        return outcome
    plain = _plain(root, name, requester, program)
    if plain.mapped is None and plain.why == "not found":
        plain = plain._replace(why=outcome.why)
    if plain.mapped is None and outcome.searched:
        return plain._replace(searched=tuple(dict.fromkeys(outcome.searched + plain.searched)))
    return plain


def _by_path(root: Root, name: str, requester: Requester, program: Requester) -> Outcome:
    path: str | None = name
    if "$" in name:
        path = expand_tokens(name, requester.tokens(root, program))
    if not path:
        return Outcome(None, (), "its tokens stand for nothing")
    path = _absolute(path, root)
    outcome = _first_fitting(root, (_Place(path, How.PATH, ""),), program.facts)
    return outcome._replace(searched=()) if outcome.mapped is None else outcome


def _special_places(
    root: Root,
    name: str,
    requester: Requester,
    program: Requester,
    library_path: tuple[str, ...],
) -> Iterator[_Place]:
    """Give the places that depend on who asks: RPATH chain, LD_LIBRARY_PATH, RUNPATH."""
    if requester.facts.runpath is None:
        asked: Requester | None = requester
        met_program = False
        while asked is not None:
            if asked.facts.rpath is not None:
                yield from _in(root, asked.rpath(root, program), name, How.RPATH, program.facts)
            met_program = met_program or asked is program
            asked = asked.loader
        if not met_program and program.facts.rpath is not None:
            yield from _in(root, program.rpath(root, program), name, How.RPATH, program.facts)
    if library_path and not program.secure:
        text = ":".join(library_path)
        elements = split_path(text, lambda: program.tokens(root, program), ":;")
        yield from _in(root, elements, name, How.LIBRARY_PATH, program.facts)
    if requester.facts.runpath is not None:
        yield from _in(root, requester.runpath(root, program), name, How.RUNPATH, program.facts)


def _plain(root: Root, name: str, requester: Requester, program: Requester) -> Outcome:
    """Search cache and default directories: the same for all of a kind, so remembered."""
    nodeflib = bool(requester.facts.dt_flags_1 & _DF_1_NODEFLIB)
    key = (name, nodeflib, program.kind())
    known = root.plain.get(key)
    if known is not None:
        return known
    facts = program.facts
    outcome = _first_fitting(root, _plain_places(root, name, facts, nodeflib=nodeflib), facts)
    if outcome.mapped is None:
        searched = outcome.searched
        if not nodeflib:
            searched = tuple(dict.fromkeys((*searched, *root.default_directories(facts))))
        outcome = outcome._replace(searched=("/etc/ld.so.cache", *searched))
    root.plain[key] = outcome
    return outcome


def _plain_places(root: Root, name: str, facts: ElfFacts, *, nodeflib: bool) -> Iterator[_Place]:
    cached = root.cached(name, facts)
    if cached is not None:
        defaults = root.default_directories(facts) if nodeflib else ()
        # A prefix, not a parent: /lib/x/liby.so is of /lib (_dl_map_object, system_dirs).
        if not any(cached.startswith(f"{directory}/") for directory in defaults):
            yield _Place(_absolute(cached, root), How.CACHE, "")
    configured = root.configured_directories()
    if configured:
        yield from _in(root, configured, name, How.CONFIGURATION, facts)
    if not nodeflib:
        yield from _in(root, root.default_directories(facts), name, How.DEFAULT, facts)


def _in(
    root: Root, directories: Iterable[str], name: str, how: How, program: ElfFacts
) -> Iterator[_Place]:
    for element in directories:
        directory, path = _absolute(element, root), ""
        for place in root.subdirectories(directory, program):
            path = f"{place.rstrip('/')}/{name}"
            yield _Place(path, how, directory)
        if root.is_barred(path, program, relative=element[:1] != "/"):
            # open_path: what is there and cannot be opened ends this list, not those after it.
            return


def _first_fitting(root: Root, places: Iterable[_Place], program: ElfFacts) -> Outcome:
    searched: dict[str, None] = {}
    why = "not found"
    for place in places:
        opened = root.open(place.path)
        if opened is None or not (opened.facts is None or fits(opened.facts, program)):
            if place.how is not How.CACHE:
                searched[place.via or place.path] = None
            if opened is not None and opened.facts is not None:
                kind = f"{machine_of(opened.facts).name} and not {machine_of(program).name}"
                why = f"not found ({place.path} is for {kind})"
            continue
        fatal = opened.fatal or "not an ELF file"
        if opened.facts is not None:
            fatal = opened.fatal or refusal(opened.facts, program)
        if fatal or opened.facts is None:
            return Outcome(None, tuple(searched), f"{place.path}: {fatal}", fatal=True)
        mapped = Mapped(place.path, opened.found, opened.facts, place.how, place.via)
        return Outcome(mapped, tuple(searched))
    return Outcome(None, tuple(searched), why)


def _absolute(path: str, root: Root) -> str:
    if path.startswith("/"):
        return path
    return posixpath.join(root.working_directory, path).rstrip("/") or "/"
