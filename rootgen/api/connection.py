"""The connection to this process's launch server, which is started where there is none like it.

``sandbox.serve`` says what that is for. It is a small process of its own (a fresh Python, 20 ms
once), not a fork: nothing of the caller's memory, threads or descriptors is in it, and it is no
child of the caller.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from contextlib import suppress
from weakref import WeakSet

from rootgen.errors import LaunchError, raise_foreign
from rootgen.linux import capability, message
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.facts import read_process
from rootgen.sandbox.likeness import inherited, read_likeness
from rootgen.sandbox.serve import ANEW, AS_BEFORE, CONTROL, NUMBER, PIECE, TAKEN
from rootgen.sandbox.signals import CAUGHT
from rootgen.sandbox.stored_launch import command_first

if TYPE_CHECKING:
    from rootgen.sandbox.facts import Process
    from rootgen.sandbox.likeness import Likeness

# What says that nobody is there; and that the program has closed a descriptor that is not its own.
_GONE = (errno.EPIPE, errno.ECONNRESET)
_NOT_OURS = (errno.EBADF, errno.ENOTSOCK)
# How many servers are begun where another thread changes what this process is, and changes it back
# meanwhile. The last is taken: there may be something that no program inherits.
_BEGUN = 3
# How often what a process is may change while it is looked at.
ATTEMPTS = 5
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rootgen.sandbox.serve import begin; begin()"
)


class Own(NamedTuple):
    """What this thread passes on, and what a server that it begins is, and the kernel, may do."""

    likeness: Likeness
    process: Process


class Handed(NamedTuple):
    """A launch on its way: its command, what it is but for that, and descriptors.

    ``own`` is what it was composed for, ``start`` one of ``serve``'s ANNOUNCED and QUIET; ``locks``
    are what keeps the root.
    """

    own: Own
    start: bytes
    command: bytes
    bare: bytes
    streams: tuple[int, int, int]
    locks: tuple[int, ...]


class Answers:
    """The socket on which a launch's end is told. When nobody holds this the launch is killed."""

    def __init__(self) -> None:
        """Begin without one."""
        self.descriptor = -1
        self._serving: Serving | None = None
        self._maker = os.getpid()

    def open(self, serving: Serving) -> int:
        """Make the socket of a launch by ``serving``; return its other end, which is that's."""
        self._serving = serving
        self.descriptor, theirs = message.message_pair()
        return theirs

    def close(self) -> None:
        """Let go of the launch: it is killed if it runs, whoever has copies of the socket."""
        descriptor, self.descriptor = self.descriptor, -1
        self._serving = None
        if descriptor < 0:
            return
        try:
            # In a fork of ours it is the parent's launch.
            if self._maker == os.getpid():
                message.shut(descriptor)
            os.close(descriptor)
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise

    __del__ = close


class Serving:
    """A server of this process, which ends, and all that it launched, when nobody holds this."""

    def __init__(self, own: Own) -> None:
        """Begin without one, which ``begin`` is to start for who is ``own``."""
        self.own = own
        self._file = (0, 0)
        # The control socket first; its other end only while a server is being started.
        self._open: list[int] = []
        # What the server has got last, as it said, and the number of that message.
        self._taken = b""
        self._number = 0

    def begin(self) -> bool:
        """Start the server; say whether it is as its client was looked at. Raises LaunchError."""
        first = 0
        try:
            self._open[:] = message.message_pair()
            # What is interrupted must know whom it has started.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                first = _spawn(self._open[1])
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(self._open.pop())
            self._file = _file_of(self._open[0])
            # It forks the server and ends: the caller's own children are the caller's own.
            _wait_for(first)
            return message.read(self._open[0]) == inherited(self.own.likeness)
        except BaseException:
            self.close()
            if first:
                with suppress(ChildProcessError):
                    os.waitpid(first, 0)  # for some 20 ms
            raise

    def send(self, launch: Handed, answers: Answers) -> None:
        """Send a launch, as its command only where it else is what the server has; raise OSError.

        One at a time.
        """
        _, start, command, bare, streams, locks = launch
        if not self._open or _file_of(self._open[0]) != self._file:
            # The program has closed it, and its number may be another file's.
            self._open.clear()
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        theirs = answers.open(self)
        try:
            if bare == self._taken and len(command) <= PIECE:
                text = start + AS_BEFORE + NUMBER.pack(self._number) + command
                message.send(self._open[0], text, theirs, *streams, *locks)
            else:
                whole = command_first(command, bare)
                if self._send_anew(start, whole, (theirs, *streams), locks):
                    self._taken = bare
        finally:
            os.close(theirs)

    def _send_anew(
        self, start: bytes, whole: bytes, parts: tuple[int, ...], locks: tuple[int, ...]
    ) -> bool:
        """Send what a launch is in pieces, through a socket of its own; say whether it is held.

        What was interrupted ends with that socket. A file would be too large where that is limited.
        """
        self._taken = b""
        self._number += 1
        number = NUMBER.pack(self._number)
        ours, theirs = message.message_pair()
        try:
            try:
                message.send(self._open[0], start + ANEW + number, *parts, theirs, *locks)
            finally:
                os.close(theirs)
            for begin in range(0, len(whole), PIECE):
                message.send(ours, whole[begin : begin + PIECE])
        except OSError as error:
            # It reads no further: its answer says whether it is there.
            if error.errno not in _GONE:
                raise
        finally:
            os.close(ours)
        # An answer to an earlier one is there still where its sender was interrupted.
        while (answer := message.read(self._open[0]))[: NUMBER.size] != number:
            if not answer:
                raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        return answer[NUMBER.size :] == TAKEN

    def close(self) -> None:
        """Close the socket; the server then ends what runs, and itself."""
        # Forgotten before it is closed: an interrupt between the two must not close it twice.
        while self._open:
            os.close(self._open.pop())

    __del__ = close


