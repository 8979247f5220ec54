"""The connection to this process's launch server, which is started where there is none.

``sandbox.serve`` says what that is for. It is a small process of its own (a fresh Python, 20 ms
once), not a fork: nothing of the caller's memory, threads or descriptors is in it, and it is no
child of the caller.
"""

from __future__ import annotations

import os
import sys
import threading

from rootgen.errors import LaunchError
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.facts import read_process
from rootgen.sandbox.serve import (
    ANEW,
    AS_BEFORE,
    CONTROL,
    IN_MESSAGE,
    NUMBER,
    TAKEN,
)
from rootgen.sandbox.signals import CAUGHT
from rootgen.sandbox.stored_launch import command_first

if TYPE_CHECKING:
    from rootgen.sandbox.facts import Process

_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rootgen.sandbox.serve import begin; begin()"
)


class Handed(NamedTuple):
    """A launch on its way: its command, what it is but for that, and descriptors.

    ``start`` is one of ``serve``'s ANNOUNCED and QUIET; ``parts`` are the socket of the answers and
    the streams, ``locks`` what keeps the root.
    """

    start: bytes
    command: bytes
    bare: bytes
    parts: tuple[int, ...]
    locks: tuple[int, ...]


class Connection:
    """The control socket of this process's server; a fork of this process has none yet."""

    def __init__(self) -> None:
        """Begin without a server."""
        self._lock = threading.Lock()
        self._control = -1
        # Whose the server is: it has the credentials that we had when it began.
        self._identity = (-1, -1)
        self._own: tuple[tuple[int, int], Process] | None = None
        # What the server has got last, as it said, and the number of that message.
        self._taken = b""
        self._number = 0

    def own(self) -> Process:
        """Return what this process is, and its server with it; read once for each."""
        identity, known = _identity(), self._own
        if known is None or known[0] != identity:
            known = self._own = identity, read_process()
        return known[1]

    def send(self, launch: Handed) -> bool:
        """Send a launch to the server; say whether it goes to one that is like this process.

        If not, the server had gone, and with it what was known of this
        process: the launch is to be composed anew. Raises LaunchError where
        none can be started.
        """
        with self._lock:
            if self._control < 0 or self._identity != _identity():
                self._forget()
                self._control = start_server()
                self._identity = _identity()
            try:
                self._send(launch)
            except (BrokenPipeError, ConnectionResetError):
                self._forget()
                self._own = None
                return False
            except OSError as error:
                raise LaunchError(f"the launch server cannot be told: {error.strerror}") from error
        return True

    def _send(self, launch: Handed) -> None:
        """Send a launch; but for its command only where that is not what the server has."""
        start, command, bare, parts, locks = launch
        if bare == self._taken and len(command) <= IN_MESSAGE:
            text = start + AS_BEFORE + NUMBER.pack(self._number) + command
            message.send(self._control, text, *parts, *locks)
            return
        self._taken = b""
        self._number += 1
        number = NUMBER.pack(self._number)
        written = os.memfd_create("rootgen-launch")
        try:
            with open(written, "wb", closefd=False) as file:
                file.write(command_first(command, bare))
            message.send(self._control, start + ANEW + number, *parts, written, *locks)
        finally:
            os.close(written)
        # An answer to an earlier one is there still where its sender was interrupted.
        while (answer := message.read(self._control))[: NUMBER.size] != number:
            if not answer:
                raise BrokenPipeError
        if answer[NUMBER.size :] == TAKEN:
            self._taken = bare

    def forget(self) -> None:
        """Close the socket; the server then ends what runs, and itself."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._taken = b""
        if self._control >= 0:
            os.close(self._control)
        self._control = -1

    def after_fork(self) -> None:
        """Leave the parent's server to the parent."""
        self._lock = threading.Lock()
        self._own = None
        self._forget()


def _identity() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


def start_server() -> int:
    """Start a server; return our end of its control socket."""
    control, theirs = message.message_pair()
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    null = (os.devnull, os.O_RDWR, 0)
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs, CONTROL),
        *((os.POSIX_SPAWN_OPEN, stream, *null) for stream in range(3)),
    ]
    command = [sys.executable, "-I", "-S", "-c", _CODE, package]
    try:
        first = os.posix_spawn(
            sys.executable,
            command,
            # Each launch would look up anew what it is the first to call.
            {**os.environ, "LD_BIND_NOW": "1"},
            file_actions=actions,
            # What is typed at the caller's terminal is for the caller.
            setsid=True,
            setsigmask=(),
            setsigdef=CAUGHT,
        )
    except OSError as error:
        os.close(control)
        raise LaunchError(f"cannot start {sys.executable}: {error.strerror}") from error
    finally:
        os.close(theirs)
    # It forks the server and ends: the caller's own children are the caller's own.
    if not _ended_well(first):
        os.close(control)
        raise LaunchError(f"the launch server did not start: {' '.join(command[:3])} failed")
    return control


def _ended_well(process_id: int) -> bool:
    try:
        return os.waitpid(process_id, 0)[1] == 0
    except ChildProcessError:
        # Another thread waits for any child, or SIGCHLD is ignored: the first request will tell.
        return True
