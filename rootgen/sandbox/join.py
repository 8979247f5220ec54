"""A command in a launch that runs already: all its namespaces, groups and root, no more rights.

Two processes: one joins, and stays outside the PID namespace (setns(2)
moves only children into that); its child is inside from its birth, cannot
be looked into (it is not dumpable), has nothing open but the streams, and
becomes the command.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time

from rootgen.errors import LaunchError, RootgenError
from rootgen.linux import message, namespace, process
from rootgen.linux.calls import Recorder, perform
from rootgen.linux.path import open_beneath
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox import pty
from rootgen.sandbox.account import find_account
from rootgen.sandbox.cgroup import Groups
from rootgen.sandbox.compose import checked_credentials
from rootgen.sandbox.confine import open_domain, record_domain, record_filters
from rootgen.sandbox.deadline import Deadline
from rootgen.sandbox.launch import Root
from rootgen.sandbox.perform import relay, supervise
from rootgen.sandbox.place import failure
from rootgen.sandbox.privileges import load_ambient, record_privileges
from rootgen.sandbox.program import become_program
from rootgen.sandbox.reading import Reading
from rootgen.sandbox.report import GO, TERMINAL, pack_error
from rootgen.sandbox.rlimit import raise_hard_limits
from rootgen.sandbox.root_files import read_accounts
from rootgen.sandbox.signals import CAUGHT, pass_on, status_of
from rootgen.sandbox.start import Child, end, error_told, next_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

    from rootgen.linux.calls import Program
    from rootgen.sandbox.launch import Launch

_CHANNEL, _NULL, _DOMAIN = 3, 4, 5
_FORMAT = 0o170000
_FILES = (0o100000, 0o060000)  # S_IFREG, S_IFBLK; importing stat costs a millisecond
_FAILED = 125
_COMMAND_LINE = b"rootgen: exec"
_KINDS = {
    "user": namespace.CLONE_NEWUSER,
    "cgroup": namespace.CLONE_NEWCGROUP,
    "ipc": namespace.CLONE_NEWIPC,
    "uts": namespace.CLONE_NEWUTS,
    "net": namespace.CLONE_NEWNET,
    "pid": namespace.CLONE_NEWPID,
    "time": namespace.CLONE_NEWTIME,
    # Last: from then on the host's files are out of reach.
    "mount": namespace.CLONE_NEWNS,
}


def join(launch: Launch, namespaces: Mapping[str, int], user: str = "") -> int:
    """Perform the command of ``launch`` in the namespaces of the one that runs.

    ``namespaces`` are descriptors, by kind; they are closed. ``user``, where
    it is not empty, is another user of the tree's, who has its home where
    the environment names none. Returns the exit status, as ``perform`` does.
    Raises LaunchError (NotFoundError, NotExecutableError) where the command
    was not started. This process must
    have one thread only.
    """
    if launch.terminal:
        pty.load_termios()  # the host's Python is out of reach later
    if launch.ambient:
        load_ambient()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
    ours, theirs = message.message_pair()
    try:
        joiner = os.fork()
        if joiner == 0:
            _be_joiner(launch, namespaces, user, theirs, mask)
        child = Child(joiner, ours)
        os.close(theirs)
        for descriptor in namespaces.values():
            os.close(descriptor)
        return _accompany(launch, child)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _accompany(launch: Launch, child: Child) -> int:
    try:
        Groups(launch.limits).add(child.process)
        message.send(child.channel, GO)
        told, descriptors = next_message(child.channel) if launch.terminal else (b"", ())
        deadline = Deadline(None, time.monotonic())
        if descriptors:
            status = relay(descriptors[0], child.process, deadline)
        else:
            status = supervise(child.process, deadline)
    except BaseException:
        end(child)
        raise
    error = error_told(launch, child.channel, told)
    os.close(child.channel)
    if error is not None:
        raise error
    return status


def _be_joiner(
    launch: Launch, namespaces: Mapping[str, int], user: str, channel: int, mask: Iterable[int]
) -> NoReturn:
    """Join the namespaces, have a child be the command, and wait for it; never return."""
    status = _FAILED
    try:
        process.set_parent_death_signal(signal.SIGKILL)
        # What stops our caller's job (SIGTTOU, a SIGSTOP to the group) must not stop who reaps
        # the command: the launch's process 1 would end no sooner.
        os.setsid()
        if os.read(channel, len(GO)) == GO:
            process.set_command_line(_COMMAND_LINE)
            # Opened out here: what is called so inside may be anything.
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            domain = _domain_for_streams(launch)
            _join_all(launch, namespaces)
            _keep_only(channel, null, *(() if domain is None else (domain,)))
            channel = _CHANNEL
            # Also of the child, whose /proc/PID/exe and memory are the host's Python until the
            # exec (CVE-2016-9962, CVE-2019-5736).
            process.set_dumpable(dumpable=False)
            command = os.fork()
            if command == 0:
                _be_command(launch, user, mask, None if domain is None else _DOMAIN)
            status = _wait_for(command)
    except RootgenError as error:
        message.send(channel, pack_error(error))
    except BaseException as error:  # noqa: BLE001 - nothing may get past: above is the caller's own stack
        text = f"joining failed: {type(error).__name__}: {error}"
        message.send(channel, pack_error(LaunchError(text)))
    finally:
        os._exit(status)


def _domain_for_streams(launch: Launch) -> int | None:
    """Return the rules of a Landlock domain where a stream is a file of the host, else None.

    Such a file could be opened again, for more than the caller opened it
    for. Else there is no domain: from one of its own a command could not
    trace the other processes, which is what one joins a launch for
    (landlock(7), "Ptrace restrictions").
    """
    for stream in (0, 1, 2):
        try:
            if os.fstat(stream).st_mode & _FORMAT in _FILES:
                return open_domain(launch.landlock)
        except OSError as error:
            if error.errno != errno.EBADF:  # the caller had it closed
                raise
    return None


def _keep_only(*kept: int) -> None:
    """Close all but the streams and what is given, which get the numbers from 3 on."""
    # First out of each other's way.
    end = _CHANNEL + len(kept)
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, end) for one in kept]
    for number, one in enumerate(moved, _CHANNEL):
        os.dup2(one, number, inheritable=False)
    process.close_from(end)


def _join_all(launch: Launch, namespaces: Mapping[str, int]) -> None:
    for kind, flag in _KINDS.items():
        if kind in namespaces:
            try:
                namespace.join(namespaces[kind], flag)
            except OSError as error:
                doing = f"join the {kind} namespace of the launch in {launch.root.shown}"
                raise failure(doing, error) from error


def _be_command(launch: Launch, user: str, mask: Iterable[int], domain: int | None) -> NoReturn:
    """Be the command, or tell why not; never return."""
    status = _FAILED
    try:
        os.close(_NULL)
        if user:
            launch = _with_user(launch, user)
        terminal = _open_terminal(launch) if launch.terminal else None
        raise_hard_limits(launch.rlimits)
        perform(_privileges(launch))
        process.set_dumpable(dumpable=False)
        process.set_parent_death_signal(signal.SIGKILL)
        _end_where_nobody_listens()
        perform(_walls(launch, domain))
        become_program(launch, mask, terminal)
    except LaunchError as error:
        message.send(_CHANNEL, pack_error(error))
        status = error.exit_status
    except BaseException as error:  # noqa: BLE001 - nothing may get past: above is the caller's own stack
        text = f"the command failed: {type(error).__name__}: {error}"
        message.send(_CHANNEL, pack_error(LaunchError(text)))
    finally:
        os._exit(status)


def _privileges(launch: Launch) -> Program:
    recorder = Recorder()
    record_privileges(recorder, launch)
    return recorder.program()


def _walls(launch: Launch, domain: int | None) -> Program:
    recorder = Recorder()
    if domain is not None:
        record_domain(recorder, domain, launch.landlock)
    record_filters(recorder, launch.filters, late=False)
    return recorder.program()


def _with_user(launch: Launch, user: str) -> Launch:
    """Return the launch with another user, as the root that this process has by now knows it.

    The program may have written that root's passwd: it gives numbers, and
    rights over what is inside only. Capabilities that were added are those of
    the launch's own user. Raises LaunchError.
    """
    with Reading(Root(("/",))) as reading:
        account = find_account(user, read_accounts(reading))
    before = launch.credentials
    wanted = checked_credentials(
        account.credentials, launch.id_map, setgroups=before.groups is not None
    )
    return launch._replace(
        credentials=wanted,
        ambient=launch.ambient if wanted.uid == before.uid else (),
        environment=tuple(({"HOME": account.home} | dict(launch.environment)).items()),
    )


def _open_terminal(launch: Launch) -> int:
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        devpts = open_beneath(root, "dev/pts", os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise failure("open /dev/pts of the launch", error) from error
    outer, inner = pty.open_terminal(devpts, launch.credentials.uid)
    message.send(_CHANNEL, TERMINAL, outer)
    for descriptor in (outer, devpts, root):
        os.close(descriptor)
    return inner


def _end_where_nobody_listens() -> None:
    """End where the caller was killed before its death could be told to us."""
    if message.has_hung_up(_CHANNEL):
        os._exit(_FAILED)


def _wait_for(command: int) -> int:
    """Pass signals on until the command ends; return its status."""
    for stream in range(3):
        os.dup2(_NULL, stream)
    while True:
        number = signal.sigwaitinfo(CAUGHT).si_signo
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(command, os.WNOHANG)
            if ended:
                return status_of(status)
        else:
            pass_on(command, number)
