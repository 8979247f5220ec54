"""A Launch told: in three acts with the shell commands that would do the same, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.linux.mount import MS_RDONLY
from rootgen.sandbox.launch import Link, Mount, Node, Protect
from rootgen.sandbox.mounts import MANIFEST
from rootgen.sandbox.place import flag_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.sandbox.launch import IdMap, Launch, Step
    from rootgen.sandbox.limits import Limit

_ROOT = "$ROOT"
_UNSHARE = {
    "user": "--user",
    "mount": "--mount",
    "pid": "--pid --fork --kill-child",
    "uts": "--uts",
    "ipc": "--ipc",
    "net": "--net",
    "cgroup": "--cgroup",
}
_PURPOSES = {
    "user": "ids and capabilities of its own; 0 inside is the caller outside",
    "mount": "a table of mounts of its own, which the caller does not see",
    "pid": "processes of its own, from process 1 on; they end when that ends",
    "uts": "a host name of its own",
    "ipc": "System V and POSIX message queues, semaphores and shared memory of its own",
    "net": "a network of its own, which has loopback and nothing else",
    "cgroup": "the group that it is in as the root of all groups",
}


def explain_lines(launch: Launch) -> Iterator[str]:
    """Yield the Launch as a text for people: what is done, why, and the command for it."""
    yield "A container in three acts: namespaces, limits, change of root."
    yield ""
    yield "1  Namespaces: what the program sees of the machine is its own"
    yield from _indented(_namespace_lines(launch))
    yield ""
    yield "2  Limits: how much of the machine it may take (cgroups)"
    yield from _indented(_limit_lines(launch.limits))
    yield ""
    yield "3  Change of root: the tree becomes all the files there are"
    yield from _indented(_root_lines(launch))
    yield ""
    yield "Then, with what little it needs, the program"
    yield from _indented(_program_lines(launch))


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"   {line}" if line else "" for line in lines)


def _namespace_lines(launch: Launch) -> Iterator[str]:
    for name in launch.namespaces:
        yield f"{name:<7} {_PURPOSES[name]}"
    yield f"$ unshare {' '.join(_UNSHARE[name] for name in launch.namespaces)} …"
    if launch.id_map is not None:
        yield from _id_map_lines(launch.id_map)
    if launch.loopback:
        yield "$ ip link set lo up"
    yield f"$ hostname {quote(launch.hostname)}"


def _id_map_lines(id_map: IdMap) -> Iterator[str]:
    for which, lines in (("uid", id_map.uids), ("gid", id_map.gids)):
        words = [" ".join(map(str, line)) for line in lines]
        if id_map.helpers is not None:
            yield f"$ new{which}map PID {' '.join(words)}"
        else:
            if which == "gid" and id_map.deny_setgroups:
                yield "$ echo deny >/proc/PID/setgroups"
            yield f"$ echo {quote(', '.join(words))} >/proc/PID/{which}_map"


def _limit_lines(limits: tuple[Limit, ...]) -> Iterator[str]:
    if not limits:
        yield "none: --memory, --cpus and --pids set some"
    for limit in limits:
        if limit.leaf:
            yield f"$ mkdir {quote(limit.leaf)}; echo LAUNCHER >{quote(limit.leaf)}/cgroup.procs"
        if limit.controllers:
            words = " ".join(f"+{name}" for name in limit.controllers)
            yield f"$ echo {quote(words)} >{quote(limit.parent)}/cgroup.subtree_control"
        yield f"$ mkdir {quote(limit.directory)}"
        for name, value in (*limit.files, *limit.optional):
            yield f"$ echo {quote(value)} >{quote(limit.directory)}/{name}"
        yield f"$ echo PID >{quote(limit.directory)}/cgroup.procs"


def _root_lines(launch: Launch) -> Iterator[str]:
    yield "The tree becomes a mount of its own; what is mounted from now on nobody else sees."
    yield f"$ ROOT={quote(launch.root)}"
    yield "$ mount --make-rprivate /"
    yield f"$ mount --rbind {_ROOT} {_ROOT}"
    if launch.root_flags:
        yield f"$ mount -o remount,bind,{flag_words(launch.root_flags)} {_ROOT}"
    for name in launch.missing:
        yield f"$ mkdir {_ROOT}/{name}"
    told = ""
    for step in launch.steps:
        if (heading := _heading(step)) != told:
            told = heading
            yield told
        yield from (f"$ {command}" for command in step_commands(step))
    if launch.read_only:
        yield f"$ mount -o remount,bind,ro {_ROOT}"
    yield "The tree becomes /, and the old root is let go of: no path leads there any more."
    yield f"$ cd {_ROOT}"
    if launch.pivot == "chroot":
        yield "$ mount --move . /; chroot ."
    else:
        yield "$ pivot_root . . && umount -l ."
        if launch.pivot == "auto":
            yield "or, where that is refused (an initramfs): $ mount --move . /; chroot ."


def _heading(step: Step) -> str:
    match step:
        case Protect(path=path) if path == MANIFEST:
            return "The tree's manifest is a claim that its own programs may not rewrite."
        case Protect(masked=True):
            return "What of the kernel's own files tells of the host is hidden."
        case Protect():
            return "What turns knobs of the kernel, which all containers share, is read-only."
        case Mount(bind=True, target=target) if not target.startswith("/dev/"):
            return "What was asked for of the host is shown."
        case _:
            return "File systems that it would find on any machine are mounted, fresh ones."


def step_commands(step: Step) -> tuple[str, ...]:
    """Return the shell commands that do as one step does."""
    match step:
        case Mount():
            return _mount_commands(step)
        case Node(path, major, minor, mode):
            return (f"mknod -m {mode:o} {_ROOT}{quote(path)} c {major} {minor}",)
        case Link(path, target):
            return (f"ln -s {quote(target)} {_ROOT}{quote(path)}",)
        case Protect(path, masked):
            place = f"{_ROOT}{quote(path)}"
            if masked:
                return (f"mount --bind /dev/null {place}    # a directory: mount -t tmpfs -o ro",)
            return (f"mount --rbind {place} {place}", f"mount -o remount,bind,ro {place}")
        case _:
            return (f"mount --bind /dev/pts/0 {_ROOT}{quote(step.path)}    # a new terminal",)


def _mount_commands(step: Mount) -> tuple[str, ...]:
    target = f"{_ROOT}{quote(step.target)}"
    words = ",".join(word for word in (flag_words(step.flags), step.data) if word)
    if not step.bind:
        options = f" -o {words}" if words else ""
        return (f"mount -t {step.fstype}{options} {quote(step.source)} {target}",)
    bound = f"mount --rbind {quote(step.source)} {target}"
    return (bound, f"mount -o remount,bind,{words} {target}") if words else (bound,)


def _program_lines(launch: Launch) -> Iterator[str]:
    uid, gid, groups = launch.credentials
    kept = ",".join(f"+{name.lower()}" for name in launch.capabilities)
    words = ["setpriv", f"--reuid={uid}", f"--regid={gid}"]
    if groups is not None:
        words.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
    words += [f"--bounding-set={','.join(filter(None, ('-all', kept)))}", "--inh-caps=-all"]
    words.append("--no-new-privs")
    yield "process 1 is ours: it waits for orphans and passes signals on, and can do no more than"
    yield f"$ umask {launch.umask:03o}; cd {quote(launch.workdir)}"
    variables = [quote(f"{name}={value}") for name, value in launch.environment]
    yield f"$ exec {' '.join(words)} env -i {' '.join(variables)} \\"
    yield f"    {' '.join(map(quote, launch.command))}"


def quote(word: str) -> str:
    """Quote a word for a shell, where it needs it; what is no printable character is escaped."""
    if word and all((one.isalnum() and one.isascii()) or one in "@%+=:,./-_" for one in word):
        return word
    if word.isprintable():
        return "'" + word.replace("'", "'\"'\"'") + "'"
    escaped = "".join(
        one if one.isprintable() and one not in "\\'" else "".join(map(_octal, _bytes(one)))
        for one in word
    )
    return f"$'{escaped}'"


def _bytes(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def _octal(byte: int) -> str:
    return f"\\{byte:03o}"


def explain_json(launch: Launch) -> dict[str, object]:
    """Return the Launch as values for JSON: the same steps, in the same order."""
    uid, gid, groups = launch.credentials
    return {
        "namespaces": list(launch.namespaces),
        "id_map": launch.id_map._asdict() if launch.id_map is not None else None,
        "hostname": launch.hostname,
        "loopback": launch.loopback,
        "limits": [limit._asdict() for limit in launch.limits],
        "root": {
            "path": launch.root,
            "missing": list(launch.missing),
            "flags": _flags(launch.root_flags | (MS_RDONLY if launch.read_only else 0)),
            "change": launch.pivot,
        },
        "steps": [_step_json(step) for step in launch.steps],
        "process": {
            "command": list(launch.command),
            "uid": uid,
            "gid": gid,
            "groups": None if groups is None else list(groups),
            "capabilities": list(launch.capabilities),
            "no_new_privileges": True,
            "umask": f"{launch.umask:04o}",
            "environment": dict(launch.environment),
            "workdir": launch.workdir,
            "terminal": launch.terminal,
        },
    }


def _step_json(step: Step) -> dict[str, object]:
    fields: dict[str, object] = {"kind": type(step).__name__.lower(), **step._asdict()}
    if isinstance(step, Mount):
        fields["flags"] = _flags(step.flags)
    return fields


def _flags(flags: int) -> list[str]:
    return [word for word in flag_words(flags).split(",") if word]
