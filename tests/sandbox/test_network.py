"""Networks of a launch's own with a way out, with the real pasta and the real slirp4netns."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rootgen
from tests.sandbox.tree import command_line, launch, output, shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KINDS = ("pasta", "slirp4netns")
both = pytest.mark.parametrize("kind", KINDS)

# A host of the test's own: one address besides loopback, a nameserver on loopback, servers.
_HOST = r"""
set -e
ip link set lo up
ip tuntap add mode tap name uplink0
ip address add 198.51.100.7/24 dev uplink0
ip link set uplink0 up
ip route add default via 198.51.100.1
echo 'nameserver 127.0.0.1' >"$1/resolv.conf"
mount --bind "$1/resolv.conf" /etc/resolv.conf
"$2" "$1/servers.py" &
servers=$!
while [ ! -e "$1/ready" ]; do sleep 0.02; done
shift 2
status=0
"$@" || status=$?
kill $servers
exit $status
"""
_SERVERS = r"""
import socket, struct, sys, threading
def listen(address, port, answer):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen()
    def serve():
        while True:
            connection, _ = server.accept()
            connection.sendall(answer)
            connection.close()
    threading.Thread(target=serve, daemon=True).start()
listen("198.51.100.7", 7001, b"outer\n")
listen("127.0.0.1", 7002, b"loopback\n")
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0rootgen-test-abstract")
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("127.0.0.1", 53))
open(sys.argv[0].replace("servers.py", "ready"), "w").close()
while True:
    query, sender = names.recvfrom(600)
    question = query[12 : query.index(b"\0", 12) + 5]
    address = question[-3:-2] == b"\x01"
    answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x33\x64\x07" if address else b""
    counts = struct.pack(">HHHH", 1, int(address), 0, 0)
    names.sendto(query[:2] + b"\x81\x80" + counts + question + answer, sender)
"""


def _on_a_host(
    tmp_path: Path, command: Sequence[str], *, ordinary: bool
) -> subprocess.CompletedProcess[bytes]:
    """Run a command on a host of its own, as its root or as a user with one id."""
    (tmp_path / "servers.py").write_text(_SERVERS)
    (tmp_path / "host.sh").write_text(_HOST)
    flags = ["--mount", "--net"] if os.geteuid() == 0 else ["--map-root-user", "--mount", "--net"]
    become = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if ordinary else []
    return subprocess.run(
        ["unshare", *flags, "bash", str(tmp_path / "host.sh"), str(tmp_path), sys.executable,
         *become, *command],
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("ordinary", [False, True])
@both
def test_reach(tree: Path, tmp_path: Path, kind: str, ordinary: bool) -> None:
    """Out there, names too; not the host's loopback, by no address, nor its abstract sockets."""
    # Read with bash: nc ends its side at once, which pasta before 2023_05 may wait for ever over.
    script = """
        ask() { busybox timeout "$1" bash -c "head -n 1 </dev/tcp/$2/$3"; }
        ask 5 198.51.100.7 7001
        for address in 127.0.0.1 10.0.2.2 10.0.2.3 10.0.2.100; do
            ask 1 $address 7002
        done
        ask 9 example.test 7001
        grep -c rootgen-test-abstract /proc/net/unix
        ls /sys/class/net
    """
    command = command_line(tree, "bash", "-c", script, options=["--net", kind])
    # Where the caller's ids are not the tree's owner's, the tree is read by everyone.
    subprocess.run(["chmod", "-R", "a+rX", str(tree)], check=True)
    (tree / "etc/resolv.conf").write_text("nameserver 192.0.2.99\n")
    done = _on_a_host(tmp_path, command, ordinary=ordinary)
    name = {"pasta": "eth0", "slirp4netns": "tap0"}[kind]
    told = done.stdout.decode().split()
    assert told[:3] == ["outer", "outer", "0"], done.stderr
    assert set(told[3:]) == {name, "lo"}
    assert (tree / "etc/resolv.conf").read_text() == "nameserver 192.0.2.99\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ask(port: int, seconds: float = 10) -> bytes:
    """Return what a server says first; it may not be there yet, or only its forwarder."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                if said := connection.recv(100):
                    return said
        except OSError:
            time.sleep(0.02)
            continue
        time.sleep(0.02)
    return b""


_SERVE = "while :; do nc -l -p 80 -e /bin/hello; done"


def _serving_tree(tree: Path) -> Path:
    (tree / "bin/hello").write_text("#!/bin/sh\necho hello\n")
    (tree / "bin/hello").chmod(0o755)
    return tree


@contextmanager
def _launched(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@both
def test_published(tree: Path, kind: str) -> None:
    """A server inside is reached by the port of the host that was asked for."""
    port = _free_port()
    options = ["--net", kind, "--publish", f"127.0.0.1:{port}:80"]
    with _launched(command_line(_serving_tree(tree), "sh", "-c", _SERVE, options=options)):
        assert _ask(port) == b"hello\n"


@both
def test_published_udp(kind: str) -> None:
    """So is one that takes datagrams; here the tree is the host's own root.

    Answers to the host's loopback come back with neither program (nor with podman).
    """
    script = "import socket\ns = socket.socket(2, 2)\ns.bind(('', 80))\nprint(s.recv(9))"
    port = _free_port()
    options = ["--net", kind, "-p", f"127.0.0.1:{port}:80/udp"]
    with (
        _launched(command_line(Path("/"), "/usr/bin/python3", "-c", script, options=options)) as it,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        for _ in range(100):
            client.sendto(b"ping", ("127.0.0.1", port))
            time.sleep(0.05)
            if it.poll() is not None:
                break
        assert it.stdout is not None
        assert it.stdout.read() == b"b'ping'\n"


def _helpers(mark: str) -> list[int]:
    """Return the processes whose command line has ``mark``, besides rootgen's own."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]).decode() in KINDS and mark.encode() in b" ".join(words):
            found.append(int(name))
    return found


