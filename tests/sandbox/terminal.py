"""A person at a terminal: a pseudo-terminal that a command line runs on."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_PATIENCE = 20.0  # seconds
_PAUSE = 2.0

# The terminal must be the controlling one, as a login shell's is.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A command on a terminal of its own; a context manager that ends it."""

    def __init__(self, command: Sequence[str], *, rows: int = 24, columns: int = 80) -> None:
        """Start ``command`` on a terminal of the given size."""
        self.master, self.slave = os.openpty()
        self.resize(rows, columns)
        self.modes = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
        )
        self.seen = b""

    def __enter__(self) -> Terminal:
        """Return the terminal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the command if it still runs, and hang up."""
        self.process.kill()
        self.process.wait()
        for descriptor in {self.master, self.slave} - {-1}:
            os.close(descriptor)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size; the kernel tells who is in front (SIGWINCH)."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def send(self, text: str) -> None:
        """Type ``text``."""
        os.write(self.master, text.encode())

    def expect(self, pattern: str) -> re.Match[bytes]:
        """Wait until ``pattern`` is on the screen, and forget all before its end."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            found = re.search(pattern.encode(), self.seen)
            if found is not None:
                self.seen = self.seen[found.end() :]
                return found
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.seen!r}"
            self._read(left)

    def press_until(self, key: str, pattern: str) -> re.Match[bytes]:
        """Type ``key`` until ``pattern`` is on the screen, as people do.

        A program that looks for signals and then waits for a key misses one
        that comes in between; less does, and is stopped by the next.
        """
        deadline = time.monotonic() + _PATIENCE
        while re.search(pattern.encode(), self.seen) is None and time.monotonic() < deadline:
            self.send(key)
            pause = time.monotonic() + _PAUSE
            while time.monotonic() < pause and re.search(pattern.encode(), self.seen) is None:
                self._read(0.1)
        return self.expect(pattern)

    def run(self, command: str, pattern: str) -> re.Match[bytes]:
        """Type a command line, and wait for its output rather than for its echo."""
        self.send(f"{command}\n")
        return self.expect(pattern)

    def wait(self) -> int:
        """Wait for the end, reading on so that nobody is stuck; return the exit status."""
        deadline = time.monotonic() + _PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running; screen: {self.seen!r}"
            self._read(0.05)
        self._read(0.05)
        return self.process.returncode

    def hang_up(self) -> None:
        """Close both ends, as when the window is closed."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def _read(self, seconds: float) -> None:
        readable, _, _ = select.select([self.master], [], [], seconds)
        if readable:
            self.seen += os.read(self.master, 65536)
