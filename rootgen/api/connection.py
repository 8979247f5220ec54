"""The connection to this process's launch server, which is started where there is none.

``sandbox.serve`` says what that is for. It is a small process of its own (a fresh Python, 20 ms
once), not a fork: nothing of the caller's memory, threads or descriptors is in it, and it is no
child of the caller.
"""

from __future__ import annotations

import errno
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

# What says that nobody is there.
_GONE = (errno.EPIPE, errno.ECONNRESET)
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rootgen.sandbox.serve import begin; begin()"
)


class Handed(NamedTuple):
    """A launch on its way: its command, what it is but for that, and descriptors.

    ``process`` is what it was composed for, ``start`` one of ``serve``'s ANNOUNCED and QUIET;
    ``parts`` are the socket of the answers and the streams, ``locks`` what keeps the root.
    """

    process: Process
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
        self._owner = 0  # the thread that has it
        self._control = -1
        # What a fork of this process is to close while a server is being started.
        self._pending: list[int] = []
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
        if self._owner == threading.get_ident():
            raise LaunchError(
                "this thread is asking for a launch already",
                hint="launch nothing in a signal handler, or in what is called as objects go",
            )
        with self._lock:
            self._owner = threading.get_ident()
            try:
                return self._hand(launch)
            finally:
                self._owner = 0

    def _hand(self, launch: Handed) -> bool:
        if self._own is None or self._own[1] is not launch.process:
            return False
        if self._control < 0 or self._identity != _identity():
            self._forget()
            self._control = start_server(self._pending)
            self._pending.clear()
            self._identity = _identity()
        try:
            self._send(launch)
        except OSError as error:
            if error.errno is None:
                raise  # a signal handler's own
            if error.errno in _GONE:
                self._forget()
                self._own = None
                return False
            raise LaunchError(f"the launch server cannot be told: {error.strerror}") from error
        return True

    def _send(self, launch: Handed) -> None:
        """Send a launch; but for its command only where that is not what the server has."""
        _, start, command, bare, parts, locks = launch
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
                raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        if answer[NUMBER.size :] == TAKEN:
            self._taken = bare

    def forget(self) -> None:
        """Close the socket; the server then ends what runs, and itself."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._taken = b""
        # Forgotten before it is closed: an interrupt between the two must not close it twice.
        control, self._control = self._control, -1
        if control >= 0:
            os.close(control)

    def after_fork(self) -> None:
        """Leave the parent's server to the parent."""
        self._lock = threading.Lock()
        self._owner = 0
        self._own = None
        # The control socket may be among what was pending.
        for descriptor in {*self._pending, self._control} - {-1}:
            os.close(descriptor)
        self._pending, self._control, self._taken = [], -1, b""


def _identity() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


def package_place() -> str:
    """Return the directory that this package is in, where another Python finds it too."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def start_server(pending: list[int]) -> int:
    """Start a server; return our end of its control socket.

    ``pending`` gets what is open meanwhile. Raises LaunchError.
    """
    control, theirs = message.message_pair()
    pending[:] = control, theirs
    try:
        try:
            first = _spawn(theirs)
        finally:
            pending.remove(theirs)
            os.close(theirs)
        # It forks the server and ends: the caller's own children are the caller's own.
        _wait_for(first)
    except BaseException:
        pending.clear()
        os.close(control)
        raise
    return control


def _spawn(theirs: int) -> int:
    null = (os.devnull, os.O_RDWR, 0)
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs, CONTROL),
        *((os.POSIX_SPAWN_OPEN, stream, *null) for stream in range(3)),
    ]
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", _CODE, package_place()],
            # Each launch would look up anew what it is the first to call.
            {**os.environ, "LD_BIND_NOW": "1"},
            file_actions=actions,
            # What is typed at the caller's terminal is for the caller.
            setsid=True,
            setsigmask=(),
            setsigdef=CAUGHT,
        )
    except OSError as error:
        raise LaunchError(f"cannot start {sys.executable}: {error.strerror}") from error


def _wait_for(process_id: int) -> None:
    try:
        status = os.waitpid(process_id, 0)[1]
    except ChildProcessError:
        # Another thread waits for any child, or SIGCHLD is ignored: the first request will tell.
        return
    if status != 0:
        raise LaunchError(f"the launch server did not start: {sys.executable} failed")
