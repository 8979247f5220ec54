"""The launch server of the Python API: started on first use, given launches, ends with us.

``sandbox.serve`` says why there is one. It is a small process of its own
(a fresh Python, 20 ms once), not a fork: nothing of the caller's memory,
threads or descriptors is in it, and it is no child of the caller. The Launch is made here, of what
the machine and the root say now.
"""

from __future__ import annotations

import os
import sys
import threading

from rootgen.api.run import compose_run, on_root
from rootgen.errors import LaunchError
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.facts import read_process
from rootgen.sandbox.root_use import RootUse
from rootgen.sandbox.serve import ANEW, ANNOUNCED, AS_BEFORE, CONTROL, IN_MESSAGE, QUIET
from rootgen.sandbox.signals import CAUGHT
from rootgen.sandbox.stored_launch import LaunchWriter, command_first, write_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.api.run import RunRequest
    from rootgen.sandbox.facts import Facts, Process
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.options import Options

_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rootgen.sandbox.serve import begin; begin()"
)


class _Handed(NamedTuple):
    """A launch on its way: its command, what it is but for that, and descriptors."""

    start: bytes
    command: bytes
    bare: bytes
    parts: tuple[int, ...]
    locks: tuple[int, ...]


class _Connection:
    """The control socket of this process's server; a fork of this process has none yet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.control = -1
        self.identity = (-1, -1)
        self._own: tuple[tuple[int, int], Process] | None = None
        self._sent = b""

    def own(self) -> Process:
        """Return what this process is, and its server with it; read once for each user it is."""
        identity, known = _identity(), self._own
        if known is None or known[0] != identity:
            known = self._own = identity, read_process()
        return known[1]

    def send(self, launch: _Handed) -> None:
        """Send a launch to the server, which is started where there is none (any longer)."""
        with self.lock:
            # It has the credentials that we had when it began.
            if self.control >= 0 and self.identity == _identity():
                try:
                    self._send(launch)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it was killed
                else:
                    return
            self.forget()
            self.identity = _identity()
            self.control = _start_server()
            try:
                self._send(launch)
            except OSError as error:
                raise LaunchError(f"the launch server did not start: {error.strerror}") from error

    def _send(self, launch: _Handed) -> None:
        """Send a launch; but for its command only where that is not what the server got last."""
        start, command, bare, parts, locks = launch
        if bare == self._sent and len(command) <= IN_MESSAGE:
            message.send(self.control, start + AS_BEFORE + command, *parts, *locks)
            return
        self._sent = b""
        written = os.memfd_create("rootgen-launch")
        try:
            with open(written, "wb", closefd=False) as file:
                file.write(command_first(command, bare))
            message.send(self.control, start + ANEW, *parts, written, *locks)
        finally:
            os.close(written)
        self._sent = bare

    def forget(self) -> None:
        """Close the socket; the server then ends what runs, and itself."""
        self._sent = b""
        if self.control >= 0:
            os.close(self.control)
        self.control = -1

    def after_fork(self) -> None:
        """Leave the parent's server to the parent."""
        self.lock = threading.Lock()
        self._own = None
        self.forget()


def _identity() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


class _Composer:
    """Makes Launches; one that differs from the last in nothing but the command costs little.

    A test suite launches hundreds of times with the same options, and
    composing takes as long as reading the facts, which is done each time. From any thread: what is
    remembered is one value, of which the next is not made but taken.
    """

    def __init__(self) -> None:
        """Begin with nothing composed."""
        self._known: tuple[Options, Facts, Launch] | None = None

    def __call__(self, command: Sequence[str], options: Options, facts: Facts) -> Launch:
        """Return what ``compose_launch`` does."""
        known = self._known
        if known is None or known[:2] != (options, facts):
            known = self._known = options, facts, compose_launch(command, options, facts)
        return known[2]._replace(command=tuple(command))


_connection = _Connection()
_compose = _Composer()
_write = LaunchWriter()
os.register_at_fork(after_in_child=_connection.after_fork)


def ask(
    request: RunRequest,
    streams: tuple[int, int, int],
    environ: Mapping[str, str],
    *,
    announced: bool,
) -> int:
    """Have a request launched on ``streams``; return the socket of the answers.

    Closing that socket kills the launch. ``announced`` asks for an answer
    when the program has started, before the one of its end. Raises LaunchError where there is
    no server to be had, and what ``compose_run`` does.
    """

    def do(ready: RunRequest) -> int:
        launch = compose_run(
            ready,
            environ=environ,
            terminal=False,
            compose=_compose,
            process=_connection.own(),
        )
        use = RootUse(launch.root.use)
        with use:
            answers = _hand_on(launch, streams, use.locks, announced=announced)
            use.hand_over()
        return answers

    return on_root(request, do, threaded=True)


def _hand_on(
    launch: Launch, streams: tuple[int, int, int], locks: tuple[int, ...], *, announced: bool
) -> int:
    start = ANNOUNCED if announced else QUIET
    ours, theirs = message.message_pair()
    try:
        command = write_command(launch.command)
        _connection.send(_Handed(start, command, _write(launch), (theirs, *streams), locks))
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return ours


def _start_server() -> int:
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
