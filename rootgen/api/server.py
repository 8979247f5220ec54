"""The launch server of the Python API: started on first use, asked over a socket, ends with us.

``sandbox.serve`` says why there is one. It is a small process of its own
(a fresh Python, 20 ms once), not a fork: nothing of the caller's memory,
threads or descriptors is in it, and it is no child of the caller.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from rootgen.api.run import ImageName, RunRequest, compose_run, on_root, root_of
from rootgen.errors import LaunchError
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox import options as option_values
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.facts import absolute
from rootgen.sandbox.launch import Root, Upper
from rootgen.sandbox.root_use import RootUse
from rootgen.sandbox.serve import ANNOUNCED, QUIET, Server
from rootgen.sandbox.signals import CAUGHT
from rootgen.sandbox.stored import classes_of, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.sandbox.facts import Facts
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.options import Options

_CONTROL = 3
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from rootgen.api.server import main; main()"
)  # fmt: skip
_CLASSES = classes_of(option_values)


class _Connection:
    """The control socket of this process's server; a fork of this process has none yet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.control = -1
        self.identity = (-1, -1)

    def forget(self) -> None:
        """Close the socket; the server then ends what runs, and itself."""
        if self.control >= 0:
            os.close(self.control)
        self.control = -1

    def after_fork(self) -> None:
        """Leave the parent's server to the parent."""
        self.lock = threading.Lock()
        self.forget()


_connection = _Connection()
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
    no server to be had.
    """
    data = json.dumps(
        {
            "root": to_json(_absolute_root(request)),
            "command": request.command,
            "options": to_json(_absolute_options(request.options)),
            "environ": dict(environ),
        }
    ).encode()
    ours, theirs = message.message_pair()
    written = os.memfd_create("rootgen-request")
    try:
        os.write(written, data)
        _send(ANNOUNCED if announced else QUIET, (theirs, written, *streams))
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
        os.close(written)
    return ours


def _absolute_root(request: RunRequest) -> Root | ImageName:
    """Return the root without a path that is relative to the caller's directory."""
    root = request.root
    if not isinstance(root, ImageName):
        return absolute(root_of(request))
    if root.store:
        return root._replace(store=os.path.abspath(root.store))
    from rootgen.api.images import default_store

    return root._replace(store=os.path.abspath(default_store(os.environ)))


def _absolute_options(options: option_values.Options) -> option_values.Options:
    """Return the options without a path that is relative to the caller's directory."""
    if options.seccomp in ("", option_values.NO_SECCOMP):
        return options
    return options._replace(seccomp=os.path.abspath(options.seccomp))


def _send(kind: bytes, parts: tuple[int, ...]) -> None:
    """Send a request to the server, which is started where there is none (any longer)."""
    with _connection.lock:
        # It has the credentials that we had when it began.
        identity = (os.geteuid(), os.getegid())
        if _connection.control >= 0 and _connection.identity == identity:
            try:
                message.send(_connection.control, kind, *parts)
            except (BrokenPipeError, ConnectionResetError):
                _connection.forget()
            else:
                return
        _connection.forget()
        _connection.control = _start_server()
        _connection.identity = identity
        try:
            message.send(_connection.control, kind, *parts)
        except OSError as error:
            raise LaunchError(f"the launch server did not start: {error.strerror}") from error


def _start_server() -> int:
    """Start a server; return our end of its control socket."""
    control, theirs = message.message_pair()
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    null = (os.devnull, os.O_RDWR, 0)
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs, _CONTROL),
        *((os.POSIX_SPAWN_OPEN, stream, *null) for stream in range(3)),
    ]
    command = [sys.executable, "-I", "-S", "-c", _CODE, package]
    try:
        first = os.posix_spawn(
            sys.executable,
            command,
            os.environ,
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


def main() -> None:
    """Be the launch server: what ``_start_server`` starts; never returns."""
    import gc

    from rootgen.linux import process

    process.close_from(_CONTROL + 1)
    if os.fork():
        os._exit(0)
    os.set_inheritable(_CONTROL, False)  # noqa: FBT003 - it takes no keyword
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.command_line_area()
    # As for the command line: what is imported stays, and nothing of ours goes in circles often.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    Server(_CONTROL, Composer()).serve()
    os._exit(0)


class Composer:
    """Makes the Launch of each request; who asks for the like again needs but the command changed.

    A test suite launches hundreds of times with the same options, and
    composing takes as long as reading the facts, which is done each time.
    """

    def __init__(self) -> None:
        """Begin with nothing composed."""
        self._known: tuple[Options, Facts, Launch] | None = None
        self._use = RootUse("")

    def __call__(self, data: bytes) -> Launch:
        """Return the Launch of a request as ``ask`` wrote it; raise LaunchError or UsageError."""
        asked = json.loads(data)
        options = from_json(asked["options"], _CLASSES)
        root = from_json(asked["root"], {"Root": Root, "Upper": Upper, "ImageName": ImageName})
        request = RunRequest(root, tuple(asked["command"]), options)

        def do(ready: RunRequest) -> Launch:
            launch = compose_run(
                ready, environ=asked["environ"], terminal=False, compose=self._compose
            )
            # By the next request the launch has begun, and keeps what it uses by itself.
            self._use.__exit__()
            self._use = RootUse(launch.root.use)
            self._use.__enter__()
            return launch

        return on_root(request, do)

    def _compose(self, command: Sequence[str], options: Options, facts: Facts) -> Launch:
        if self._known is None or self._known[:2] != (options, facts):
            self._known = options, facts, compose_launch(command, options, facts)
        return self._known[2]._replace(command=tuple(command))