def _file_of(descriptor: int) -> tuple[int, int]:
    """Return the device and inode of what is open; zeros where nothing is."""
    try:
        facts = os.fstat(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return 0, 0
    return facts.st_dev, facts.st_ino


class Connection:
    """Who asks this process's server; a fork of this process has none yet.

    No fork is made while a server is begun or a launch sent: it would have copies of sockets that
    tell by their end.
    """

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
            for _ in range(ATTEMPTS):
                likeness, known = read_likeness(), self._own
                if known is not None and known.likeness == likeness:
                    return known
                # Read between two looks that are alike: another thread may change it meanwhile.
                self._own = Own(likeness, read_process(capability.after_exec()))
        except OSError as error:
            raise_foreign(error)
            what = f"cannot read what this process is: {error.filename}: {error.strerror}"
            raise LaunchError(what, hint="mount -t proc proc /proc") from error
        raise LaunchError("what this process is changes all the time")

    def send(self, launch: Handed, answers: Answers) -> bool:
        """Send a launch of this thread's to a server like it; its end is told on ``answers``.

        False where the server had gone, as may be found out only now, or the thread has become
        another. Raises LaunchError where none can be started.
        """
        if self._owner == threading.get_ident():
            raise LaunchError(
                "this thread is asking for a launch already",
                hint="launch nothing in a signal handler, or in what is called as objects go",
            )
        with self._lock:
            self._owner = threading.get_ident()
            try:
                return self._hand(launch, answers)
            finally:
                self._owner = 0

    def _hand(self, launch: Handed, answers: Answers) -> bool:
        serving = self._serving
        if serving is None or serving.own != launch.own:
            serving = self._begin(launch.own)
            if serving is None:
                return False
        try:
            serving.send(launch, answers)
        except OSError as error:
            raise_foreign(error)
            if error.errno not in _GONE:
                what = f"the launch server cannot be told: {error.strerror}"
                raise LaunchError(what) from error
            # Whatever ended it, what was known is looked at again.
            self._serving = self._own = None
            answers.close()
            return False
        return True

    def _begin(self, own: Own) -> Serving | None:
        """Begin a server that is as this thread is; None where it is no longer ``own``."""
        self._serving = None
        for _ in range(_BEGUN):
            serving = Serving(own)
            self._all.add(serving)
            alike = serving.begin()
            if read_likeness() != own.likeness:
                return None
            if alike:
                break
        self._serving = serving
        return serving

    def forget(self) -> None:
        """Let go of the server, which ends once none of its launches is held."""
        with self._lock:
            self._serving = None

    def before_fork(self) -> None:
        """Have nothing in between in a fork; but for one by a signal handler of whoever is."""
        if self._owner != threading.get_ident():
            self._lock.acquire()
            self._owner = -threading.get_ident()

    def after_fork(self) -> None:
        """Go on in the parent."""
        if self._owner == -threading.get_ident():
            self._owner = 0
            self._lock.release()

    def in_fork(self) -> None:
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
