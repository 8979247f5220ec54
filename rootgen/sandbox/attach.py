"""The program of an uplink, started beside a launch and ended with it."""

from __future__ import annotations

import os
import select
import signal
import time

from rootgen.errors import LaunchError
from rootgen.linux.network import check_port
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.beside import end, spawn
from rootgen.sandbox.place import failure
from rootgen.sandbox.uplink import Target, slirp_request, uplink_command

if TYPE_CHECKING:
    from rootgen.sandbox.options import Port
    from rootgen.sandbox.uplink import Uplink

_PATIENCE = 10.0  # seconds until it must be up: it takes some 30 ms
_TURN = 20  # milliseconds between looks at whether it still lives
_OUTPUT_LIMIT = 4096
_NOISE = ("to syslog", "Support for seccomp is experimental", "tapfd=")
# As for the launch itself: who asks for the end while it starts gets it.
_ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT))


class Attached:
    """One running program that passes traffic on, and the directory of what it is reached by."""

    def __init__(self, uplink: Uplink, child: int, *, user_namespace: bool) -> None:
        """Attach to the network namespace of process ``child``; return when it is up.

        Raises LaunchError, and then nothing is left of it: a port of the
        host that is taken, or what the program itself says went wrong.
        """
        self._uplink = uplink
        self._process = 0
        self._said = os.memfd_create("uplink", os.MFD_CLOEXEC)
        self._directory = _make_directory()
        try:
            for port in uplink.ports:
                _check_port(port)
            if uplink.kind == "pasta":
                self._start_pasta(child, user_namespace=user_namespace)
            else:
                self._start_slirp(child, user_namespace=user_namespace)
        except BaseException:
            self.end()
            raise
        self._remove_directory()

    def end(self) -> None:
        """Kill the program, wait for its end, and leave nothing of it behind."""
        if self._process:
            end(self._process)
            self._process = 0
        if self._said >= 0:
            os.close(self._said)
            self._said = -1
        self._remove_directory()

    def _start_pasta(self, child: int, *, user_namespace: bool) -> None:
        path = f"{self._directory}/ready"
        os.mkfifo(path, 0o600)
        ready = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        network = os.open(f"/proc/{child}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            target = Target(str(child), user_namespace)
            command = uplink_command(self._uplink, target, path)
            self._process = spawn(lambda: command, (network, self._said))
            self._await(ready)
        finally:
            os.close(network)
            os.close(ready)

    def _start_slirp(self, child: int, *, user_namespace: bool) -> None:
        ready, theirs = os.pipe()
        try:
            target = Target(str(child), user_namespace)
            control = f"{self._directory}/api"
            command = uplink_command(self._uplink, target, str(theirs), control)
            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            self._process = spawn(lambda: command, (null, self._said), (theirs,))
            os.close(null)
        finally:
            os.close(theirs)
        try:
            self._await(ready)
        finally:
            os.close(ready)
        for port in self._uplink.ports:
            _ask_slirp(control, port)

    def _await(self, ready: int) -> None:
        """Wait until the program says that it is up; raise LaunchError where it ended instead."""
        poll = select.poll()
        poll.register(ready, select.POLLIN)
        until = time.monotonic() + _PATIENCE
        while True:
            said = poll.poll(_TURN)
            if said and os.read(ready, 64):
                return
            ended, _ = os.waitpid(self._process, os.WNOHANG)
            if ended:
                self._process = 0
                raise self._failure("ended at once")
            if _ENDING & signal.sigpending():
                raise LaunchError("told to end before the network was there")
            if time.monotonic() > until:
                raise self._failure(f"was not ready after {_PATIENCE:g} s")

    def _failure(self, what: str) -> LaunchError:
        text = os.pread(self._said, _OUTPUT_LIMIT, 0).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines()]
        why = tuple(line for line in lines if line and not any(word in line for word in _NOISE))
        return LaunchError(
            f"--net {self._uplink.kind}: {self._uplink.program} {what}",
            why=why,
            hint="" if why else "is there a /dev/net/tun that may be opened?",
        )

    def _remove_directory(self) -> None:
        """Remove the names by which the program could be told things: nobody needs to any more."""
        if not self._directory:
            return
        for name in os.listdir(self._directory):
            os.unlink(f"{self._directory}/{name}")
        os.rmdir(self._directory)
        self._directory = ""


def _make_directory() -> str:
    """Make a directory that is only ours, in /tmp: AppArmor lets passt write there."""
    base = "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else os.environ.get("TMPDIR", ".")  # noqa: S108
    path = f"{base}/rootgen-{os.getpid()}-{os.urandom(8).hex()}"
    try:
        os.mkdir(path, 0o700)
    except OSError as error:
        raise failure(f"make the directory {path}", error) from error
    return path


def _check_port(port: Port) -> None:
    """Raise LaunchError where the host cannot listen there: the programs are less clear on it."""
    try:
        check_port(port.address, port.host, port.protocol)
    except PermissionError as error:
        hint = "choose one above, be root, or lower sysctl net.ipv4.ip_unprivileged_port_start"
        raise failure(f"listen on port {_words(port)} of the host", error, hint) from error
    except OSError as error:
        hint = f"see who has it: ss -lp 'sport = :{port.host}'"
        raise failure(f"listen on port {_words(port)} of the host", error, hint) from error


def _words(port: Port) -> str:
    address = f"[{port.address}]:" if ":" in port.address else f"{port.address}:"
    return f"{address if port.address else ''}{port.host}/{port.protocol}"


def _ask_slirp(control: str, port: Port) -> None:
    """Have slirp4netns publish a port; raise LaunchError where it says that it did not."""
    import json

    from rootgen.linux.network import ask

    try:
        answer = json.loads(ask(control, json.dumps(slirp_request(port)).encode()))
    except (OSError, ValueError) as error:
        raise LaunchError(f"slirp4netns: cannot publish {_words(port)}: {error}") from error
    if "error" in answer:
        told = answer["error"]
        why = told.get("desc", "") if isinstance(told, dict) else str(told)
        raise LaunchError(f"slirp4netns: cannot publish port {_words(port)}", why=(str(why),))
