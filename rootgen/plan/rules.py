"""File rules of profiles and ``--add``: what they name becomes entries and finds."""

from __future__ import annotations

import posixpath

from rootgen.errors import MissingError, PlanError, SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import (
    Entry,
    EntryKind,
    FromHost,
    Inline,
    Reason,
    ReasonKind,
    hard_link,
)
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rootgen.profile.model import FileRule, UserRule
    from rootgen.sysroot.port import Found, Link, Node, Sysroot


# Of what is added; an ACL names users of the machine that the file is taken from.
_ATTRIBUTES = ("user.", "security.capability")

# The identity of each file of the host that has more names than one, by path.
Shared = dict[str, tuple[int, int]]


class Addition(NamedTuple):
    """``--add``: a file or directory of the host, and the target path it goes to."""

    source: str
    target: str


def own_entries(
    rules: Iterable[FileRule],
    additions: Iterable[Addition],
    sysroot: Sysroot,
    host: Sysroot,
    users: Sequence[UserRule],
) -> dict[str, Entry]:
    """Return the entries that are not read from ``sysroot``, by their real target path.

    These are texts, links, empty directories, files of the profile's own
    directory, and additions. A later one wins; names of one file stay so.
    Raises MissingError and PlanError.
    """
    entries: dict[str, Entry] = {}
    shared: Shared = {}
    for rule in rules:
        owner = owners_of(rule, users)
        for entry in _rule_entries(rule, host, shared):
            path = real_target(sysroot, entry.path)
            entries[path] = entry._replace(path=path, uid=owner[0] or 0, gid=owner[1] or 0)
            _refuse_over_directory(entries[path], str(rule.place), sysroot)
    for addition in additions:
        reason = Reason(ReasonKind.ADDED, addition.source)
        for entry in _host_entries(host, addition.source, addition.target, reason, shared):
            path = real_target(sysroot, entry.path)
            entries[path] = entry._replace(path=path)
            _refuse_over_directory(entries[path], f"--add {addition.source}", sysroot)
    _link_names(entries, shared)
    return entries


def _link_names(entries: dict[str, Entry], shared: Shared) -> None:
    """Make hard links of the entries that are one file of the host, with one mode and owner."""
    if not shared:
        return
    groups: dict[tuple[object, ...], list[str]] = {}
    for path, entry in entries.items():
        if isinstance(entry.content, FromHost) and entry.content.path in shared:
            key = (shared[entry.content.path], entry.mode, entry.uid, entry.gid)
            groups.setdefault(key, []).append(path)
    for paths in groups.values():
        # The order of a Plan: a link stands after what it links to.
        first, *others = sorted(paths, key=lambda path: path.split("/"))
        for path in others:
            entries[path] = hard_link(entries[path], first)


def _refuse_over_directory(entry: Entry, who: str, sysroot: Sysroot) -> None:
    """Raise PlanError where a file would take a directory's place, and hide all beneath it.

    A link may stand for a directory of the root, but for its top.
    """
    if entry.kind is EntryKind.DIRECTORY or (entry.kind is EntryKind.SYMLINK and entry.path != "/"):
        return
    there = sysroot.node(entry.path)
    if there is not None and there.kind is Kind.DIRECTORY:
        name = posixpath.basename(entry.content.path) if isinstance(entry.content, FromHost) else ""
        raise PlanError(
            f"{who}: {entry.path} is a directory",
            hint=f"the path is the new name: {posixpath.join(entry.path, name or 'NAME')}",
        )


def real_target(sysroot: Sysroot, path: str) -> str:
    """Return where ``path`` lies once the links of its parent directories are followed.

    Raises PlanError for a path that is not absolute or has ``..`` in it.
    """
    if not path.startswith("/") or ".." in path.split("/"):
        message = f"{path} is not an absolute path without '..'"
        raise PlanError(message)
    path = posixpath.normpath(path)
    parent, rest = path.rpartition("/")[0], path.rpartition("/")[2]
    while parent:
        found = sysroot.lookup(parent)
        if found is not None:
            return posixpath.join(found.path, rest)
        parent, _, name = parent.rpartition("/")
        rest = f"{name}/{rest}"
    return f"/{rest}"


def owners_of(rule: FileRule, users: Sequence[UserRule]) -> tuple[int | None, int | None]:
    """Return the uid and gid that a rule's ``owner`` and ``group`` mean; None: the source's.

    Raises PlanError, with the rule's place, for a name that no user has.
    """
    named = {user.name: user for user in users}

    def number(name: str | None, *, group: bool) -> int | None:
        if name is None:
            return None
        if name.isdigit():
            return int(name)
        if name == "root":
            return 0
        if name in named:
            return named[name].gid if group else named[name].uid
        kind = "group" if group else "owner"
        raise PlanError(
            f"{rule.place}: {kind} {name!r} of {rule.path} is no user of the profile",
            hint="name it under users:, or give a number",
        )

    uid = number(rule.owner, group=False)
    gid = number(rule.group or rule.owner, group=True)
    return uid, gid


