"""The launcher: makes the child in its namespaces, keeps its limits, waits for its end."""

from __future__ import annotations

import errno
import os
import select
import signal
from typing import TYPE_CHECKING

from rootgen.errors import LaunchError, NotFoundError
from rootgen.linux import message, namespace, process
from rootgen.sandbox.cgroup import Groups
from rootgen.sandbox.inside import be_process_one
from rootgen.sandbox.place import failure, remove_made
from rootgen.sandbox.report import GO, unpack_error
from rootgen.sandbox.signals import CAUGHT, status_of

if TYPE_CHECKING:
    from rootgen.sandbox.launch import IdMap, Launch

# The cgroup namespace is not among them: the child unshares it once it is in its group.
_CLONE_FLAGS = {
    "user": namespace.CLONE_NEWUSER,
    "mount": namespace.CLONE_NEWNS,
    "pid": namespace.CLONE_NEWPID,
    "uts": namespace.CLONE_NEWUTS,
    "ipc": namespace.CLONE_NEWIPC,
    "net": namespace.CLONE_NEWNET,
    "cgroup": 0,
}
_HELPER_OUTPUT_LIMIT = 4096
_KILLED = 128 + signal.SIGKILL


def perform(launch: Launch) -> int:
    """Perform the launch; return the program's exit status (128 + n for signal n).

    Raises LaunchError (NotFoundError, NotExecutableError) where the program
    was not started. This process must have one thread only.
    """
    try:
        return _with_streams(launch)
    except OSError as error:
        remove_made(launch.root, launch.missing)
        raise failure(f"launch {launch.command[0]} in {launch.root}", error) from error
    except BaseException:
        remove_made(launch.root, launch.missing)
        raise


def _with_streams(launch: Launch) -> int:
    fillers = _fill_standard_descriptors()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
    try:
        with Groups(launch.limits) as groups:
            status = _perform(launch, groups, mask)
            if status == _KILLED and groups.out_of_memory():
                os.write(2, b"rootgen: out of memory: the limit of --memory was reached\n")
            return status
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for descriptor in fillers:
            os.close(descriptor)


def _fill_standard_descriptors() -> list[int]:
    """Occupy what the caller left closed of 0, 1 and 2, so that nothing of ours takes its place.

    What fills it is close-on-exec: the program finds it closed, as it was.
    """
    fillers: list[int] = []
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        if descriptor > 2:  # noqa: PLR2004 - the last of the standard streams
            os.close(descriptor)
            return fillers
        fillers.append(descriptor)


def _perform(launch: Launch, groups: Groups, mask: set[int | signal.Signals]) -> int:
    channel, theirs = message.message_pair()
    try:
        child = _clone(launch)
        if child == 0:
            os.close(channel)
            be_process_one(launch, theirs, mask)
        os.close(theirs)
        return _accompany(launch, groups, channel, child)
    finally:
        os.close(channel)


def _clone(launch: Launch) -> int:
    flags = 0
    for name in launch.namespaces:
        flags |= _CLONE_FLAGS[name]
    try:
        return namespace.clone(flags)
    except OSError as error:
        doing = f"make the namespaces {', '.join(launch.namespaces)}"
        raise failure(doing, error, _clone_hint(error, user=launch.id_map is not None)) from error


def _clone_hint(error: OSError, *, user: bool) -> str:
    if user and error.errno in (errno.EPERM, errno.EACCES):
        return (
            "user namespaces are forbidden here (sysctl kernel.unprivileged_userns_clone, "
            "kernel.apparmor_restrict_unprivileged_userns, or a seccomp filter); or be root"
        )
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return "there are too many namespaces already: see sysctl user.max_user_namespaces"
    return ""


def _accompany(launch: Launch, groups: Groups, channel: int, child: int) -> int:
    """Let the child begin, relay or pass on signals, and return how it ended."""
    try:
        groups.add(child)
        if launch.id_map is not None:
            _write_maps(launch.id_map, child)
        message.send(channel, GO)
        told = _next_message(channel) if launch.terminal else (b"", None)
        status = _supervise(child) if told[1] is None else _relay(told[1], child)
    except BaseException:
        # Whatever went wrong out here, nothing goes on in there.
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    error = unpack_error(told[0]) or _error_from(channel)
    if error is None:
        return status
    if isinstance(error, NotFoundError) and not error.hint:
        from rootgen.sandbox.nearest import nearest_hint

        error.hint = nearest_hint(launch)
    raise error


def _write_maps(id_map: IdMap, child: int) -> None:
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
        raise failure(f"write the id map {error.filename}", error) from error


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


def _supervise(child: int) -> int:
    """Pass signals on to the child until it ends; return its exit status."""
    while True:
        number = signal.sigwaitinfo(CAUGHT).si_signo
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status_of(status)
        elif number != signal.SIGWINCH:
            os.kill(child, number)
            if number == signal.SIGTSTP:
                # The program stops, and so do we, for the shell that waits for us.
                os.kill(os.getpid(), signal.SIGSTOP)


def _relay(terminal: int, child: int) -> int:
    """Relay the terminal that the child opened to ours; return the child's exit status."""
    from rootgen.sandbox.relay import Relay

    signals = process.signal_descriptor(CAUGHT)
    try:
        return Relay(terminal, child, signals).run()
    finally:
        os.close(signals)


def _next_message(channel: int) -> tuple[bytes, int | None]:
    try:
        return message.receive(channel)
    except ConnectionResetError:
        return b"", None


def _error_from(channel: int) -> LaunchError | None:
    """Return the error that the child or the program-to-be told, if one did."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    if not poll.poll(0):
        return None
    return unpack_error(_next_message(channel)[0])
