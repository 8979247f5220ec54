"""Between the terminal outside and the one inside: bytes, modes, size, suspension, hang-up."""

from __future__ import annotations

import errno
import os
import select
import signal
import time

from rootgen.linux.process import read_signal
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.pty import copy_size, load_termios
from rootgen.sandbox.raw_terminal import RawTerminal
from rootgen.sandbox.signals import status_of

if TYPE_CHECKING:
    from rootgen.sandbox.deadline import Deadline

_BUFFER = 65536
_INPUT, _OUTPUT = 0, 1
# A terminal that can be written to takes so much without having us wait (tty_buffer.c: the least
# that a pseudo-terminal allocates; n_tty.c, WAKEUP_CHARS: what another must have sent before).
_SURE = 256
# Nobody inside has the terminal open: somebody may open it again.
_RETRY = 0.1
# A shell that waits for its next command has said nothing for so long.
_QUIET = 0.05
# After a hang-up those inside may clean up for so long.
_GRACE = 1.0
_HUNG_UP = 128 + signal.SIGHUP
# The last output of who was told to end waits so long for somebody to take it, and any of it.
_LAST_WORDS = 1.0
_ENDING = frozenset((signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP))
# Who has us in the background need not tell us when we are brought to the front: bash does not.
_LOOK = 0.1


