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
from contextlib import suppress
from struct import Struct

from rootgen.errors import LaunchError, RootgenError
from rootgen.linux import message, process
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.cgroup import Groups
from rootgen.sandbox.deadline import Deadline
from rootgen.sandbox.inside import prepare
from rootgen.sandbox.likeness import inherited, read_likeness
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
# What comes with one: the answer's socket, standard input, output and error. A socket may follow,
# and the lock of the root.
# Its message begins with one of the first two, which say whether the start of the program is to be
# told; then the launch is what comes through that socket, in pieces, and the number is its own, or
# that of the number but for the command, which follows.
ANNOUNCED, QUIET = b"a", b"q"
ANEW, AS_BEFORE = b"n", b"b"
NUMBER = Struct("=Q")
# So much is sent in one message.
PIECE = 60 << 10
# To each that comes anew the answer on the control socket: its number, and whether it is held now.
TAKEN, REFUSED = b"taken", b"refused"
ENDED = b"ended"
SIGNAL = b"signal"

_PIECES = 1000
_STREAMS = 3
_NUMBER_AT = len(QUIET + ANEW)
_COMMAND_AT = _NUMBER_AT + NUMBER.size


def begin() -> NoReturn:
    """Leave who started this process, and serve on ``CONTROL`` until nobody holds its other end."""
    process.close_from(CONTROL + 1)
    # It was begun at a moment, of which nobody else can tell what its client was then.
    message.send(CONTROL, inherited(read_likeness()))
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
            # Nobody is there to be told what does not end; the others are to end as well.
            with suppress(LaunchError, OSError):
                end(running.child)
            with suppress(LaunchError, OSError):
                running.use.__exit__()
            with suppress(LaunchError, OSError):
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
        text, parts = self._inbox.receive(self._control)
        if not text:
            return False
        given = list(parts)
        reply = given.pop(0) if given else -1
        try:
            running = self._launch(text, reply, given)
            self._watch(running, reply)
            if text[:1] == ANNOUNCED:
                self._watch(running, running.child.channel)
        except Exception as error:  # noqa: BLE001 - one launch's trouble is not the others'
            if reply >= 0:
                _refuse(reply, error)
                os.close(reply)
        finally:
            for descriptor in given:
                os.close(descriptor)
        return True

    def _launch(self, text: bytes, reply: int, given: list[int]) -> _Running:
        """Start what a message says; what it keeps of what was given with it is taken away."""
        launch = self._said(text, given)
        _check_given(given, _STREAMS)
        use = RootUse(launch.root.use, *given[_STREAMS:])
        del given[_STREAMS:]
        return self._start(reply, launch, use, (given[0], given[1], given[2]))

    def _said(self, text: bytes, given: list[int]) -> Launch:
        """Return the launch of a message; what comes anew is answered, whatever becomes of it."""
        number, command = text[_NUMBER_AT:_COMMAND_AT], text[_COMMAND_AT:]
        if text[1:_NUMBER_AT] == AS_BEFORE:
            return self._read.with_command(number, command)
        answer = REFUSED
        try:
            self._read.forget()
            _check_given(given, _STREAMS + 1)
            launch = self._read.whole(number, _read_all(given.pop(_STREAMS)))
            answer = TAKEN
        finally:
            _answer(self._control, number + answer)
        return launch

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
                try:
                    groups.__exit__(None, None, None)
                finally:
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
            _signal(running.child.process, number)
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
        """Take back what a launch that has ended used, and answer how it ended."""
        launch, child, deadline = running.launch, running.child, running.deadline
        if child.channel in self._of_descriptor:  # its start comes before its end
            self._listen(running, child.channel)
        error = running.error or error_told(launch, child.channel)
        notes: list[str] = []
        for descriptor in (running.reply, child.channel):
            self._forget(descriptor)
        try:
            let_go(child)
            notes = ending_notes(launch, status, deadline, running.groups)
        except (LaunchError, OSError) as unknown:
            error = error or LaunchError(f"how the launch ended is not known: {unknown}")
        for end_of in (running.use, running.groups):
            try:
                end_of.__exit__(None, None, None)
            except (LaunchError, OSError) as left:
                error = error or LaunchError(f"what the launch used is left: {left}")
        if error is not None:
            try:
                remove_made(launch.root.top, launch.missing)
            except LaunchError as left:
                error.why = (*error.why, left.what)
            _answer(running.reply, pack_error(error))
        else:
            words = (str(deadline.status(status)), str(int(deadline.timed_out)), *notes)
            _answer(running.reply, b"\0".join((ENDED, *(word.encode() for word in words))))
        os.close(running.reply)


def _check_given(given: list[int], number: int) -> None:
    if len(given) < number:
        # As many came as there was room for (recvmsg(2), MSG_CTRUNC).
        raise LaunchError(
            "the launch server has too many files open",
            hint="raise the limit, RLIMIT_NOFILE, before the first launch",
        )


def _signal(process: int, number: bytes) -> None:
    try:
        os.kill(process, int(number))
    except (OSError, ValueError):
        return  # there is no such signal


def _answer(reply: int, data: bytes) -> None:
    try:
        message.send(reply, data)
    except (BrokenPipeError, ConnectionResetError):
        return  # nobody waits for it


def _refuse(reply: int, error: Exception) -> None:
    """Answer with what went wrong."""
    if not isinstance(error, RootgenError):
        error = LaunchError(f"the launch server: {type(error).__name__}: {error}")
    _answer(reply, pack_error(error))


def _read_all(socket: int) -> bytes:
    """Return what comes through a socket until its other end is closed, and close it."""
    parts: list[bytes] = []
    try:
        while part := message.read(socket):
            parts.append(part)
            if len(parts) > _PIECES:
                raise LaunchError("the launch is too long to be sent")
        return b"".join(parts)
    finally:
        os.close(socket)
