"""The supervisor of a launch that goes on without its caller.

It holds nothing of the caller's: a session of its own, ``/`` as directory,
no descriptor. It keeps the program's output, within bounds, and the end of
the launch; when it dies so does process 1, and with that every process.
"""

from __future__ import annotations

import os
import select
import signal
import time

from rootgen.errors import LaunchError, RootgenError
from rootgen.linux import message, process
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox import remembered
from rootgen.sandbox.cgroup import Groups
from rootgen.sandbox.deadline import Deadline
from rootgen.sandbox.inside import prepare
from rootgen.sandbox.log import Log
from rootgen.sandbox.perform import ending_notes
from rootgen.sandbox.place import remove_made
from rootgen.sandbox.report import STARTED, STARTED_CHROOT, pack_error, unpack_error
from rootgen.sandbox.root_use import RootUse
from rootgen.sandbox.signals import CAUGHT, status_of
from rootgen.sandbox.start import end, error_told, let_go, next_message, start

if TYPE_CHECKING:
    from typing import NoReturn

    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.remembered import Remembered
    from rootgen.sandbox.start import Child

_NOTICE = 3
_CHUNK = 65536
_COMMAND_LINE = b"rootgen: supervisor"


def detach(launch: Launch, name: str) -> None:
    """Perform ``launch`` in a process of its own, and return once its program has started.

    Raises LaunchError (NotFoundError, NotExecutableError) where it has not;
    then nothing of it is left.
    """
    directory = remembered.state_directory()
    remembered.tidy(directory)
    one = remembered.Remembered(
        name=remembered.check_name(name),
        tree=launch.root.shown,
        command=launch.command,
        started=time.time(),
        boot=remembered.boot_id(),
        supervisor=remembered.identity(os.getpid()),
        launch=launch,
    )
    path = remembered.claim(directory, one)
    ours, theirs = message.message_pair()
    if os.fork() == 0:
        _be_supervisor(one, path, theirs)
    os.close(theirs)
    told, _ = next_message(ours)
    if told == STARTED:
        return
    remembered.forget(directory, name)
    raise unpack_error(told) or LaunchError("the supervisor of the launch was killed")


def _be_supervisor(one: Remembered, path: str, notice: int) -> NoReturn:
    """Let go of the caller, perform the launch, and end; never return."""
    error: RootgenError | None = None
    try:
        os.setsid()
        os.chdir("/")
        os.dup2(notice, _NOTICE, inheritable=False)
        process.close_from(_NOTICE + 1)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for stream in range(3):
            os.dup2(null, stream)
        os.close(null)
        process.set_command_line(_COMMAND_LINE)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
        one = one._replace(supervisor=remembered.identity(os.getpid()))
        _Supervisor(one, path).run()
    except RootgenError as failed:
        error = failed
    except BaseException as failed:  # noqa: BLE001 - nothing may get past: above is the caller's own stack
        error = LaunchError(f"the supervisor failed: {type(failed).__name__}: {failed}")
    finally:
        if error is not None:
            remove_made(one.launch.root.top, one.launch.missing)
            _tell(pack_error(error))
        os._exit(0 if error is None else 1)


def _tell(told: bytes) -> None:
    try:
        message.send(_NOTICE, told)
        os.close(_NOTICE)
    except OSError:
        return  # the caller was told before, or was killed: nobody is there to be told


class _Supervisor:
    """One launch, from its start to its end being written down."""

    def __init__(self, one: Remembered, path: str) -> None:
        self._one = one
        self._path = path
        self._log = Log(path)
        self._output = -1
        self._namespaces: tuple[int, ...] = ()

    def run(self) -> None:
        launch = self._one.launch
        remembered.write(self._path, self._one)
        with RootUse(launch.root.use), Groups(launch.limits) as groups:
            deadline = Deadline(launch.time_limit, time.monotonic())
            child = self._start(groups)
            try:
                self._has_started(child, groups)
                status = self._wait(child, deadline)
            except BaseException:
                end(child)
                raise
            let_go(child)
            for descriptor in self._namespaces:
                os.close(descriptor)
            notes = ending_notes(launch, status, deadline, groups)
            self._log.write("".join(f"rootgen: {note}\n" for note in notes).encode())
        self._one = self._one._replace(
            status=deadline.status(status), ended=time.time(), notes=tuple(notes), namespaces=()
        )
        if os.path.isdir(self._path):  # else it has been forgotten meanwhile
            remembered.write(self._path, self._one)

    def _start(self, groups: Groups) -> Child:
        self._output, theirs = os.pipe()
        os.set_blocking(self._output, False)
        try:
            return start(prepare(self._one.launch), groups, (), (0, theirs, theirs), keep=True)
        finally:
            os.close(theirs)

    def _has_started(self, child: Child, groups: Groups) -> None:
        """Wait until the program has started, and remember what others need to join it."""
        launch = self._one.launch._replace(limits=groups.placed())
        told, self._namespaces = next_message(child.channel)
        if told not in (STARTED, STARTED_CHROOT):
            raise error_told(launch, child.channel, told) or LaunchError("process 1 was killed")
        if told == STARTED_CHROOT:  # which takes away what leads out of it
            kept = tuple(name for name in launch.capabilities if name != "SYS_CHROOT")
            launch = launch._replace(capabilities=kept)
        self._one = self._one._replace(
            launch=launch,
            init=remembered.identity(child.process),
            namespaces=tuple(zip(launch.namespaces, self._namespaces, strict=True)),
        )
        remembered.write(self._path, self._one)
        _tell(STARTED)

    def _wait(self, child: Child, deadline: Deadline) -> int:
        """Keep the output and pass signals on until the child ends; return how it did."""
        signals = process.signal_descriptor(CAUGHT)
        poll = select.poll()
        poll.register(signals, select.POLLIN)
        poll.register(self._output, select.POLLIN)
        status: int | None = None
        while status is None:
            now = time.monotonic()
            for number in deadline.due(now):
                os.kill(child.process, number)
            patience = deadline.patience(now)
            for descriptor, _ in poll.poll(None if patience is None else patience * 1000 + 1):
                if descriptor == signals:
                    status = _pass_on(signals, child)
                elif not self._keep_output():
                    poll.unregister(self._output)
        while self._keep_output():
            pass
        return status

    def _keep_output(self) -> bool:
        """Keep some of the output; return false where there is none (now)."""
        try:
            data = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        self._log.write(data)
        return bool(data)


def _pass_on(signals: int, child: Child) -> int | None:
    """Pass on the next signal; return how the child ended, if it was that."""
    number = process.read_signal(signals)
    if number == signal.SIGCHLD:
        ended, status = os.waitpid(child.process, os.WNOHANG)
        return status_of(status) if ended else None
    if number not in (None, signal.SIGWINCH, signal.SIGTSTP):
        os.kill(child.process, number)
    return None
