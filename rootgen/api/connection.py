"""The connection to this process's launch server, which is started where there is none like it.

``sandbox.serve`` says what that is for. It is a small process of its own (a fresh Python, 20 ms
once), not a fork: nothing of the caller's memory, threads or descriptors is in it, and it is no
child of the caller.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from weakref import WeakSet

from rootgen.errors import LaunchError
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.facts import read_process
from rootgen.sandbox.likeness import read_likeness
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
    from rootgen.sandbox.likeness import Likeness

# What says that nobody is there.
_GONE = (errno.EPIPE, errno.ECONNRESET)
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rootgen.sandbox.serve import begin; begin()"
)


class Own(NamedTuple):
    """What this thread passes on, and what it and the kernel may do: as a server begun now has."""

    likeness: Likeness
    process: Process


class Handed(NamedTuple):
    """A launch on its way: its command, what it is but for that, and descriptors.

    ``own`` is what it was composed for, ``start`` one of ``serve``'s ANNOUNCED and QUIET;
    ``parts`` are the socket of the answers and the streams, ``locks`` what keeps the root.
    """

    own: Own
    start: bytes
    command: bytes
    bare: bytes
    parts: tuple[int, ...]
    locks: tuple[int, ...]


class Serving:
    """A server of this process, which ends, and all that it launched, when nobody holds this."""

    def __init__(self, own: Own) -> None:
        """Begin without one, which ``begin`` is to start for who is ``own``."""
        self.own = own
        # The control socket first; its other end only while a server is being started.
        self._open: list[int] = []
        # What the server has got last, as it said, and the number of that message.
        self._taken = b""
        self._number = 0

    def begin(self) -> None:
        """Start the server; raise LaunchError."""
        try:
            self._open[:] = message.message_pair()
            try:
                first = _spawn(self._open[1])
            finally:
                os.close(self._open.pop())
            # It forks the server and ends: the caller's own children are the caller's own.
            _wait_for(first)
        except BaseException:
            self.close()
            raise

    def send(self, launch: Handed) -> None:
        """Send a launch, as its command only where it else is what the server has; raise OSError.

        One at a time.
        """
        _, start, command, bare, parts, locks = launch
        control = self._open[0]
        if bare == self._taken and len(command) <= IN_MESSAGE:
            text = start + AS_BEFORE + NUMBER.pack(self._number) + command
            message.send(control, text, *parts, *locks)
            return
        self._taken = b""
        self._number += 1
        number = NUMBER.pack(self._number)
        written = os.memfd_create("rootgen-launch")
        try:
            with open(written, "wb", closefd=False) as file:
                file.write(command_first(command, bare))
            message.send(control, start + ANEW + number, *parts, written, *locks)
        finally:
            os.close(written)
        # An answer to an earlier one is there still where its sender was interrupted.
        while (answer := message.read(control))[: NUMBER.size] != number:
            if not answer:
                raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        if answer[NUMBER.size :] == TAKEN:
            self._taken = bare

    def close(self) -> None:
        """Close the socket; the server then ends what runs, and itself."""
        # Forgotten before it is closed: an interrupt between the two must not close it twice.
        while self._open:
            os.close(self._open.pop())

    __del__ = close


class Connection:
    """Who asks this process's server; a fork of this process has none yet."""

    def __init__(self) -> None:
        """Begin without a server."""
        self._lock = threading.Lock()
        self._owner = 0  # the thread that has it
        self._serving: Serving | None = None
        # Those of before, too, whose launches go on.
        self._all: WeakSet[Serving] = WeakSet()
        self._own: Own | None = None

    def own(self) -> Own:
        """Return what this thread is now; raise LaunchError where that cannot be read."""
        try:
            likeness, known = read_likeness(), self._own
        except OSError as error:
            what = f"cannot read what this process is: {error.filename}: {error.strerror}"
            raise LaunchError(what, hint="mount -t proc proc /proc") from error
        if known is None or known.likeness != likeness:
            known = self._own = Own(likeness, read_process())
        return known

    def send(self, launch: Handed) -> Serving | None:
        """Send a launch of this thread's to a server like it, and return that: it is to be held.

        None where the server had gone, as may be found out only now. Raises
        LaunchError where none can be started.
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

    def _hand(self, launch: Handed) -> Serving | None:
        serving = self._serving
        if serving is None or serving.own != launch.own:
            serving = self._begin(launch.own)
        try:
            serving.send(launch)
        except OSError as error:
            if error.errno is None:
                raise  # a signal handler's own
            if error.errno in _GONE:
                # Whatever ended it, what was known is looked at again.
                self._serving = self._own = None
                return None
            raise LaunchError(f"the launch server cannot be told: {error.strerror}") from error
        return serving

    def _begin(self, own: Own) -> Serving:
        serving = Serving(own)
        self._all.add(serving)
        serving.begin()
        self._serving = serving
        return serving

    def forget(self) -> None:
        """Let go of the server, which ends once none of its launches is held."""
        with self._lock:
            self._serving = None

    def after_fork(self) -> None:
        """Leave the parent's servers to the parent."""
        self._lock = threading.Lock()
        self._owner = 0
        self._serving = self._own = None
        for serving in self._all:
            serving.close()
        self._all = WeakSet()


def package_place() -> str:
    """Return the directory that this package is in, where another Python finds it too."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
