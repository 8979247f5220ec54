"""Launches for the Python API: each is made here, and performed by a process fit to.

Made of what the machine and the root say now, in whichever thread asks. ``sandbox.serve`` says why
it is performed elsewhere.
"""

from __future__ import annotations

import os

from rootgen.api.connection import ATTEMPTS, Answers, Connection, Handed
from rootgen.api.run import compose_run, on_root
from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.environment import callers_variables
from rootgen.sandbox.root_use import RootUse
from rootgen.sandbox.serve import ANNOUNCED, QUIET
from rootgen.sandbox.stored_launch import LaunchWriter, write_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.api.run import RunRequest
    from rootgen.sandbox.facts import Facts
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.options import Options


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
os.register_at_fork(
    before=_connection.before_fork,
    after_in_parent=_connection.after_fork,
    after_in_child=_connection.in_fork,
)


def ask(
    request: RunRequest,
    streams: tuple[int, int, int],
    environ: Mapping[str, str],
    *,
    announced: bool,
) -> Answers:
    """Have a request launched on ``streams``; return where its end is told, which is to be held.

    ``announced`` asks for an answer when the program has started, before the one of its end. Raises
    LaunchError where there is no server to be had, and what ``compose_run`` does.
    """
    request = request._replace(options=_for_elsewhere(request.options))
    # As it is now: the caller's own may change, and is compared with that of later launches.
    asking = _Asking(streams, dict(callers_variables(environ)), ANNOUNCED if announced else QUIET)
    try:
        on_root(request, asking, threaded=True)
    except BaseException as error:
        asking.answers.close()
        # Without a number it is a signal handler's own.
        if isinstance(error, OSError) and error.errno:
            what = f"cannot make the launch: {error}"
            raise LaunchError(what, hint="see the options and the paths in them") from error
        raise
    return asking.answers


class _Asking:
    """One launch being asked for; ``answers`` is where its end is told."""

    def __init__(
        self, streams: tuple[int, int, int], environ: Mapping[str, str], start: bytes
    ) -> None:
        self.answers = Answers()
        self._streams = streams
        self._environ = environ
        self._start = start

    def __call__(self, ready: RunRequest) -> None:
        """Compose the launch of a request whose root is ready, and hand it on."""
        for _ in range(ATTEMPTS):
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
                command, bare = write_command(launch.command), _write(launch)
                handed = Handed(own, self._start, command, bare, self._streams, use.locks)
                if _connection.send(handed, self.answers):
                    use.hand_over()
                    return
        raise LaunchError("the launch server did not start")


def _for_elsewhere(options: Options) -> Options:
    """Return the options with host paths that count for the server too, whose directory is /.

    Raises LaunchError for what can be no path.
    """
    binds = tuple(one._replace(source=_absolute(one.source)) for one in options.binds)
    devices = tuple(one._replace(source=_absolute(one.source)) for one in options.devices)
    targets = [one.target for one in binds] + [one.target for one in devices]
    for path in (*targets, *(one.target for one in options.tmpfs), options.seccomp):
        _check_path(path)
    return options._replace(binds=binds, devices=devices)


def _absolute(path: str) -> str:
    _check_path(path)
    return os.path.abspath(path)


def _check_path(path: str) -> None:
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise LaunchError(f"{path!r} is no path", hint="see the options and the paths in them")
