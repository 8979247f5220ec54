"""The terminal outside, as the launcher has it: in our hands while we are in the foreground."""

from __future__ import annotations

import errno
import os
import select
import signal

from rootgen.sandbox.pty import load_termios

_BUFFER = 65536


class RawTerminal:
    """Our terminal passing every byte on, from ``take`` until ``with`` ends (cfmakeraw(3)).

    In the background it is somebody else's: to read it or to change its modes
    would stop us, and with us what need not touch it.
    """

    def __init__(self, descriptor: int) -> None:
        """Remember the modes that the terminal has now."""
        self._descriptor = descriptor
        self.taken = self._began = False
        self.before, self.ended_before = b"", False
        self._termios = load_termios()
        try:
            self._modes = self._termios.tcgetattr(descriptor)
        except self._termios.error as error:
            raise OSError(*error.args) from error
        self._given: list[object] | None = None

    def __enter__(self) -> RawTerminal:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Restore its modes."""
        self.restore()

    def take(self, inner: int) -> bool:
        """Make it raw, where we are in the foreground; say whether we are.

        What was typed before is ``before`` then. Where we were not from the
        beginning, the terminal ``inner`` was given the modes of somebody else
        at the terminal, a shell that reads a line: it gets those that ours has
        then, unless it was given others meanwhile.
        """
        self.before, self.ended_before = b"", False
        if not self._in_front():
            if not self._began:
                self._given = self._termios.tcgetattr(inner)
            self._began, self.taken = True, False
            return False
        self._began = True
        if not self.taken:
            self._read_modes()
            self._give_modes(inner)
            self.before, self.ended_before = self._typed_ahead()
        # Who loses the foreground now is stopped by this, and goes on from here.
        self._make_raw()
        self.taken = True
        return True

    def restore(self) -> None:
        """Give the modes back, in the background as well (a blocked SIGTTOU does not stop us)."""
        if not self.taken:
            return
        self.taken = False
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            self._set(self._modes)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            # No controlling terminal of ours, where nobody is stopped; or hung up: reading tells.
            return True

    def _read_modes(self) -> None:
        try:
            self._modes = self._termios.tcgetattr(self._descriptor)
        except self._termios.error as error:
            if error.args[0] != errno.EIO:
                raise OSError(*error.args) from error

    def _give_modes(self, inner: int) -> None:
        termios, given = self._termios, self._given
        self._given = None
        if given is None or inner < 0:
            return
        try:
            if termios.tcgetattr(inner) == given:
                termios.tcsetattr(inner, termios.TCSANOW, self._modes)
        except termios.error as error:
            # Nobody has it open any longer.
            if error.args[0] != errno.EIO:
                raise OSError(*error.args) from error

    def _typed_ahead(self) -> tuple[bytes, bool]:
        """Take the lines that were typed before, each end of file among them as its character.

        To be called before ``_make_raw``: an end of file that was typed, or
        sent by script(1) whose input has ended, would be a null byte then
        (n_tty(4), n_tty_set_termios). Says also whether there was one.
        """
        typed, ended = b"", False
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while self._modes[3] & self._termios.ICANON and poll.poll(0) == [
            (self._descriptor, select.POLLIN)
        ]:
            line = os.read(self._descriptor, _BUFFER)
            ended = ended or not line
            typed += line or self._modes[6][self._termios.VEOF]
        return typed, ended

    def _make_raw(self) -> None:
        termios = self._termios
        iflag, oflag, cflag, lflag, input_speed, output_speed, characters = self._modes
        iflag &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
            | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
        )  # fmt: skip
        oflag &= ~termios.OPOST
        lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        characters = list(characters)
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        self._set([iflag, oflag, cflag, lflag, input_speed, output_speed, characters])

    def _set(self, modes: list[object]) -> None:
        try:
            self._termios.tcsetattr(self._descriptor, self._termios.TCSADRAIN, modes)
        except self._termios.error as error:
            # Hung up: there is no terminal any longer that could have modes.
            if error.args[0] != errno.EIO:
                raise OSError(*error.args) from error
