"""Launches that go on without their caller: begun, listed, joined, stopped, and what they said."""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from rootgen.api.run import best_shell, compose_run, on_root
from rootgen.errors import LaunchError, RootgenError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox import remembered
from rootgen.sandbox.log import read_log
from rootgen.sandbox.options import KILL_AFTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.api.run import RunRequest
    from rootgen.named import Tell
    from rootgen.sandbox.remembered import Remembered


# After SIGKILL to process 1: its supervisor has no more to do than to write down the end.
_PATIENCE = 5.0
_NAME_DIGITS = 4


class Listed(NamedTuple):
    """One launch: running, or ended with ``exit_status``, or lost, its supervisor having died.

    ``process`` is the id of its process 1 out here, None where there is
    none (yet, or any longer); ``started`` and ``ended`` are seconds since
    the epoch.
    """

    name: str
    state: str
    process: int | None
    tree: str
    command: tuple[str, ...]
    started: float
    ended: float | None
    exit_status: int | None


def detach(request: RunRequest, name: str = "", *, tell: Tell | None = None) -> str:
    """Start a launch that goes on without this process; return its name.

    Returns once its program has started. Without a name it gets one, of the
    command and some digits. Raises LaunchError (NotFoundError,
    NotExecutableError) where it is not started, UsageError for what can be no name.
    """
    from rootgen.sandbox.supervise import detach as detach_launch

    def do(ready: RunRequest) -> str:
        composed = compose_run(ready, tell=tell, terminal=False)
        chosen = name or _new_name(composed.command[0])
        sys.stdout.flush()
        sys.stderr.flush()
        detach_launch(composed, chosen)
        return chosen

    return on_root(request, do, tell=tell)


def _new_name(program: str) -> str:
    word = os.path.basename(program)
    plain = "".join(one for one in word if one.isascii() and (one.isalnum() or one in "_-"))
    return f"{plain.lstrip('_-')[:32] or 'launch'}-{os.urandom(_NAME_DIGITS).hex()}"


def launches() -> Iterator[Listed]:
    """Yield the launches that are remembered, by name: running, ended and lost ones."""
    directory = remembered.state_directory()
    remembered.tidy(directory)
    for one in remembered.read_all(directory):
        state = _state(one)
        yield Listed(
            one.name,
            state,
            one.init.process if one.init is not None and state == "running" else None,
            one.tree,
            one.command,
            one.started,
            one.ended,
            one.status,
        )


def _state(one: Remembered) -> str:
    if one.status is not None:
        return "ended"
    return "running" if remembered.is_running(one) else "lost"


def stop(name: str, kill_after: float = KILL_AFTER) -> int | None:
    """End a launch and all its processes, and forget it; return its exit status.

    SIGTERM first, SIGKILL after ``kill_after`` seconds; returns when all is
    gone. None where the status is not known, its supervisor having died.
    Several may stop one at the same time. Raises RootgenError where there is no launch of that
    name, UsageError for what can be none.
    """
    directory = remembered.state_directory()
    found = remembered.hold(directory, remembered.check_name(name))
    if found is None:
        raise _unknown(directory, name)
    held, one = found
    try:
        supervisor = remembered.open_supervisor(one)
        if supervisor is not None:
            try:
                _end(one, supervisor, kill_after)
            finally:
                os.close(supervisor)
        last = remembered.read_held(held) or one
    except BaseException:
        os.close(held)
        raise
    remembered.forget_held(directory, name, held)
    remembered.tidy(directory)
    return last.status


def _end(one: Remembered, supervisor: int, kill_after: float) -> None:
    """Have the program end, then process 1, then the supervisor, each if the one before did not."""
    _send(supervisor, signal.SIGTERM)
    _send(supervisor, signal.SIGCONT)
    if _has_ended(supervisor, kill_after):
        return
    if one.init is not None:
        _kill(one.init)
        if _has_ended(supervisor, _PATIENCE):
            return
    _send(supervisor, signal.SIGKILL)
    _has_ended(supervisor, None)
    # Process 1 dies with it; until it has, so have not all of its processes.
    while one.init is not None and remembered.is_there(one.init):
        time.sleep(0.01)


def _send(process: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return  # it has ended


def _kill(identity: remembered.Identity) -> None:
    try:
        descriptor = os.pidfd_open(identity.process)
    except ProcessLookupError:
        return
    if remembered.is_there(identity):
        _send(descriptor, signal.SIGKILL)
    os.close(descriptor)


def _has_ended(process: int, seconds: float | None) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def execute(
    name: str,
    command: Sequence[str],
    *,
    env: Sequence[tuple[str, str]] = (),
    user: str = "",
    workdir: str = "",
) -> int:
    """Run a command in a launch that is running, and return its exit status.

    It has that launch's namespaces, limits, root, capabilities and
    environment, with ``env`` added, and its user, or ``user``
    (``NAME|UID[:GROUP|GID]`` of the tree's passwd as it is by then, whose
    home is then HOME); an empty command is the best shell.
    Raises LaunchError (NotFoundError, NotExecutableError).
    """
    from rootgen.sandbox.join import join

    one = _find(name)
    supervisor = remembered.open_supervisor(one)
    if supervisor is None or one.init is None:
        raise LaunchError(
            f"the launch {name} is not running", hint=f"what it said: rootgen logs {name}"
        )
    namespaces = _open_namespaces(one, supervisor)
    launch = one.launch
    environment = dict(launch.environment)
    if user:
        environment.pop("HOME", None)
    environment |= dict(env)
    wanted = tuple(command) or best_shell(launch.root, environment.get("PATH", ""))
    sys.stdout.flush()
    sys.stderr.flush()
    return join(
        launch._replace(
            command=wanted,
            environment=tuple(environment.items()),
            workdir=workdir or launch.workdir,
            terminal=os.isatty(0) and os.isatty(1),
        ),
        namespaces,
        user,
    )


def _open_namespaces(one: Remembered, supervisor: int) -> dict[str, int]:
    """Open what the supervisor has open, through its /proc files; raise LaunchError."""
    opened: dict[str, int] = {}
    try:
        for kind, number in one.namespaces:
            path = f"/proc/{one.supervisor.process}/fd/{number}"
            opened[kind] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LaunchError(f"cannot join the launch {one.name}: {error.strerror}") from error
    # It is still there, so its id was its own all the time, and so were the files.
    if _has_ended(supervisor, 0):
        raise LaunchError(f"the launch {one.name} has ended meanwhile")
    os.close(supervisor)
    return opened


def logs(name: str) -> Iterator[bytes]:
    """Yield what a launch has printed so far, in pieces; raise LaunchError if there is none."""
    one = _find(name)
    return read_log(f"{remembered.state_directory()}/{one.name}")


def _find(name: str) -> Remembered:
    directory = remembered.state_directory()
    one = remembered.read(directory, remembered.check_name(name))
    if one is None:
        raise _unknown(directory, name)
    return one


def _unknown(directory: str, name: str) -> RootgenError:
    """Return the error that says that there is no launch of that name."""
    from difflib import get_close_matches

    names = [known.name for known in remembered.read_all(directory)]
    near = get_close_matches(name, names, n=1)
    return RootgenError(
        f"no launch is called {name}",
        hint=f"did you mean {near[0]}?" if near else "rootgen ps lists those that there are",
    )
