"""The launch server: a process that performs launches for another, which need not be fit to.

Whoever has threads, or much memory, should not clone itself into new
namespaces. The server has neither: it takes launches from a socket, each
with the streams of its program and a socket for the answer, performs any
number of them side by side, and kills what nobody waits for any longer.
What makes a Launch of a request stays with who asks (``api.server``): each page that the server
writes to after a clone, the kernel copies.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time

from rootgen.errors import LaunchError, RootgenError
from rootgen.linux import message, process
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.cgroup import Groups
from rootgen.sandbox.deadline import Deadline
from rootgen.sandbox.inside import prepare
from rootgen.sandbox.perform import Undoing, ending_notes
from rootgen.sandbox.place import remove_made
from rootgen.sandbox.program import with_command
from rootgen.sandbox.report import STARTED, STARTED_CHROOT, pack_error
from rootgen.sandbox.root_use import RootUse
from rootgen.sandbox.signals import CAUGHT, status_of
from rootgen.sandbox.start import end, error_told, let_go, next_message, start
from rootgen.sandbox.stored_launch import LaunchReader

if TYPE_CHECKING:
    from typing import NoReturn

    from rootgen.sandbox.inside import Prepared
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.start import Child

# The socket of the launches.
CONTROL = 3
# What comes with one: the answer's socket, standard input, output and error. A file may follow, and
# the lock of the root.
PARTS = 4
# Its message begins with one of the first two, which say whether the start of the program is to be
# told; then the launch is that of the file, or the one before but for the command, which follows.
ANNOUNCED, QUIET = b"a", b"q"
ANEW, AS_BEFORE = b"n", b"b"
IN_MESSAGE = 60 << 10
ENDED = b"ended"
SIGNAL = b"signal"

_LAUNCH_LIMIT = 64 << 20


def begin() -> NoReturn:
    """Leave who started this process, and serve on ``CONTROL`` until nobody holds its other end."""
    process.close_from(CONTROL + 1)
    if os.fork():
        os._exit(0)
    try:
        os.set_inheritable(CONTROL, False)  # noqa: FBT003 - it takes no keyword
        os.chdir("/")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.command_line_area()
        # What is imported stays, and nothing of ours goes in circles often.
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        Server(CONTROL).serve()
    finally:
        os._exit(0)


class _Running:
    """One launch that goes on, and the socket on which its end is awaited."""

    def __init__(
        self, launch: Launch, groups: Groups, child: Child, reply: int, use: RootUse
    ) -> None:
        self.launch = launch
        self.use = use
        self.groups = groups
        self.child = child
        self.reply = reply
        self.deadline = Deadline(launch.time_limit, time.monotonic())
        self.error: RootgenError | None = None


class Server:
    """Performs the launches of whoever holds the other end of ``control``, until nobody does."""

    def __init__(self, control: int) -> None:
        """Take the socket of the launches; this process has one thread."""
        self._control = control
        self._inbox = message.Inbox()
        self._read = LaunchReader()
        self._prepared: tuple[Launch, Prepared] | None = None
        self._running: dict[int, _Running] = {}  # by the child's process id
        self._of_descriptor: dict[int, _Running] = {}  # by reply, and by channel until it started
        signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
        self._signals = process.signal_descriptor([signal.SIGCHLD])
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(self._signals, select.POLLIN)

    def serve(self) -> None:
        """Serve until the other end of the control socket is closed; then end all that runs."""
        open_ = True
        while open_:
            for descriptor, _ in self._poll.poll(self._patience()):
                if descriptor == self._control:
                    open_ = self._take_launch()
                elif descriptor == self._signals:
                    process.read_signal(self._signals)
                    self._reap()
                elif descriptor in self._of_descriptor:
                    self._listen(self._of_descriptor[descriptor], descriptor)
        for running in self._running.values():
            end(running.child)
            running.use.__exit__()
            running.groups.__exit__(None, None, None)

    def _patience(self) -> float | None:
        """Send what is due; return for how many milliseconds nothing is."""
        now = time.monotonic()
        waits: list[float] = []
        for running in self._running.values():
            for number in running.deadline.due(now):
                os.kill(running.child.process, number)
            patience = running.deadline.patience(now)
            if patience is not None:
                waits.append(patience)
        return min(waits) * 1000 + 1 if waits else None

    def _take_launch(self) -> bool:
        """Start what is to be launched; return false where nobody asks any longer."""
        message, parts = self._inbox.receive(self._control)
        if len(parts) < PARTS:
            return False
        (reply, *streams), more = parts[:PARTS], parts[PARTS:]
        kind, which, command = message[:1], message[1:2], message[2:]
        try:
            if which == ANEW:
                launch, more = self._read.whole(_read_all(more[0])), more[1:]
            else:
                launch = self._read.with_command(command)
            use = RootUse(launch.root.use, *more)
            running = self._start(reply, launch, use, (streams[0], streams[1], streams[2]))
            self._watch(running, reply)
            if kind == ANNOUNCED:
                self._watch(running, running.child.channel)
        except Exception as error:  # noqa: BLE001 - one launch's trouble is not the others'
            _refuse(reply, error)
            os.close(reply)
        finally:
            for descriptor in streams:
                os.close(descriptor)
        return True

    def _start(
        self, reply: int, launch: Launch, use: RootUse, streams: tuple[int, int, int]
    ) -> _Running:
        groups = Groups(launch.limits)
        with Undoing(launch):
            use.__enter__()
            try:
                groups.__enter__()
                child = start(self._prepare(launch), groups, (), streams)
            except BaseException:
                groups.__exit__(None, None, None)
                use.__exit__()
                raise
        running = _Running(launch, groups, child, reply, use)
        self._running[child.process] = running
        return running

    def _prepare(self, launch: Launch) -> Prepared:
        """Return the launch's calls: those of the last one, where only the arguments differ."""
        like = launch._replace(command=launch.command[:1])
        if self._prepared is None or self._prepared[0] != like:
            self._prepared = like, prepare(launch)
        prepared = self._prepared[1]
        if prepared.launch.command != launch.command:
            start = with_command(prepared.start, launch)
            prepared = prepared._replace(launch=launch, start=start)
            self._prepared = like, prepared
        return prepared

    def _watch(self, running: _Running, descriptor: int) -> None:
        self._of_descriptor[descriptor] = running
        self._poll.register(descriptor, select.POLLIN)

    def _listen(self, running: _Running, descriptor: int) -> None:
        """Take what the client or process 1 says; end what nobody waits for."""
        told = next_message(descriptor)[0]
        if descriptor == running.child.channel:
            self._forget(descriptor)
            if told in (STARTED, STARTED_CHROOT):
                _answer(running.reply, b"%b %d" % (STARTED, running.child.process))
            else:
                running.error = error_told(running.launch, descriptor, told)
            return
        word, _, number = told.partition(b" ")
        if word == SIGNAL:
            os.kill(running.child.process, int(number))
        else:
            self._forget(descriptor)
            os.kill(running.child.process, signal.SIGKILL)

    def _forget(self, descriptor: int) -> None:
        if self._of_descriptor.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def _reap(self) -> None:
        # One by one: not every child of ours is a launch, and each is waited for by who made it.
        for process_id in list(self._running):
            ended, status = os.waitpid(process_id, os.WNOHANG)
            if ended:
                self._finish(self._running.pop(process_id), status_of(status))

    def _finish(self, running: _Running, status: int) -> None:
        launch, child, deadline = running.launch, running.child, running.deadline
        if child.channel in self._of_descriptor:  # its start comes before its end
            self._listen(running, child.channel)
        error = running.error or error_told(launch, child.channel)
        notes = ending_notes(launch, status, deadline, running.groups)
        for descriptor in (running.reply, child.channel):
            self._forget(descriptor)
        let_go(child)
        running.use.__exit__()
        try:
            running.groups.__exit__(None, None, None)
        except LaunchError as left:
            error = error or left
        if error is not None:
            remove_made(launch.root.top, launch.missing)
            _answer(running.reply, pack_error(error))
        else:
            words = (str(deadline.status(status)), str(int(deadline.timed_out)), *notes)
            _answer(running.reply, b"\0".join((ENDED, *(word.encode() for word in words))))
        os.close(running.reply)


def _answer(reply: int, data: bytes) -> None:
    try:
        message.send(reply, data)
    except BrokenPipeError:
        return  # nobody waits for it


def _refuse(reply: int, error: Exception) -> None:
    """Answer with what went wrong."""
    if not isinstance(error, RootgenError):
        error = LaunchError(f"the launch server: {type(error).__name__}: {error}")
    _answer(reply, pack_error(error))


def _read_all(file: int) -> bytes:
    try:
        return os.pread(file, min(os.fstat(file).st_size, _LAUNCH_LIMIT), 0)
    finally:
        os.close(file)
