"""The launch server of the Python API: started on first use, asked over a socket, ends with us.

``sandbox.serve`` says why there is one. It is a small process of its own
(a fresh Python, 20 ms once), not a fork: nothing of the caller's memory,
threads or descriptors is in it, and it is no child of the caller.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from rootgen.api.run import ImageName, root_of
from rootgen.errors import LaunchError
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.facts import absolute
from rootgen.sandbox.options import NO_SECCOMP
from rootgen.sandbox.serve import ANNOUNCED, CONTROL, QUIET
from rootgen.sandbox.signals import CAUGHT
from rootgen.sandbox.stored import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.api.run import RunRequest
    from rootgen.sandbox.launch import Root
    from rootgen.sandbox.options import Options

    _Asked = tuple[Root | ImageName, Options, dict[str, str]]

# The launcher is forked before what composes is imported: it is to be small.
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from rootgen.sandbox.serve import begin; launcher = begin(); "
    "from rootgen.api.composer import main; main(launcher)"
)


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


class _Writer:
    """Writes requests; one that differs from the last in nothing but the command costs little."""

    def __init__(self) -> None:
        # Both at once: requests come from any thread.
        self._last: tuple[_Asked | None, bytes] = (None, b"")

    def __call__(self, command: tuple[str, ...], asked: _Asked) -> bytes:
        """Return the command on a line, and then the root, the options and the environment."""
        before, rest = self._last
        if asked != before:
            root, options, environ = asked
            words = {"root": to_json(root), "options": to_json(options), "environ": environ}
            rest = json.dumps(words).encode()
            self._last = asked, rest
        return json.dumps(command).encode() + b"\n" + rest


_connection = _Connection()
_writer = _Writer()
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
    root, options = _absolute_root(request), _absolute_options(request.options)
    data = _writer(request.command, (root, options, dict(environ)))
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


def _absolute_options(options: Options) -> Options:
    """Return the options without a path that is relative to the caller's directory."""
    if options.seccomp in ("", NO_SECCOMP):
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
        (os.POSIX_SPAWN_DUP2, theirs, CONTROL),
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
