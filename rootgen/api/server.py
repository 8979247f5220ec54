"""Launches for the Python API: each is made here, and performed by a process fit to.

Made of what the machine and the root say now, in whichever thread asks. ``sandbox.serve`` says why
it is performed elsewhere.
"""

from __future__ import annotations

import os

from rootgen.api.connection import Connection, Handed
from rootgen.api.run import compose_run, on_root
from rootgen.errors import LaunchError
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.root_use import RootUse
from rootgen.sandbox.serve import ANNOUNCED, QUIET
from rootgen.sandbox.stored_launch import LaunchWriter, write_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.api.connection import Own, Serving
    from rootgen.api.run import RunRequest
    from rootgen.sandbox.facts import Facts
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.options import Options

# One server may have been killed, and another thread have started the next.
_ATTEMPTS = 3


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


_connection = Connection()
_compose = _Composer()
_write = LaunchWriter()
os.register_at_fork(after_in_child=_connection.after_fork)


def ask(
    request: RunRequest,
    streams: tuple[int, int, int],
    environ: Mapping[str, str],
    *,
    announced: bool,
) -> tuple[int, Serving]:
    """Have a request launched on ``streams``; return the socket of the answers, and the server.

    Closing that socket kills the launch, and so does letting go of the server. ``announced`` asks
    for an answer when the program has started, before the one of its end. Raises LaunchError
    where there is no server to be had, and what ``compose_run`` does.
    """
    request = request._replace(options=_absolute(request.options))
    # As it is now: the caller's own may change, and is compared with that of later launches.
    asking = _Asking(streams, dict(environ), ANNOUNCED if announced else QUIET)
    try:
        serving = on_root(request, asking, threaded=True)
    except BaseException as error:
        asking.close()
        # Without a number it is a signal handler's own.
        if isinstance(error, ValueError) or (isinstance(error, OSError) and error.errno):
            what = f"cannot make the launch: {error}"
            raise LaunchError(what, hint="see the options and the paths in them") from error
        raise
    return asking.answers, serving


class _Asking:
    """One launch being asked for; ``answers`` is the socket on which its end is told."""

    def __init__(
        self, streams: tuple[int, int, int], environ: Mapping[str, str], start: bytes
    ) -> None:
        self.answers = -1
        self._streams = streams
        self._environ = environ
        self._start = start

    def __call__(self, ready: RunRequest) -> Serving:
        """Compose the launch of a request whose root is ready, and hand it on."""
        for _ in range(_ATTEMPTS):
            own = _connection.own()
            launch = compose_run(
                ready,
                environ=self._environ,
                elsewhere=True,
                compose=_compose,
                process=own.process,
            )
            use = RootUse(launch.root.use)
            with use:
                serving = self._hand_on(own, launch, use.locks)
                if serving is not None:
                    use.hand_over()
                    return serving
        raise LaunchError("the launch server did not start")

    def close(self) -> None:
        """Give up what was asked for: it is killed."""
        answers, self.answers = self.answers, -1
        if answers >= 0:
            os.close(answers)

    def _hand_on(self, own: Own, launch: Launch, locks: tuple[int, ...]) -> Serving | None:
        self.answers, theirs = message.message_pair()
        serving = None
        try:
            command = write_command(launch.command)
            parts = (theirs, *self._streams)
            bare = _write(launch)
            serving = _connection.send(Handed(own, self._start, command, bare, parts, locks))
        finally:
            os.close(theirs)
            if serving is None:
                self.close()
        return serving


def _absolute(options: Options) -> Options:
    """Return the options with host paths that count for the server too, whose directory is /."""
    binds = tuple(one._replace(source=os.path.abspath(one.source)) for one in options.binds)
    devices = tuple(one._replace(source=os.path.abspath(one.source)) for one in options.devices)
    return options._replace(binds=binds, devices=devices)