class Relay:
    """One relayed terminal, and the child (process 1 inside) whose end it waits for."""

    def __init__(self, inner: int, child: int, signals: int, deadline: Deadline) -> None:
        """Take the outer end of the inner terminal, and a descriptor of the caught signals."""
        self._inner = inner
        self._child = child
        self._signals = signals
        self._time = deadline
        self._screen, self._own_screen = _open_screen()
        self._to_inner = b""
        self._to_screen = b""
        self._owes_end = False
        self._quiet_at: float | None = None
        self._status: int | None = None
        self._retry_at = 0.0
        self._deadline: float | None = None
        self._told_to_end = False
        self._drop_at: float | None = None
        self._look_at: float | None = None

    def run(self) -> int:
        """Relay until the child has ended and all its output is out; return its exit status."""
        os.set_blocking(self._inner, False)
        with RawTerminal(_INPUT) as terminal:
            self._take(terminal)
            try:
                while not self._done():
                    self._turn(terminal)
            finally:
                if self._own_screen:
                    os.close(self._screen)
        return _HUNG_UP if self._deadline is not None else self._status or 0

    def _done(self) -> bool:
        if self._status is None:
            return False
        hung_up = self._deadline is not None
        return hung_up or (self._inner < 0 and not self._to_screen)

    def _take(self, terminal: RawTerminal) -> None:
        """Have what is typed from here on, where we are in the foreground; else look again."""
        self._look_at = None
        if self._status is None:
            if terminal.take(self._inner):
                self._to_inner += terminal.before
                self._owes_end = self._owes_end or terminal.ended_before
            else:
                self._look_at = time.monotonic() + _LOOK
        self._resize()

    def _turn(self, terminal: RawTerminal) -> None:
        if self._look_at is not None and time.monotonic() >= self._look_at:
            self._take(terminal)
        if self._quiet_at is not None and time.monotonic() >= self._quiet_at:
            self._repeat_end()
        patience = self._patience()
        if self._done():
            return
        for descriptor, _ in self._awaited(terminal).poll(patience):
            if descriptor == self._signals:
                self._read_signals(terminal)
            elif descriptor == _INPUT:
                self._read_input()
            elif descriptor == self._screen:
                self._write_screen()
            elif descriptor == self._inner:
                self._serve_inner()

    def _awaited(self, terminal: RawTerminal) -> select.poll:
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        events = 0
        if self._inner >= 0 and time.monotonic() >= self._retry_at:
            events |= select.POLLIN if len(self._to_screen) < _BUFFER else 0
            events |= select.POLLOUT if self._to_inner else 0
            # With none it would tell of its end all the time, to nobody.
            if events:
                poll.register(self._inner, events)
        going_on = self._inner >= 0 and self._status is None
        if terminal.taken and going_on and len(self._to_inner) < _BUFFER:
            poll.register(_INPUT, select.POLLIN)
        if self._to_screen:
            poll.register(self._screen, select.POLLOUT)
        return poll

    def _patience(self) -> float | None:
        """Return for how many milliseconds nothing needs to be done; None for ever."""
        now = time.monotonic()
        if self._status is None:
            for number in self._time.due(now):
                os.kill(self._child, number)
                self._told_to_end = True
        elif self._told_to_end:
            self._await_last_words(now)
        if self._deadline is not None and now >= self._deadline:
            os.kill(self._child, signal.SIGKILL)
            self._deadline = now + _GRACE
        moments = (self._deadline, self._retry_at, self._quiet_at, self._drop_at, self._look_at)
        waits = [at - now for at in moments if at is not None and at > now]
        patience = self._time.patience(now)
        if patience is not None and self._status is None:
            waits.append(patience)
        # Rounded up: poll(2) counts whole milliseconds, and none would be a busy wait.
        return min(waits) * 1000 + 1 if waits else None

    def _await_last_words(self, now: float) -> None:
        """Drop what was printed before the end that was asked for, where nobody takes any of it."""
        if self._drop_at is None:
            self._drop_at = now + _LAST_WORDS
        elif now >= self._drop_at:
            self._drop_output()

    def _drop_output(self) -> None:
        self._close_inner()
        self._to_screen = b""

    def _read_signals(self, terminal: RawTerminal) -> None:
        while (number := read_signal(self._signals)) is not None:
            if number == signal.SIGCHLD:
                # It may also be of what runs beside the launch, and later than the launch's own.
                if self._status is None:
                    self._reap()
            elif number == signal.SIGWINCH:
                self._resize()
            elif number == signal.SIGTSTP:
                terminal.restore()
                os.kill(os.getpid(), signal.SIGSTOP)
            elif number == signal.SIGCONT:
                self._take(terminal)
            elif self._status is None:
                os.kill(self._child, number)
                self._told_to_end = self._told_to_end or number in _ENDING
            else:
                self._drop_output()  # who waits for the last output to be shown waits no longer

    def _reap(self) -> None:
        child, status = os.waitpid(self._child, os.WNOHANG)
        if child:
            self._status = status_of(status)
            # What is still on its way through the terminal is read to its end.
            self._retry_at = 0.0

    def _resize(self) -> None:
        if self._inner < 0:
            return
        try:
            copy_size(_INPUT, self._inner)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._hang_up()  # whose SIGCONT it was

    def _read_input(self) -> None:
        try:
            data = os.read(_INPUT, _BUFFER)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        self._to_inner += data
        self._owes_end = False
        if not data:
            self._hang_up()

    def _hang_up(self) -> None:
        """Our terminal is gone: so is the one inside, and soon everyone who was on it."""
        self._close_inner()
        self._to_inner = self._to_screen = b""
        if self._status is None:
            self._deadline = time.monotonic() + _GRACE
            os.kill(self._child, signal.SIGHUP)

    def _serve_inner(self) -> None:
        if self._to_inner:
            try:
                written = os.write(self._inner, self._to_inner)
                self._to_inner = self._to_inner[written:]
            except BlockingIOError:
                written = 0
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self._to_inner = b""
        if len(self._to_screen) >= _BUFFER:
            return
        if self._owes_end:
            self._quiet_at = time.monotonic() + _QUIET
        try:
            self._to_screen += os.read(self._inner, _BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._nobody_inside()

    def _repeat_end(self) -> None:
        """Type an end of file once more, where the one before was lost.

        Whoever has changed the inner terminal from lines to characters since
        has made a null byte of it, as it would have been of ours. A shell
        goes to and fro with each command that it runs, and would lose the
        second as it lost the first: hence once it says nothing any more.
        """
        self._quiet_at = None
        if not self._owes_end or self._inner < 0:
            return
        termios = load_termios()
        modes = termios.tcgetattr(self._inner)
        if not modes[3] & termios.ICANON:
            self._to_inner += modes[6][termios.VEOF]
            self._owes_end = False

    def _nobody_inside(self) -> None:
        """No process has the inner terminal open (EIO): at the end that is all there was."""
        if self._status is None:
            self._retry_at = time.monotonic() + _RETRY
        else:
            self._close_inner()

    def _close_inner(self) -> None:
        if self._inner >= 0:
            os.close(self._inner)
            self._inner = -1

    def _write_screen(self) -> None:
        try:
            data = self._to_screen if self._own_screen else self._to_screen[:_SURE]
            written = os.write(self._screen, data)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._hang_up()
            return
        self._to_screen = self._to_screen[written:]
        self._drop_at = None


def _open_screen() -> tuple[int, bool]:
    """Open our own description of standard output's terminal, one that never blocks.

    To set the shared one non-blocking would change it for the caller as
    well. Where it may not be opened again (after su) the shared one must do,
    a little at a time.
    """
    try:
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{_OUTPUT}", flags), True
    except OSError:
        return _OUTPUT, False
