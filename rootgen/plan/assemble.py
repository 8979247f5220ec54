"""Programs, a profile and additions in; a Plan out.

What is added may be ELF or a script and bring a closure of its own; the
gathering is monotone, so the order of additions never matters.
"""

from __future__ import annotations

from rootgen.closure.graph import EdgeKind
from rootgen.closure.resolve import Gathering
from rootgen.closure.script import parse_shebang
from rootgen.elf.reader import is_elf
from rootgen.errors import ElfError, LoaderError, MissingError, SysrootError
from rootgen.ldso.system import System
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan import rules, skeleton
from rootgen.plan.as_sysroot import PlanSysroot, Union
from rootgen.plan.collect import Collection, Skipped
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind, wanted_by
from rootgen.plan.plan import Plan
from rootgen.profile.model import Profile
from rootgen.sysroot.port import Kind
from rootgen.sysroot.program import find_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rootgen.closure.graph import Closure, Edge
    from rootgen.ldso.cpu import Cpu
    from rootgen.ldso.load import Load
    from rootgen.plan.rules import Addition
    from rootgen.sysroot.port import Found, Sysroot

_EDGE_REASONS = {
    EdgeKind.INTERPRETER: ReasonKind.INTERPRETER,
    EdgeKind.SCRIPT: ReasonKind.SCRIPT,
    EdgeKind.PRELOAD: ReasonKind.PRELOAD,
}
# So many things that are not there are told, and so many have their near names looked for.
_TOLD = 100
_EXPLAINED = 20
# The first is the login shell of root in /etc/passwd.
_SHELLS = ("/bin/bash", "/bin/zsh", "/bin/dash", "/bin/sh", "/bin/busybox")


class Wish(NamedTuple):
    """What to assemble.

    ``sysroot`` is read, ``host`` serves additions; ``programs`` are names
    or absolute paths; ``epoch`` clamps times (seconds; None: as they are);
    ``records``: with what scanners read of packages.
    """

    sysroot: Sysroot
    host: Sysroot
    programs: tuple[str, ...] = ()
    profile: Profile = Profile("", "")
    additions: tuple[Addition, ...] = ()
    epoch: int | None = None
    records: bool = False


class Assembly(NamedTuple):
    """What came of a Wish.

    ``loads`` are the ELF programs' processes by the path each was opened
    at, ``variants`` those of processors that the root has libraries of their
    own for; ``root`` is what was searched: the additions over the sysroot.
    """

    plan: Plan
    closure: Closure
    loads: Mapping[str, Load]
    variants: Mapping[Cpu, Mapping[str, Load]]
    skipped: tuple[Skipped, ...]
    root: Union


def assemble(wish: Wish) -> Assembly:
    """Return the Plan of ``wish`` and the closure it rests on.

    What is lacking is in ``closure.lacking``, for the caller to judge.
    Raises MissingError for programs and files that are not there (all of
    them at once), PlanError for entries that contradict each other.
    """
    users = wish.profile.users
    own = rules.own_entries(wish.profile.files, wish.additions, wish.sysroot, wish.host, users)
    upper = PlanSysroot(Plan(own.values()), wish.sysroot, wish.host)
    root = Union(upper, wish.sysroot)
    collection = Collection(root, own, wish.epoch)
    system = System(root, configuration=True)
    gathering = Gathering(system)
    _add_programs(wish, root, collection, gathering)
    _add_libraries(wish, system, collection, gathering)
    for entry in own.values():
        collection.add_entry(entry)
    _add_rules(wish, root, collection)
    _examine(collection, gathering, root)
    closure = gathering.closure()
    _add_closure(collection, closure)
    _add_skeleton(collection, root, wish)
    if wish.records:
        from rootgen.plan.records import add_records

        add_records(collection, wish.sysroot)
    return Assembly(
        collection.plan(),
        closure,
        gathering.loads(),
        gathering.variants(),
        tuple(collection.skipped),
        root,
    )


def edge_reason(edge: Edge) -> Reason:
    """Return the reason that ``edge`` gives its target."""
    detail = edge.name
    if edge.how:
        detail += f", by {edge.how}" + (f" {edge.via}" if edge.via else "")
    return Reason(_EDGE_REASONS.get(edge.kind, ReasonKind.NEEDED), edge.source, detail)


def _add_programs(wish: Wish, root: Union, collection: Collection, gathering: Gathering) -> None:
    wanted = [(name, Reason(ReasonKind.REQUESTED, "", name), False) for name in wish.programs]
    wanted += [
        (
            rule.name,
            Reason(ReasonKind.PROFILE, rule.profile, f"programs: {rule.name}"),
            rule.optional,
        )
        for rule in wish.profile.programs
    ]
    problems: list[MissingError] = []
    for name, reason, optional in wanted:
        try:
            # Looking for near names takes time: for what may lack, and for the last of a
            # thousand, nobody reads them.
            explain = not optional and len(problems) < _EXPLAINED
            opened, found = find_program(root, name, explain=explain)
        except MissingError as error:
            if optional:
                collection.skipped.append(Skipped(name, f"not there; optional in {reason.by}"))
            else:
                problems.append(error)
            continue
        gathering.add(name, opened)
        collection.add(found, reason)
    _raise_all(problems)


