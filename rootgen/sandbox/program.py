"""The start of the program: where it begins, which file it is, and what it is born with."""

from __future__ import annotations

import os
import resource
import signal

from rootgen.errors import LaunchError, NotExecutableError
from rootgen.linux.calls import perform
from rootgen.linux.path import open_in_root
from rootgen.linux.spawn import Terminal, prepare_spawn, spawn, strings
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.command import LookCloserError, find_program, record_look
from rootgen.sandbox.confine import install_filters
from rootgen.sandbox.place import failure
from rootgen.sandbox.report import pack_error, unpack_error
from rootgen.sandbox.rlimit import HARMLESS, numbers_of, set_limits
from rootgen.sandbox.signals import IGNORED_BY_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from rootgen.linux.calls import Program
    from rootgen.linux.spawn import Spawn
    from rootgen.sandbox.launch import Launch


class Start(NamedTuple):
    """How a program is started, prepared: the look at it, its start and its limits.

    ``limits`` are as ``resource.setrlimit`` takes them; None where process 1 cannot have the same.
    """

    look: Program
    spawn: Spawn
    limits: tuple[tuple[int, tuple[int, int]], ...] | None


def prepare_start(launch: Launch) -> Start:
    """Prepare what can be before there is a process 1; raise NotExecutableError."""
    limits = None if _has_its_own(launch) else numbers_of(launch.rlimits)
    try:
        start = prepare_spawn(launch.command, dict(launch.environment).items(), IGNORED_BY_PYTHON)
    except ValueError as error:
        raise NotExecutableError(f"{launch.command[0]}: {error}") from error
    return Start(record_look(launch.command[0]), start, limits)


def with_command(start: Start, launch: Launch) -> Start:
    """Return the start for a launch that differs in the arguments; raise NotExecutableError."""
    try:
        arguments = strings(launch.command)
    except ValueError as error:
        raise NotExecutableError(f"{launch.command[0]}: {error}") from error
    return start._replace(spawn=start.spawn._replace(arguments=arguments))


def start_program(launch: Launch, start: Start, mask: Iterable[int], terminal: int | None) -> int:
    """Start the program of ``launch`` as a child of this process; return its id.

    It leads a session of its own, on ``terminal`` where there is one, with
    ``mask`` as the signals that it has blocked. Credentials, capabilities
    and the root are this process's, which has given up all that the program
    may not have: posix_spawn(3) then neither copies this process, which
    took 2 ms, nor leaves anything to be told about a failing exec. A filter
    or a limit that is for the program alone takes a copy nevertheless.
    Raises LaunchError: NotFoundError, NotExecutableError.
    """
    path = _path(launch, start)
    try:
        if start.limits is None:
            program = _fork_program(launch, mask, terminal)
        else:
            _limit(launch, start.limits)
            program = spawn(start.spawn, path, mask, _terminal(terminal))
    except OSError as error:
        raise NotExecutableError(f"{path}: {error.strerror}") from error
    os.chdir("/")
    return program


def _limit(launch: Launch, limits: Iterable[tuple[int, tuple[int, int]]]) -> None:
    try:
        for number, pair in limits:
            resource.setrlimit(number, pair)
    except (OSError, ValueError):
        set_limits(launch.rlimits)  # says which was refused


def _path(launch: Launch, start: Start) -> str:
    """Enter the working directory; return the program's path."""
    try:
        perform(start.look)
    except LookCloserError:
        return _find(launch)[0]
    _enter_directory(launch.workdir)
    return launch.command[0]


def _has_its_own(launch: Launch) -> bool:
    """Say whether something is to be in force for the program, and not for process 1."""
    return any(limit.name not in HARMLESS for limit in launch.rlimits) or any(
        one.late for one in launch.filters
    )


def _fork_program(launch: Launch, mask: Iterable[int], terminal: int | None) -> int:
    """Start the program with what process 1 could not work under; return its id.

    posix_spawn(3) sets no limits and installs no filters. The descriptor
    that tells an error is closed by a successful exec.
    """
    told, telling = os.pipe()
    program = os.fork()
    if program == 0:
        try:
            become_program(launch, mask, terminal)
        except LaunchError as refused:
            os.write(telling, pack_error(refused))  # which the filter may not let through
        finally:
            os._exit(1)
    os.close(telling)
    with open(told, "rb") as file:
        error = unpack_error(file.read())
    if error is not None:
        os.waitpid(program, 0)
        raise error
    return program


def become_program(launch: Launch, mask: Iterable[int], terminal: int | None) -> NoReturn:
    """Become the program of ``launch``, as ``start_program`` starts it; raise LaunchError.

    For who has been forked for it already.
    """
    path, environment = _find(launch)
    try:
        os.setsid()
        if terminal is not None:
            _take_terminal(terminal)
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        set_limits(launch.rlimits)
        # As late as can be: what is called before need not be allowed.
        install_filters(launch.filters, late=True)
        os.execve(path, launch.command, environment)
    except (OSError, ValueError) as error:
        raise NotExecutableError(f"{path}: {getattr(error, 'strerror', error)}") from error


def _take_terminal(terminal: int) -> None:
    """Do what ``linux.spawn`` has posix_spawn(3) do with a ``Terminal``."""
    opened = os.open(os.ttyname(terminal), os.O_RDWR)
    streams = (0, 1, 2) if os.isatty(2) else (0, 1)
    for stream in streams:
        os.dup2(opened, stream)
    os.close(opened)


def _find(launch: Launch) -> tuple[str, dict[str, str]]:
    """Enter the working directory; return the program's path, and its environment."""
    directory = _enter_directory(launch.workdir)
    environment = dict(launch.environment)
    return find_program(launch.command[0], environment.get("PATH", ""), directory), environment


def _terminal(terminal: int | None) -> Terminal | None:
    """Return how the terminal becomes the program's streams.

    A standard error that is no terminal stays what it is: a file, a pipe.
    """
    if terminal is None:
        return None
    return Terminal(os.ttyname(terminal), (1, 2) if os.isatty(2) else (1,))


def _enter_directory(path: str) -> str:
    """Change to the working directory, through no link of procfs; return its path.

    That of this process is the root.
    """
    if path == "/":
        return path
    try:
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        directory = open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)
        os.fchdir(directory)
    except OSError as error:
        hint = "make it in the tree, or choose another --workdir"
        raise failure(f"start in the directory {path}", error, hint) from error
    os.close(root)
    os.close(directory)
    return path if path.startswith("/") else f"/{path}"
