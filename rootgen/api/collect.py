"""A program's standard streams as bytes: its input written, its output read, side by side.

Neither side ever waits for the other alone, so that none is stuck when a
pipe is full; and no more is kept than was asked for.
"""

from __future__ import annotations

import os
import select

OUTPUT_LIMIT = 16 << 20

_CHUNK = 65536


class Exchange:
    """Three pipes: one end of each is the program's, the other ours."""

    def __init__(self, given: bytes, limit: int) -> None:
        """Take what the program is to read, and how much of each output is kept."""
        self.truncated = False
        self._limit = limit
        self._left = memoryview(given)
        self._to_program = -1
        self._kept: dict[int, list[bytes]] = {}
        self._room: dict[int, int] = {}
        self._order: list[int] = []
        self.stdin: int | None = None
        if given:
            self.stdin, self._to_program = os.pipe()
            os.set_blocking(self._to_program, False)
        self.stdout = self._open_output()
        self.stderr = self._open_output()

    def _open_output(self) -> int:
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        self._kept[ours] = []
        self._room[ours] = self._limit
        self._order.append(ours)
        return theirs

    def started(self) -> None:
        """Close the program's ends: it has copies of its own by now, or never will."""
        for descriptor in (self.stdin, self.stdout, self.stderr):
            if descriptor is not None:
                os.close(descriptor)
        self.stdin, self.stdout, self.stderr = None, -1, -1

    def run(self, ended: int) -> None:
        """Write and read until both outputs are closed, or ``ended`` is readable.

        Then the program is gone: what it wrote is in the pipes, and whoever
        still has one of them open (it was handed out of the sandbox) is not
        waited for.
        """
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        for descriptor in self._room:
            poll.register(descriptor, select.POLLIN)
        if self._to_program >= 0:
            poll.register(self._to_program, select.POLLOUT)
        while self._room:
            ready = [descriptor for descriptor, _ in poll.poll()]
            for descriptor in ready:
                if descriptor in self._room and not self._read(descriptor):
                    poll.unregister(descriptor)
                    del self._room[descriptor]
                elif descriptor == self._to_program and not self._write():
                    poll.unregister(descriptor)
                    self._close_input()
            if ended in ready:
                for descriptor in self._room:
                    self._drain(descriptor)
                return

    def outputs(self) -> tuple[bytes, bytes]:
        """Return what was kept of standard output and standard error."""
        out, error = (b"".join(self._kept[descriptor]) for descriptor in self._order)
        return out, error

    def close(self) -> None:
        """Close all that is still open."""
        self._close_input()
        for descriptor in self._order:
            os.close(descriptor)

    def _close_input(self) -> None:
        # Forgotten before it is closed: an interrupt between the two must not close it twice.
        to_program, self._to_program = self._to_program, -1
        if to_program >= 0:
            os.close(to_program)

    def _write(self) -> bool:
        """Write some of the input; return whether there is more to write."""
        try:
            written = os.write(self._to_program, self._left[:_CHUNK])
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it reads no more: its right
            return False
        self._left = self._left[written:]
        return bool(self._left)

    def _read(self, descriptor: int) -> bool:
        """Read some of an output, and keep what there is room for; return false at its end."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        kept = data[: self._room[descriptor]]
        if kept:
            self._kept[descriptor].append(kept)
            self._room[descriptor] -= len(kept)
        self.truncated = self.truncated or len(kept) < len(data)
        return True

    def _drain(self, descriptor: int) -> None:
        """Read what is in a pipe by now."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while poll.poll(0):
            if not self._read(descriptor):
                return