def _add_libraries(
    wish: Wish, system: System, collection: Collection, gathering: Gathering
) -> None:
    problems: list[MissingError] = []
    for rule in wish.profile.libraries:
        reason = Reason(ReasonKind.PROFILE, rule.profile, f"libraries: {rule.name}")
        found = _library(rule.name, system, gathering)
        if found is not None:
            opened, at = found
            gathering.add(rule.name, opened, lenient=True)
            collection.add(at, reason)
        elif rule.optional:
            collection.skipped.append(Skipped(rule.name, f"not there; optional in {rule.profile}"))
        else:
            what = f"{rule.place}: no library {rule.name} in {wish.sysroot.name}"
            problems.append(MissingError(what))
    _raise_all(problems)


def _library(name: str, system: System, gathering: Gathering) -> tuple[str, Found] | None:
    if name.startswith("/"):
        found = system.sysroot.lookup(name)
        return None if found is None else (name, found)
    for load in gathering.loads().values():
        mapped = system.find_library(name, load.objects[0].facts)
        if mapped is not None:
            return mapped.path, mapped.found
    return None


def _raise_all(problems: list[MissingError]) -> None:
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = [
            problem.what + (f" ({problem.hint})" if problem.hint else "")
            for problem in problems[:_TOLD]
        ]
        if len(problems) > _TOLD:
            lines.append(f"… and {len(problems) - _TOLD} more")
        message = f"{len(problems)} things were not found"
        raise MissingError(message, why=tuple(lines))


def _add_rules(wish: Wish, root: Union, collection: Collection) -> None:
    problems: list[MissingError] = []
    for rule in wish.profile.files:
        reason = Reason(ReasonKind.PROFILE, rule.profile, "files")
        try:
            finds = rules.found_by(rule, root)
        except MissingError as error:
            problems.append(error)
            continue
        uid, gid = rules.owners_of(rule, wish.profile.users)
        for found in finds:
            node = found.node
            if rule.optional and not _is_readable(root, found):
                why = f"may not be read; optional in {rule.profile}"
                collection.skipped.append(Skipped(found.path, why))
                continue
            if node.kind is not Kind.SYMLINK:
                node = node._replace(
                    mode=node.mode
                    if rule.mode is None or node.kind is Kind.DIRECTORY
                    else rule.mode,
                    uid=node.uid if uid is None else uid,
                    gid=node.gid if gid is None else gid,
                )
            collection.add(found._replace(node=node), reason)
    _raise_all(problems)


def _is_readable(root: Union, found: Found) -> bool:
    if found.node.kind is not Kind.FILE:
        return True
    try:
        with root.open(found.path):
            return True
    except SysrootError:
        return False


def _examine(collection: Collection, gathering: Gathering, root: Union) -> None:
    """Give every ELF file and executable script among the files added a closure of its own."""
    for path in list(collection.paths()):
        node = root.node(path)
        if node is None or node.kind is not Kind.FILE:
            continue
        try:
            with root.open(path) as file:
                head = file.pread(4, 0)
        except SysrootError as error:
            why = wanted_by(collection.reasons(path))
            raise SysrootError(error.what, why=why, hint=error.hint) from error
        script = bool(node.mode & 0o111) and parse_shebang(head + b"/\n") is not None
        if not (is_elf(head) or script):
            continue
        try:
            gathering.add(path, path, lenient=True)
        except (ElfError, LoaderError) as error:
            # Data that only looks like a program (a test's broken ELF file) is still data.
            collection.skipped.append(Skipped(path, f"not examined: {error.what}"))


def _add_closure(collection: Collection, closure: Closure) -> None:
    for edge in closure.edges:
        collection.add(closure.files[edge.target].found, edge_reason(edge))
    for use in closure.links:
        node = collection.root.node(use.link.path)
        if node is not None:
            reason = Reason(ReasonKind.LINK, use.leads_to)
            collection.add_node(use.link.path, node, reason)


def _add_skeleton(collection: Collection, root: Union, wish: Wish) -> None:
    for entry in skeleton.directories(root):
        collection.set_entry(entry)
    present = set(collection.paths())
    generated: Iterable[Entry] = skeleton.files(wish.profile.users, _login_shell(root, present))
    for entry in generated:
        if entry.path not in present:
            collection.add_entry(entry)
    for entry in skeleton.homes(wish.profile.users):
        path = rules.real_target(root, entry.path)
        collection.set_entry(entry._replace(path=path))


def _login_shell(root: Union, present: set[str]) -> str:
    for shell in _SHELLS:
        found = root.lookup(shell)
        if found is not None and found.path in present:
            return shell
    return "/bin/sh"


def with_entry(plan: Plan, entry: Entry) -> Plan:
    """Return ``plan`` with ``entry`` in it, replacing what was at its path."""
    others = [one for one in plan.entries() if one.path != entry.path]
    if entry.kind is not EntryKind.DIRECTORY:
        parent = entry.path.rpartition("/")[0]
        if parent and parent not in plan:
            reason = Reason(ReasonKind.PARENT, entry.path)
            others.append(Entry(parent, EntryKind.DIRECTORY, 0o755, reasons=(reason,)))
    return Plan([*others, entry])
