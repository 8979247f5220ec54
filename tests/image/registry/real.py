"""Debian's docker-registry, started for a test: open, with a login, or with TLS."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "ada", "correct horse"


class Registry(NamedTuple):
    """A registry that runs: its host with port, and what it knows of requests so far."""

    host: str
    log: Path

    def requests(self, method: str) -> list[str]:
        """Return the paths that were asked for by ``method``."""
        lines = self.log.read_text().splitlines()
        wanted = [line for line in lines if f'"{method} ' in line]
        return [line.split(f'"{method} ')[1].split()[0] for line in wanted]


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def registry(place: Path, *, login: bool = False, tls: Path | None = None) -> Iterator[Registry]:
    """Run a registry whose data are in ``place``, until the end of the ``with``."""
    place.mkdir(exist_ok=True)
    port = free_port()
    http: dict[str, object] = {"addr": f"127.0.0.1:{port}", "secret": "s"}
    if tls is not None:
        http["tls"] = {"certificate": str(tls / "server.crt"), "key": str(tls / "server.key")}
    configuration: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(place / "data")}},
        "http": http,
    }
    if login:
        (place / "htpasswd").write_text(_htpasswd())
        configuration["auth"] = {"htpasswd": {"realm": "x", "path": str(place / "htpasswd")}}
    (place / "config.yml").write_text(json.dumps(configuration))
    log = place / "log"
    with open(log, "wb") as output:
        command = ["docker-registry", "serve", str(place / "config.yml")]
        child = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait(child, port, log)
        yield Registry(f"127.0.0.1:{port}", log)
    finally:
        child.kill()
        child.wait()


def make_certificates(place: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Path:
    """Make an authority of our own (``ca.crt``), and a certificate for ``names`` by it."""
    place.mkdir()
    (place / "names").write_text(f"subjectAltName={names}\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for words in (
        ("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=tests"),
        ("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1"),
        (
            *("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-out", "server.crt", "-extfile", "names", "-days", "2"),
        ),
    ):
        subprocess.run(["openssl", *words], cwd=place, check=True, capture_output=True)
    return place


def write_login(path: Path, host: str, password: str = PASSWORD) -> None:
    """Write the file that ``podman login`` writes."""
    from base64 import b64encode

    encoded = b64encode(f"{USER}:{password}".encode()).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host: {"auth": encoded}}}))


def _htpasswd() -> str:
    command = ["htpasswd", "-nbB", "-C", "4", USER, PASSWORD]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _wait(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert child.poll() is None, log.read_text()
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(os.fspath(log))