def _gone(mark: str) -> bool:
    for _ in range(250):
        if not _helpers(mark):
            return True
        time.sleep(0.02)
    return False


@both
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ends_with_the_launch(tree: Path, kind: str, number: int) -> None:
    """However the launcher ends, what passed the traffic on ends too, and its port is free."""
    port = _free_port()
    options = ["--net", kind, "-p", f"127.0.0.1:{port}:80"]
    with _launched(command_line(_serving_tree(tree), "sh", "-c", _SERVE, options=options)) as it:
        assert _ask(port) == b"hello\n"
        before = {name for name in os.listdir("/tmp") if name.startswith(f"rootgen-{it.pid}-")}
        assert not before
        mark = str(port) if kind == "pasta" else f"rootgen-{it.pid}-"
        assert len(_helpers(mark)) == 1
        it.send_signal(number)
        it.wait(20)
        assert _gone(mark)
    _bind_soon(port)


def _bind_soon(port: int) -> None:
    """Bind a port whose holder is about to be gone: its descriptors go after its memory."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                time.sleep(0.02)
                continue
        return
    pytest.fail(f"port {port} is still taken")


@both
def test_ends_where_nothing_was_started(tree: Path, kind: str) -> None:
    """Neither a process nor a directory is left where the program is not there."""
    port = _free_port()
    options = ["--net", kind, "-p", f"{port}:80"]
    with _launched(command_line(tree, "absent", options=options)) as it:
        assert it.wait(20) == 127
        assert _gone(str(port) if kind == "pasta" else f"rootgen-{it.pid}-")
        assert not [one for one in os.listdir("/tmp") if one.startswith(f"rootgen-{it.pid}-")]


@both
def test_from_python(tree: Path, kind: str) -> None:
    """So it is from Python: a port, the program's output, and nothing left when it has ended."""
    port = _free_port()
    publish = (rootgen.Port("127.0.0.1", port, 80),)
    with rootgen.launch(
        _serving_tree(tree),
        ["sh", "-c", _SERVE],
        options=rootgen.Options(network=kind, publish=publish),
    ) as it:
        assert _ask(port) == b"hello\n"
        it.kill()
    _bind_soon(port)
    done = rootgen.run(tree, ["ls", "/sys/class/net"], options=rootgen.Options(network=kind))
    assert len(done.stdout.split()) == 2, done.stderr


@both
def test_taken_port(tree: Path, kind: str) -> None:
    """A port that somebody has is told before the program is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        options = ["--net", kind, "-p", f"127.0.0.1:{port}:80"]
        done = launch(tree, "touch", "/var/started", options=options)
    assert done.returncode == 125
    assert f"port 127.0.0.1:{port}/tcp of the host: Address already in use".encode() in done.stderr
    assert b"hint: see who has it" in done.stderr
    assert not (tree / "var/started").exists()


@both
def test_status_and_output(tree: Path, kind: str) -> None:
    """The program's status and streams are what they are without a network."""
    done = launch(tree, "sh", "-c", "cat; exit 7", options=["--net", kind], stdin=b"\0\xff")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"\0\xff", b"")


def test_usage(tree: Path) -> None:
    """Nothing to publish with is wrong usage."""
    done = launch(tree, "true", options=["-p", "8080:80"])
    assert done.returncode == 2
    assert b"--net pasta" in done.stderr
    done = launch(tree, "true", options=["--net", "pasta", "-p", "80"])
    assert done.returncode == 2
    assert b"[IP:]HOSTPORT:PORT" in done.stderr


@both
def test_not_told_to_the_program(tree: Path, kind: str) -> None:
    """The program sees no process and no descriptor of what passes its traffic on."""
    options = ["--net", kind]
    assert (
        output(tree, "sh", "-c", "ps -o comm | grep -c -E 'pasta|slirp' || :", options=options)
        == "0"
    )
    listed = shell(tree, "ls /proc/self/fd", options)
    assert listed.split() == ["0", "1", "2", "3"]  # 3 is the listing's own


def test_resolver_of_the_host(tree: Path) -> None:
    """With the host's network, the host's resolv.conf holds, read-only, where the tree has none."""
    with open("/etc/resolv.conf", encoding="utf-8") as file:
        expected = file.read().strip()
    assert output(tree, "cat", "/etc/resolv.conf", options=["--net", "host"]) == expected
    done = launch(tree, "touch", "/etc/resolv.conf", options=["--net", "host"])
    assert b"Read-only file system" in done.stderr


def test_resolver_behind_a_link(tree: Path, tmp_path: Path) -> None:
    """A link for resolv.conf is followed within the tree: the host's file is not touched."""
    (tmp_path / "outside").write_text("host's\n")
    (tree / "etc/resolv.conf").symlink_to("/run/resolv.conf")
    (tree / "run/resolv.conf").write_text("tree's\n")
    options = ["--net", "pasta"]
    told = output(tree, "cat", "/etc/resolv.conf", "/run/resolv.conf", options=options)
    assert told.count("nameserver 10.0.2.3") == 2
    (tree / "etc/resolv.conf").unlink()
    (tree / "etc/resolv.conf").symlink_to(tmp_path / "outside")
    assert "nameserver 10.0.2.3" in output(tree, "cat", "/etc/resolv.conf", options=options)
    assert (tmp_path / "outside").read_text() == "host's\n"
