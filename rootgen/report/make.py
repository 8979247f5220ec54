"""What ``make`` did, or would do: a few lines for people, JSON for programs."""

from __future__ import annotations

import stat

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import EntryKind, ReasonKind
from rootgen.report.colour import PLAIN
from rootgen.report.reason import reason_words
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan
    from rootgen.report.colour import Palette

_PROGRAM_REASONS = {ReasonKind.REQUESTED, ReasonKind.SCRIPT}
_LIBRARY_REASONS = {ReasonKind.NEEDED, ReasonKind.INTERPRETER, ReasonKind.PRELOAD}
_FILE_KINDS = {EntryKind.FILE, EntryKind.HARDLINK}
_TYPES = {
    EntryKind.DIRECTORY: stat.S_IFDIR,
    EntryKind.FILE: stat.S_IFREG,
    EntryKind.SYMLINK: stat.S_IFLNK,
    EntryKind.HARDLINK: stat.S_IFREG,
    EntryKind.CHARACTER: stat.S_IFCHR,
    EntryKind.BLOCK: stat.S_IFBLK,
    EntryKind.FIFO: stat.S_IFIFO,
}
# Of each kind of remark; the rest is counted.
_TOLD = 10


class Census(NamedTuple):
    """How many of what a Plan has; ``size`` in bytes; ``privileged``: set-user-ID and the like."""

    programs: int
    libraries: int
    others: int
    size: int
    privileged: tuple[str, ...]


class Remark(NamedTuple):
    """Something a person should know of a path: left out, or not kept as it was."""

    path: str
    what: str


def census(plan: Plan) -> Census:
    """Count the entries of ``plan`` that are files, by what they are there for."""
    programs = libraries = others = size = 0
    privileged: list[str] = []
    for entry in plan.entries():
        if entry.kind not in _FILE_KINDS:
            continue
        size += entry.size
        if _is_program(entry):
            programs += 1
        elif _is_library(entry):
            libraries += 1
        else:
            others += 1
        if entry.mode & (stat.S_ISUID | stat.S_ISGID) or _has_capability(entry):
            privileged.append(entry.path)
    return Census(programs, libraries, others, size, tuple(privileged))


def summary_lines(  # noqa: PLR0913 - all that there is to say
    plan: Plan,
    out: str,
    skipped: Sequence[Remark],
    notes: Sequence[Remark],
    palette: Palette = PLAIN,
    *,
    foreign: str = "",
    replaced: Sequence[Remark] = (),
    image: bool = False,
    base: bool = False,
) -> Iterator[str]:
    """Say what was made, in ``out`` (``""``: nothing was), and what to type next.

    ``foreign`` is the machine that the programs are for, where it is not
    this one; ``replaced`` what an increment replaces of its ``base``. An
    ``image`` was made as well, or instead.
    """
    counted = census(plan)
    parts = (
        count_words(counted.programs, "program"),
        count_words(counted.libraries, "library", "libraries"),
        count_words(counted.others, "other file"),
        size_words(counted.size),
    )
    where = f"{palette.bold}{printable(out)}{palette.reset}" if out else "dry run"
    yield f"{where}: {', '.join(parts)}"
    privileged = [Remark(path, _privilege(plan[path])) for path in counted.privileged]
    yield from _remark_lines("privileged", privileged)
    yield from _remark_lines("replaces", replaced)
    yield from _remark_lines("skipped", skipped)
    yield from _remark_lines("not kept", notes)
    if image:
        yield f"next: rootgen history {out}"
    elif out and base:
        yield f"next: rootgen commit {_quoted(out)} --base IMAGE -t NAME:TAG"
    elif out and foreign:
        yield f"next: rootgen check {_quoted(out)}     (its programs are for {foreign})"
    elif out:
        yield f"next: rootgen shell {_quoted(out)}"


def plan_lines(plan: Plan) -> Iterator[str]:
    """List every entry as ``ls -l`` does, with its first reason."""
    for entry in plan.entries():
        mode = stat.filemode(entry.mode | _TYPES[entry.kind])
        arrow = f" -> {printable(entry.target)}" if entry.kind is EntryKind.SYMLINK else ""
        reason = reason_words(entry.reasons[0]) if entry.reasons else ""
        size = size_words(entry.size) if entry.kind is EntryKind.FILE else ""
        owner = f"{entry.uid}:{entry.gid}"
        yield f"{mode} {owner:>7} {size:>9} {printable(entry.path)}{arrow}  # {reason}"


def make_json(
    plan: Plan, digest: str, out: str, skipped: Sequence[Remark], notes: Sequence[Remark]
) -> Mapping[str, object]:
    """Return the document of ``make --json``; with ``out`` empty it was a dry run."""
    counted = census(plan)
    return {
        "rootgen": 1,
        "command": "make",
        "out": out or None,
        "digest": digest,
        "programs": counted.programs,
        "libraries": counted.libraries,
        "others": counted.others,
        "bytes": counted.size,
        "privileged": list(counted.privileged),
        "skipped": [{"path": one.path, "what": one.what} for one in skipped],
        "not_kept": [{"path": one.path, "what": one.what} for one in notes],
        "entries": [entry_json(entry) for entry in plan.entries()],
    }


def entry_json(entry: Entry) -> Mapping[str, object]:
    """Return one entry of a Plan; what does not apply to its kind is left out."""
    document: dict[str, object] = {
        "path": entry.path,
        "kind": entry.kind.value,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
    }
    if entry.kind is EntryKind.FILE:
        document |= {"size": entry.size, "sha256": entry.sha256 or None}
    if entry.target:
        document["target"] = entry.target
    if entry.kind in {EntryKind.CHARACTER, EntryKind.BLOCK}:
        document["device"] = list(entry.device)
    document["reasons"] = [
        {"kind": reason.kind.value, "by": reason.by, "detail": reason.detail}
        for reason in entry.reasons
    ]
    return document


def _is_program(entry: Entry) -> bool:
    return any(
        reason.kind in _PROGRAM_REASONS
        or (reason.kind is ReasonKind.PROFILE and reason.detail.startswith("programs"))
        for reason in entry.reasons
    )


def _is_library(entry: Entry) -> bool:
    return any(
        reason.kind in _LIBRARY_REASONS
        or (reason.kind is ReasonKind.PROFILE and reason.detail.startswith("libraries"))
        for reason in entry.reasons
    )


def _has_capability(entry: Entry) -> bool:
    return any(name == "security.capability" for name, _ in entry.xattrs)


def _privilege(entry: Entry) -> str:
    words = []
    if entry.mode & stat.S_ISUID:
        words.append(f"set-user-ID of {entry.uid}")
    if entry.mode & stat.S_ISGID:
        words.append(f"set-group-ID of {entry.gid}")
    if _has_capability(entry):
        words.append("file capabilities")
    return ", ".join(words)


def _remark_lines(heading: str, remarks: Sequence[Remark]) -> Iterator[str]:
    for remark in remarks[:_TOLD]:
        yield f"  {heading}: {printable(remark.path)} ({printable(remark.what)})"
    if len(remarks) > _TOLD:
        yield f"  {heading}: … and {len(remarks) - _TOLD} more"


def _quoted(path: str) -> str:
    if path.isascii() and path.replace("/", "").replace(".", "").replace("-", "").isalnum():
        return path
    from shlex import quote  # its lexer takes 1 ms, and most paths need no quotes

    if path.isprintable():
        return quote(path)
    # As bash, zsh and ksh read it; a name as it is might rewrite the screen.
    escaped = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"