def found_by(rule: FileRule, root: Sysroot) -> list[Found]:
    """Return what a rule that reads from the root finds there, directories walked.

    Empty for rules that read nothing from it. Raises MissingError, with the
    rule's place, where nothing is found and the rule is not optional.
    """
    if rule.text is not None or rule.source is not None or rule.link is not None or rule.directory:
        return []
    from rootgen.plan.pattern import expand  # brings re, for profiles alone

    # Each way to a file is a find of its own: git-am -> git and git-add -> git are both wanted.
    found: dict[tuple[str, tuple[Link, ...]], Found] = {}
    try:
        for path in expand(rule.path, root):
            start = root.lookup(path)
            if start is not None:
                for one in _walk(start, root, rule.exclude):
                    found.setdefault((one.path, one.links), one)
    except SysrootError as error:
        if not rule.optional:
            raise SysrootError(
                f"{rule.place}: {error.what}",
                why=(f"wanted by profile {rule.profile}",),
                hint="run as a user who may read it, or mark the rule optional: true",
            ) from error
    if not found and not rule.optional:
        raise MissingError(
            f"{rule.place}: {rule.path} matches nothing in {root.name}",
            why=(f"wanted by profile {rule.profile}",),
            hint="install what provides it, or mark the rule optional: true",
        )
    return list(found.values())


def _rule_entries(rule: FileRule, host: Sysroot, shared: Shared) -> Iterator[Entry]:
    reasons = (Reason(ReasonKind.PROFILE, rule.profile, "files"),)
    if rule.text is not None:
        data = rule.text.encode()
        mode = 0o644 if rule.mode is None else rule.mode
        yield Entry(
            rule.path, EntryKind.FILE, mode, size=len(data), content=Inline(data), reasons=reasons
        )
    elif rule.link is not None:
        yield Entry(rule.path, EntryKind.SYMLINK, 0o777, target=rule.link, reasons=reasons)
    elif rule.directory:
        mode = 0o755 if rule.mode is None else rule.mode
        yield Entry(rule.path, EntryKind.DIRECTORY, mode, reasons=reasons)
    elif rule.source is not None and not (rule.optional and host.lookup(rule.source) is None):
        for entry in _host_entries(host, rule.source, rule.path, reasons[0], shared):
            is_file = entry.kind is EntryKind.FILE
            yield entry._replace(mode=rule.mode) if is_file and rule.mode is not None else entry


def _host_entries(
    host: Sysroot, source: str, target: str, reason: Reason, shared: Shared
) -> Iterator[Entry]:
    start = host.lookup(source)
    if start is None:
        message = f"{source} does not exist"
        raise MissingError(message)
    if start.node.kind is Kind.SOCKET:
        message = f"{source} is a socket: its server makes it anew"
        raise PlanError(message)
    pending = [(start.path, start.node, target)]
    while pending:
        path, node, at = pending.pop()
        yield _host_entry(path, node, at, reason)._replace(xattrs=_attributes(host, path, node))
        if node.kind is Kind.FILE and node.nlink > 1:
            shared[path] = node.identity
        if node.kind is Kind.DIRECTORY:
            for name in host.names(path):
                child = f"{path.rstrip('/')}/{name}"
                below = host.node(child)
                if below is not None and below.kind is not Kind.SOCKET:
                    pending.append((child, below, f"{at.rstrip('/')}/{name}"))


def _attributes(host: Sysroot, path: str, node: Node) -> tuple[tuple[str, bytes], ...]:
    if node.kind not in {Kind.FILE, Kind.DIRECTORY}:
        return ()
    return tuple(pair for pair in host.xattrs(path) if pair[0].startswith(_ATTRIBUTES))


def _host_entry(path: str, node: Node, target: str, reason: Reason) -> Entry:
    # An addition belongs to the target's root: the owner of a working copy means nothing there.
    is_file = node.kind is Kind.FILE
    return Entry(
        target,
        EntryKind(node.kind.value),
        node.mode,
        mtime=node.mtime if node.kind is not Kind.DIRECTORY else 0,
        size=node.size if is_file else 0,
        content=FromHost(path) if is_file else None,
        target=node.target,
        device=node.device,
        reasons=(reason,),
    )


def _walk(start: Found, root: Sysroot, exclude: Sequence[str]) -> Iterator[Found]:
    from rootgen.plan.pattern import matches

    pending = [start]
    while pending:
        one = pending.pop()
        if any(matches(one.path, pattern) for pattern in exclude):
            continue
        yield one
        if one.node.kind is not Kind.DIRECTORY:
            continue
        for name in root.names(one.path):
            path = f"{one.path.rstrip('/')}/{name}"
            found = root.lookup(path)
            node = root.node(path)
            if node is None or any(matches(path, pattern) for pattern in exclude):
                continue
            if found is None:
                # A link that leads nowhere is brought as it is.
                yield one._replace(path=path, node=node, links=())
            elif not found.links:
                pending.append(found)
            else:
                # A link inside the directory: what it leads to comes too, not what is beneath.
                yield found
