"""D-Bus as we speak it: our bytes against the specification's, and against a real dbus-daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import LaunchError
from rootgen.sandbox import dbus_wire as wire
from rootgen.sandbox.dbus import Bus, BusError
from rootgen.sandbox.dbus_wire import Message
from rootgen.sandbox.limits import Manager
from rootgen.sandbox.scope import start_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

_DBUS = "org.freedesktop.DBus"
_SYSTEMD = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_JOB = "/org/freedesktop/systemd1/job/7"


def test_bytes() -> None:
    """Hello, byte for byte as the specification lays it out."""
    hello = Message(wire.CALL, 1, path="/a", interface="a.b", member="Hello", destination="c.d")
    assert wire.pack(hello) == (
        b"l\1\0\1" + bytes(4) + b"\1\0\0\0" + b"\x3c\0\0\0"
        b"\1\1o\0\2\0\0\0/a\0\0\0\0\0\0"
        b"\2\1s\0\3\0\0\0a.b\0\0\0\0\0"
        b"\3\1s\0\5\0\0\0Hello\0\0\0"
        b"\6\1s\0\3\0\0\0c.d\0" + bytes(4)
    )  # fmt: skip


_VALUES = st.recursive(
    st.one_of(
        st.tuples(st.just("s"), st.text().filter(lambda text: "\0" not in text)),
        st.tuples(st.just("u"), st.integers(0, 2**32 - 1)),
        st.tuples(st.just("x"), st.integers(-(2**63), 2**63 - 1)),
        st.tuples(st.just("y"), st.integers(0, 255)),
        st.tuples(st.just("b"), st.booleans()),
    ),
    lambda inner: st.one_of(
        inner.map(lambda pair: ("v", pair)),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda pairs: (
                f"({''.join(kind for kind, _ in pairs)})",
                tuple(value for _, value in pairs),
            )
        ),
        st.tuples(inner, st.integers(0, 3)).map(
            lambda pair: (f"a{pair[0][0]}", [pair[0][1]] * pair[1])
        ),
    ),
    max_leaves=6,
)


@given(st.lists(_VALUES, max_size=3))
def test_round_trip(pairs: list[tuple[str, Any]]) -> None:
    """What is packed is unpacked as it was, whatever its types are."""
    signature = "".join(kind for kind, _ in pairs)
    message = Message(
        wire.SIGNAL,
        5,
        path="/p",
        interface="a.b",
        member="M",
        signature=signature,
        body=tuple(value for _, value in pairs),
    )
    data = wire.pack(message)
    assert wire.size_of(data[: wire.HEADER_SIZE]) == len(data)
    assert wire.unpack(data) == message


@given(st.binary(min_size=16, max_size=80))
def test_any_bytes(data: bytes) -> None:
    """What is no message is refused, and nothing else goes wrong."""
    for whole in (data, b"l\4\0\1" + data[4:]):
        try:
            wire.size_of(whole)
            wire.unpack(whole)
        except ValueError:
            continue


@pytest.fixture
def bus() -> Iterator[str]:
    """Start a dbus-daemon of our own; return its socket."""
    program = shutil.which("dbus-daemon")
    assert program is not None, "dbus-daemon is not installed; tests/run installs it"
    # A test's own directory may be too deep: a socket's path has 108 bytes (unix(7)).
    with tempfile.TemporaryDirectory(prefix="bus", dir="/tmp") as place:
        path = f"{place}/bus"
        Path(f"{place}/conf").write_text(
            f"<busconfig><type>session</type><listen>unix:path={path}</listen>"
            "<auth>EXTERNAL</auth><policy context='default'><allow send_destination='*'/>"
            "<allow own='*'/><allow eavesdrop='true'/></policy></busconfig>"
        )
        command = [program, f"--config-file={place}/conf", "--nofork", "--nopidfile"]
        with subprocess.Popen([*command, "--print-address"], stdout=subprocess.PIPE) as daemon:
            try:
                assert daemon.stdout is not None
                # It tells its address when it listens there.
                assert daemon.stdout.readline().startswith(b"unix:path=")
                yield path
            finally:
                daemon.terminate()
                daemon.communicate(timeout=20)


def test_real_bus(bus: str) -> None:
    """The daemon answers calls, sends what is watched, and says what it does not know."""
    with Bus(bus, 20) as ours:
        names = ours.call(_DBUS, "/", _DBUS, "ListNames")[0]
        assert _DBUS in names
        ours.watch("/org/freedesktop/DBus", _DBUS, "NameOwnerChanged")
        assert ours.call(_DBUS, "/", _DBUS, "RequestName", "su", ("org.example.Us", 0)) == (1,)
        assert ours.next_signal("NameOwnerChanged")[0] == "org.example.Us"
        with pytest.raises(BusError, match=r"org\.freedesktop\.DBus\.Error\.ServiceUnknown"):
            ours.call("org.example.Nobody", "/", "org.example", "Call")


def test_no_bus(tmp_path: Path) -> None:
    """What is no bus is an error that names it: nothing there, nothing said, not enough in time."""
    manager = Manager(str(tmp_path / "bus"))
    with pytest.raises(LaunchError, match=str(tmp_path)) as caught:
        start_scope(manager, "x.scope", [1])
    assert "No such file" in str(caught.value)
    with pytest.raises(LaunchError, match="cannot have systemd make"):
        start_scope(Manager(str(tmp_path / ("x" * 200))), "x.scope", [1])


class _Systemd(threading.Thread):
    """Answers on a bus as systemd does, as far as a scope goes; ``result`` is how its job ends."""

    def __init__(self, path: str, result: str) -> None:
        super().__init__(daemon=True)
        self.bus = Bus(path, 20)
        self.bus.call(_DBUS, "/", _DBUS, "RequestName", "su", (_SYSTEMD, 0))
        self.result = result
        self.asked: Message | None = None

    def run(self) -> None:
        with self.bus:
            while self.asked is None:
                message = self.bus._receive()
                if message.kind == wire.CALL:
                    self.asked = message
            # A job that is somebody else's ends first.
            for job, result in (("/other", "failed"), (_JOB, self.result)):
                self.bus._send(wire.pack(_removed(job, result)))
                if job == "/other":
                    self.bus._send(wire.pack(_answer(self.asked)))


def _removed(job: str, result: str) -> Message:
    return Message(
        wire.SIGNAL,
        90,
        path=_PATH,
        interface=f"{_SYSTEMD}.Manager",
        member="JobRemoved",
        signature="uoss",
        body=(7, job, "x.scope", result),
    )


def _answer(asked: Message) -> Message:
    return Message(
        wire.RETURN,
        91,
        reply_to=asked.serial,
        destination=asked.sender,
        signature="o",
        body=(_JOB,),
    )


def test_scope(bus: str) -> None:
    """One call, with what systemd needs to know; it returns when the job is done."""
    systemd = _Systemd(bus, "done")
    systemd.start()
    start_scope(Manager(bus, "user-0.slice"), "x.scope", [os.getpid(), 1])
    systemd.join(20)
    assert systemd.asked is not None
    assert (systemd.asked.member, systemd.asked.signature) == (
        "StartTransientUnit",
        "ssa(sv)a(sa(sv))",
    )
    unit, mode, properties, others = systemd.asked.body
    assert (unit, mode, others) == ("x.scope", "fail", [])
    told = dict(properties)
    assert told["PIDs"] == ("au", [os.getpid(), 1])
    assert told["Delegate"] == ("b", True)
    assert told["Slice"] == ("s", "user-0.slice")


def test_scope_that_fails(bus: str) -> None:
    """A job that does not end well is an error, and says how it ended."""
    systemd = _Systemd(bus, "timeout")
    systemd.start()
    with pytest.raises(LaunchError, match=r"x\.scope") as caught:
        start_scope(Manager(bus), "x.scope", [1])
    assert "the job ended as 'timeout'" in str(caught.value)
    systemd.join(20)
