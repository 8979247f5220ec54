"""Base and increment as one Plan: what is brought, and what the base has already."""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.accounts import joined_accounts
from rootgen.plan.base import replaced
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Inline, Reason, ReasonKind
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rootgen.plan.as_sysroot import Union
    from rootgen.plan.assemble import Assembly, Wish
    from rootgen.plan.base import Base
    from rootgen.plan.ground import Instead
    from rootgen.sysroot.port import Sysroot

    Digest = Callable[[Sysroot, str], str]

_WEAK = {ReasonKind.SKELETON, ReasonKind.PARENT}
_COMPARED = ("mode", "uid", "gid", "xattrs", "target", "device")


class United(NamedTuple):
    """``plan`` is what is brought, with the directories that it is in; ``united`` all."""

    plan: Plan
    united: Plan


def united_plan(
    wish: Wish,
    base: Base,
    assembly: Assembly,
    instead: Instead,
    root: Union,
    digest: Digest,
) -> United:
    """Return what ``assembly``, which was resolved over the base, brings to it.

    Raises PlanError where a file would take a directory's place or the
    other way round.
    """
    wanted = _wanted(assembly, instead)
    brought: dict[str, Entry] = {}
    for path, entry in wanted.items():
        there = base.plan.get(path)
        if path == MANIFEST_PATH:
            continue
        if there is None:
            brought[path] = entry
            _check_place(entry, base)
            continue
        own = path in instead.entries() or not _is_read(entry)
        if _is_bases(entry, there, own=own):
            continue
        _check_kind(entry, there, base)
        if not _is_alike(entry, there, wanted, base.plan, root, digest):
            brought[path] = entry
    for entry in joined_accounts(wish.profile.users, base.root):
        if entry.path in brought or base.plan.get(entry.path) is not None:
            brought[entry.path] = entry
    _bring_all_names(brought, wanted)
    above = dict(_parents(brought, base.plan, wanted))
    plan = Plan((above | brought).values())
    return _united(plan, base)


def with_entries(found: United, entries: Iterable[Entry], base: Base) -> United:
    """Return the same with ``entries`` brought as well."""
    brought = {entry.path: entry for entry in found.plan.entries()}
    brought.update((entry.path, entry) for entry in entries)
    return _united(Plan((_parents(brought, base.plan, {}) | brought).values()), base)


def _united(plan: Plan, base: Base) -> United:
    whole = replaced(base.plan, plan.entries())
    files = [
        entry._replace(content=FromSysroot(entry.path))
        if entry.kind is EntryKind.FILE and entry.path not in plan
        else entry
        for entry in whole.entries()
    ]
    return United(plan, Plan(files))


def _wanted(assembly: Assembly, instead: Instead) -> dict[str, Entry]:
    """Return the entries of the assembly, those of the source as it has them alone."""
    wanted = {entry.path: entry for entry in assembly.plan.entries()}
    for path, entry in instead.entries().items():
        known = wanted.get(path)
        if known is None:
            wanted[path] = entry
        elif known.kind in {EntryKind.FILE, EntryKind.HARDLINK}:
            wanted[path] = entry._replace(
                mode=known.mode,
                uid=known.uid,
                gid=known.gid,
                reasons=known.reasons or entry.reasons,
            )
    return dict(sorted(wanted.items(), key=lambda pair: pair[0].split("/")))


def _is_read(entry: Entry) -> bool:
    """Tell whether an entry was read from the root, and is not of the profile's own making."""
    return not isinstance(entry.content, Inline)


def _is_bases(entry: Entry, there: Entry, *, own: bool) -> bool:
    """Tell whether the base's own stays, whatever it is."""
    if all(reason.kind in _WEAK for reason in entry.reasons):
        return True
    if own:
        return entry.kind is there.kind is EntryKind.DIRECTORY
    ruled = any(reason.kind is ReasonKind.PROFILE for reason in entry.reasons)
    altered = (entry.mode, entry.uid, entry.gid) != (there.mode, there.uid, there.gid)
    return not (ruled and altered and entry.kind is EntryKind.FILE)


def _is_alike(
    entry: Entry,
    there: Entry,
    wanted: dict[str, Entry],
    base: Plan,
    root: Union,
    digest: Digest,
) -> bool:
    if entry.kind is EntryKind.HARDLINK:
        entry = wanted[entry.target]._replace(path=entry.path)
    if there.kind is EntryKind.HARDLINK:
        there = base[there.target]._replace(path=there.path)
    if entry.kind is not there.kind:
        return False
    if any(getattr(entry, name) != getattr(there, name) for name in _COMPARED):
        return False
    if entry.kind is not EntryKind.FILE:
        return True
    return entry.size == there.size and _digest(entry, root, digest) == there.sha256


def _digest(entry: Entry, root: Union, digest: Digest) -> str:
    if isinstance(entry.content, Inline):
        from hashlib import sha256

        return sha256(entry.content.data).hexdigest()
    return digest(root, entry.path) if root.node(entry.path) is not None else ""


def _check_kind(entry: Entry, there: Entry, base: Base) -> None:
    kinds = {entry.kind, there.kind}
    if EntryKind.DIRECTORY in kinds and len(kinds) > 1:
        raise PlanError(
            f"{entry.path} would be a {entry.kind.value}, and is a {there.kind.value} of the base",
            why=(f"the base is {base.name}",),
            hint="a base laid out otherwise (merged /usr or not) needs a --sysroot like it",
        )


def _check_place(entry: Entry, base: Base) -> None:
    """Raise PlanError where what ``entry`` is in is no directory of the base."""
    parent = entry.path.rpartition("/")[0]
    while parent:
        there = base.plan.get(parent)
        if there is not None:
            if there.kind is not EntryKind.DIRECTORY:
                _check_kind(entry._replace(path=parent, kind=EntryKind.DIRECTORY), there, base)
            return
        parent = parent.rpartition("/")[0]


def _bring_all_names(brought: dict[str, Entry], wanted: dict[str, Entry]) -> None:
    """Bring every name of a file of which one is brought: a hard link has its file beside it."""
    files = {_first(entry) for entry in brought.values() if entry.kind in _FILES}
    for entry in wanted.values():
        if entry.kind in _FILES and _first(entry) in files:
            brought.setdefault(entry.path, entry)


_FILES = {EntryKind.FILE, EntryKind.HARDLINK}


def _first(entry: Entry) -> str:
    return entry.target if entry.kind is EntryKind.HARDLINK else entry.path


def _parents(brought: dict[str, Entry], base: Plan, wanted: dict[str, Entry]) -> dict[str, Entry]:
    """Return the directories that what is brought is in, as the base has them."""
    above: dict[str, Entry] = {}
    for path in (*brought, MANIFEST_PATH):
        parent = path
        while parent != "/":
            parent = parent.rpartition("/")[0] or "/"
            if parent in above or parent in brought:
                continue
            reason = (Reason(ReasonKind.PARENT, path),)
            made = Entry(parent, EntryKind.DIRECTORY, 0o755, reasons=reason)
            entry = base.get(parent) or wanted.get(parent) or made
            above[parent] = entry if entry.reasons else entry._replace(reasons=reason)
    return above
