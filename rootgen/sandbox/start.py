"""Process 1 seen from outside: made in its namespaces, mapped, let begin, and what it tells."""

from __future__ import annotations

import errno
import os
import signal

from rootgen.errors import LaunchError, NotFoundError, RootgenError
from rootgen.linux import message, namespace
from rootgen.linux.calls import FIRST
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.confine import open_domain
from rootgen.sandbox.inside import Given, be_process_one, waits_for_word
from rootgen.sandbox.place import failure
from rootgen.sandbox.report import FUSE, GO, STACKED, unpack_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.sandbox.attach import Attached
    from rootgen.sandbox.cgroup import Groups
    from rootgen.sandbox.fuse import FuseStack
    from rootgen.sandbox.inside import Prepared
    from rootgen.sandbox.launch import IdMap, Launch
    from rootgen.sandbox.uplink import Uplink

# Two are not among them. The child unshares the cgroup namespace once it is in its group, and the
# time namespace once its clocks' offsets may be written.
_CLONE_FLAGS = {
    "user": namespace.CLONE_NEWUSER,
    "mount": namespace.CLONE_NEWNS,
    "pid": namespace.CLONE_NEWPID,
    "uts": namespace.CLONE_NEWUTS,
    "ipc": namespace.CLONE_NEWIPC,
    "net": namespace.CLONE_NEWNET,
    "cgroup": 0,
    "time": 0,
}
_HELPER_OUTPUT_LIMIT = 4096
_FORMAT, _DIRECTORY = 0o170000, 0o040000  # S_IFMT, S_IFDIR; importing stat costs a millisecond
_STREAM_NAMES = ("standard input", "standard output", "standard error")

_inbox = message.Inbox()


class Child(NamedTuple):
    """Process 1 of a launch: its id out here, the channel on which it tells, what runs beside."""

    process: int
    channel: int
    attached: tuple[Attached | FuseStack, ...] = ()


def start(
    prepared: Prepared,
    groups: Groups,
    mask: Iterable[int],
    streams: tuple[int, int, int] = (0, 1, 2),
    *,
    keep: bool = False,
) -> Child:
    """Make process 1 in its namespaces and groups, and let it begin; return it.

    ``mask`` are the signals that the program is to have blocked, ``streams``
    the descriptors of ours that become its standard streams; ``keep`` has
    the namespaces come with the word that it has started. Whoever calls
    waits for the child and lets go of it (``let_go``). Raises LaunchError; then
    nothing is left of it. This process must have one thread only.
    """
    launch = prepared.launch
    _check_streams(streams)
    channel, theirs = message.message_pair()
    domain: int | None = None
    try:
        domain = open_domain(launch.landlock, streams)
        prepared.enter.values[FIRST] = namespace.time_offsets()
        child = _clone(launch)
        if child == 0:
            be_process_one(prepared, Given(theirs, domain, streams, mask, keep=keep))
    except BaseException:
        os.close(channel)
        raise
    finally:
        os.close(theirs)
        if domain is not None:
            os.close(domain)
    attached: list[Attached | FuseStack] = []
    try:
        groups.add(child)
        if launch.id_map is not None:
            write_maps(launch.id_map, child)
        if launch.uplink is not None:
            attached.append(_attach(launch.uplink, child, user=launch.id_map is not None))
        if waits_for_word(launch):
            message.send(channel, GO)
        if launch.fuse:
            _await_stack(launch, groups, Child(child, channel), attached)
    except BaseException:
        # Whatever went wrong out here, nothing goes on in there.
        end(Child(child, channel, tuple(attached)))
        raise
    return Child(child, channel, tuple(attached))


def _check_streams(streams: tuple[int, int, int]) -> None:
    """Raise LaunchError for a stream that is a directory: all of the host is reached from it."""
    for name, descriptor in zip(_STREAM_NAMES, streams, strict=True):
        if os.fstat(descriptor).st_mode & _FORMAT == _DIRECTORY:
            raise LaunchError(
                f"{name} is a directory",
                why=("a program that has a directory of the host open can leave its root by it",),
                hint="show it inside instead: --bind DIR:/DEST",
            )


def end(child: Child) -> None:
    """Kill process 1, wait until it and all that it had are gone, and let go of it."""
    os.kill(child.process, signal.SIGKILL)
    os.waitpid(child.process, 0)
    let_go(child)


def let_go(child: Child) -> None:
    """Close the channel of a process 1 that has ended, and end what passed its traffic on."""
    os.close(child.channel)
    for one in child.attached:
        one.end()


