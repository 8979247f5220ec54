"""A connection to a D-Bus: as much of the protocol as one method call and a signal need.

Source: D-Bus Specification, "Authentication Protocol", "Message Bus". For
libdbus, sd-bus or busctl(1) this would need a package more, for 150 lines.
"""

from __future__ import annotations

import os
import select
import time

from rootgen.linux.stream import connect
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox import dbus_wire as wire
from rootgen.sandbox.dbus_wire import Message

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_BUS = "org.freedesktop.DBus"
_CHUNK = 65536
_LINE_LIMIT = 4096


class BusError(Exception):
    """The bus, or who was called on it, said no; or nothing in time."""


class Bus:
    """A connection to the bus at a Unix socket; a context manager that closes it.

    Every wait ends ``patience`` seconds after the connection was made. What
    fails raises BusError or OSError.
    """

    def __init__(self, path: str, patience: float) -> None:
        """Connect, say who we are, and get a name."""
        self._deadline = time.monotonic() + patience
        self._serial = 0
        self._received = b""
        self._signals: list[Message] = []
        self._descriptor = connect(path)
        try:
            self._authenticate()
            self.call(_BUS, "/org/freedesktop/DBus", _BUS, "Hello")
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Bus:
        """Return the connection."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        os.close(self._descriptor)

    def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: tuple[Any, ...] = (),
    ) -> tuple[Any, ...]:
        """Call a method and return what it returns; signals that come meanwhile are kept."""
        self._serial += 1
        called = Message(
            wire.CALL,
            self._serial,
            path=path,
            interface=interface,
            member=member,
            destination=destination,
            signature=signature,
            body=body,
        )
        self._send(wire.pack(called))
        while True:
            message = self._receive()
            if message.kind == wire.SIGNAL:
                self._signals.append(message)
            elif message.reply_to == self._serial:
                if message.kind == wire.ERROR:
                    text = message.body[0] if message.body else ""
                    raise BusError(f"{message.error}: {text}")
                return message.body

    def watch(self, path: str, interface: str, member: str) -> None:
        """Have the bus pass on a signal."""
        rule = f"type='signal',path='{path}',interface='{interface}',member='{member}'"
        self.call(_BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", "s", (rule,))

    def next_signal(self, member: str) -> tuple[Any, ...]:
        """Return the body of the next signal ``member``; others are dropped."""
        while True:
            message = self._signals.pop(0) if self._signals else self._receive()
            if message.kind == wire.SIGNAL and message.member == member:
                return message.body

    def _authenticate(self) -> None:
        # EXTERNAL: the kernel tells the bus who we are; the id, in hexadecimal, must agree.
        uid = str(os.geteuid()).encode().hex()
        self._send(f"\0AUTH EXTERNAL {uid}\r\n".encode())
        while b"\r\n" not in self._received:
            if len(self._received) > _LINE_LIMIT:
                raise BusError("it does not speak D-Bus")
            self._receive_more()
        line, _, self._received = self._received.partition(b"\r\n")
        if not line.startswith(b"OK "):
            said = line.decode("ascii", "replace")
            raise BusError(f"it does not know user {os.geteuid()}: {said}")
        self._send(b"BEGIN\r\n")

    def _receive(self) -> Message:
        try:
            self._fill(wire.HEADER_SIZE)
            size = wire.size_of(self._received)
            self._fill(size)
            data, self._received = self._received[:size], self._received[size:]
            return wire.unpack(data)
        except ValueError as error:
            raise BusError(f"what it sent is no D-Bus message: {error}") from error

    def _fill(self, size: int) -> None:
        while len(self._received) < size:
            self._receive_more()

    def _receive_more(self) -> None:
        self._wait(select.POLLIN)
        data = os.read(self._descriptor, _CHUNK)
        if not data:
            raise BusError("it closed the connection")
        self._received += data

    def _send(self, data: bytes) -> None:
        while data:
            self._wait(select.POLLOUT)
            data = data[os.write(self._descriptor, data) :]

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._descriptor, event)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise BusError("it did not answer in time")
