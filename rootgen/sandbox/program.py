"""The start of the program: where it begins, which file it is, and what it is born with."""

from __future__ import annotations

import os

from rootgen.errors import NotExecutableError
from rootgen.linux.path import open_in_root
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.command import find_program
from rootgen.sandbox.place import failure
from rootgen.sandbox.signals import IGNORED_BY_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.sandbox.launch import Launch

    Actions = list[tuple[int, ...] | tuple[int, int, str, int, int]]


def start_program(launch: Launch, mask: Iterable[int], terminal: int | None) -> int:
    """Start the program of ``launch`` as a child of this process; return its id.

    It leads a session of its own, on ``terminal`` where there is one, with
    ``mask`` as the signals that it has blocked. Credentials, capabilities
    and the root are this process's, which has given up all that the program
    may not have: posix_spawn(3) then neither copies this process, which
    took 2 ms, nor leaves anything to be told about a failing exec.
    Raises LaunchError: NotFoundError, NotExecutableError.
    """
    directory = _enter_directory(launch.workdir)
    environment = dict(launch.environment)
    path = find_program(launch.command[0], environment.get("PATH", ""), directory)
    try:
        program = os.posix_spawn(
            path,
            launch.command,
            environment,
            file_actions=_terminal_actions(terminal),
            setsid=True,
            setsigmask=mask,
            setsigdef=IGNORED_BY_PYTHON,
        )
    except OSError as error:
        raise NotExecutableError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # a NUL in an argument or in the environment
        raise NotExecutableError(f"{path}: {error}") from error
    os.chdir("/")
    return program


def _terminal_actions(terminal: int | None) -> Actions:
    """Return how the terminal becomes the program's streams, and its session's own.

    The first terminal that the leader of a session opens is the session's
    (ioctl_tty(2), TIOCSCTTY). A standard error that is no terminal stays
    what it is: a file, a pipe.
    """
    if terminal is None:
        return []
    opened = (os.POSIX_SPAWN_OPEN, 0, os.ttyname(terminal), os.O_RDWR, 0)
    streams = (1, 2) if os.isatty(2) else (1,)
    return [opened, *((os.POSIX_SPAWN_DUP2, 0, stream) for stream in streams)]


def _enter_directory(path: str) -> str:
    """Change to the working directory, through no link of procfs; return its path."""
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