def _await_stack(
    launch: Launch, groups: Groups, child: Child, attached: list[Attached | FuseStack]
) -> None:
    """Wait until the root of a stack is there, by the kernel or fuse-overlayfs; raise LaunchError.

    What that needs of memory counts as the launch's own.
    """
    told, descriptors = next_message(child.channel)
    why: tuple[str, ...] = ()
    if told == FUSE:
        from rootgen.sandbox.fuse import FuseStack  # few launches need it

        stack = FuseStack(launch, child.process, descriptors[0])
        attached.append(stack)
        os.close(descriptors[0])
        groups.add(stack.process)
        told = next_message(child.channel)[0]
        why = stack.said()
    if told == STACKED:
        return
    error = error_told(launch, child.channel, told) or LaunchError("process 1 was killed")
    error.why = (*error.why, *why)
    raise error


def _attach(uplink: Uplink, child: int, *, user: bool) -> Attached:
    from rootgen.sandbox.attach import Attached  # few launches have a way out

    return Attached(uplink, child, user_namespace=user)


def next_message(channel: int) -> tuple[bytes, tuple[int, ...]]:
    """Return what process 1 tells next and the descriptors that came with it; empty at its end."""
    return _inbox.receive(channel)


def error_told(launch: Launch, channel: int, told: bytes = b"") -> RootgenError | None:
    """Return the error that process 1 told, if it did.

    ``told`` is what was received before.
    """
    error = unpack_error(told)
    while error is None:
        more = _inbox.receive_now(channel)
        if not more:
            return None
        error = unpack_error(more)
    if isinstance(error, NotFoundError) and not error.hint:
        from rootgen.sandbox.nearest import nearest_hint

        try:
            error.hint = nearest_hint(launch)
        except (LaunchError, OSError):
            error.hint = "the tree has gone meanwhile, or been changed"
    return error


def _clone(launch: Launch) -> int:
    flags = 0
    for name in launch.namespaces:
        flags |= _CLONE_FLAGS[name]
    try:
        return namespace.clone(flags)
    except OSError as error:
        doing = f"make the namespaces {', '.join(launch.namespaces)}"
        raise failure(doing, error, clone_hint(error, user=launch.id_map is not None)) from error


def clone_hint(error: OSError, *, user: bool) -> str:
    """Return what to do where namespaces cannot be made."""
    if user and error.errno in (errno.EPERM, errno.EACCES):
        if not _has_ids():
            return (
                "the user namespace that this runs in has no ids yet, and so can make none: "
                "map some (unshare --map-root-user)"
            )
        return (
            "user namespaces are forbidden here (sysctl kernel.unprivileged_userns_clone, "
            "kernel.apparmor_restrict_unprivileged_userns, or a seccomp filter): be root; or start "
            "the container around this, as root, with --cap-add SYS_ADMIN --cap-add NET_ADMIN"
        )
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return "there are too many namespaces already: see sysctl user.max_user_namespaces"
    return ""


def _has_ids() -> bool:
    """Say whether this process's own user namespace has been given ids (user_namespaces(7))."""
    with open("/proc/self/uid_map", "rb") as file:
        return bool(file.read(1))


def write_maps(id_map: IdMap, child: int) -> None:
    """Map the ids of a child's user namespace; raise LaunchError."""
    if id_map.helpers is not None:
        started = [
            _start_helper(helper, child, lines)
            for helper, lines in zip(id_map.helpers, (id_map.uids, id_map.gids), strict=True)
        ]
        for process_id, output, command in started:
            _finish_helper(process_id, output, command)
        return
    try:
        if id_map.deny_setgroups:
            namespace.deny_setgroups(child)
        namespace.write_id_map(child, "uid_map", id_map.uids)
        namespace.write_id_map(child, "gid_map", id_map.gids)
    except OSError as error:
        raise failure(f"write the id map {error.filename}", error, _map_hint(error)) from error


def _map_hint(error: OSError) -> str:
    """Return what to do where ids cannot be mapped (user_namespaces(7))."""
    if error.errno != errno.EPERM:
        return "/proc must be writable, and that of this PID namespace: mount -t proc proc /proc"
    if os.geteuid() == 0:
        return (
            "root is mapped by who has CAP_SETFCAP, which this process lacks: "
            "keep it (capsh --print shows what there is), or be an ordinary user"
        )
    return "a seccomp filter, a security module or the user namespace around this forbids it"


def _start_helper(
    helper: str, child: int, lines: tuple[tuple[int, int, int], ...]
) -> tuple[int, int, list[str]]:
    command = [helper, str(child), *(str(number) for line in lines for number in line)]
    output, theirs = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, theirs, 2)]
        started = os.posix_spawn(helper, command, {}, file_actions=actions, setsigmask=())
    except OSError as error:
        os.close(output)
        raise failure(f"run {helper}", error) from error
    finally:
        os.close(theirs)
    return started, output, command


def _finish_helper(started: int, output: int, command: list[str]) -> None:
    with open(output, "rb") as file:
        said = file.read(_HELPER_OUTPUT_LIMIT).decode("utf-8", "replace").strip()
    if os.waitpid(started, 0)[1] != 0:
        raise LaunchError(
            f"{' '.join(command)} failed",
            why=tuple(said.splitlines()),
            hint="the ranges must be the user's in /etc/subuid and /etc/subgid",
        )
