"""Container engines of this machine, each with a place of its own: podman, and containerd."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE = """
[storage]
driver = "vfs"
graphroot = "{place}/graph"
runroot = "{place}/run"
"""
_CONTAINERD = """
version = 2
root = "{place}/root"
state = "{place}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{place}/socket"
[ttrpc]
address = "{place}/ttrpc"
"""


@contextmanager
def podman() -> Iterator[Podman]:
    """Give a podman with storage of its own, as root or as an ordinary user."""
    # Not beneath pytest's directories: with longer paths than a socket's it waits for 20 s.
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as place:
        made = Podman(Path(place))
        yield made
        # Layers of an ordinary user's are subordinate ids': podman alone can remove them.
        made("system", "reset", "--force")


class Podman:
    """podman with all that is its own beneath ``place``."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "containers.conf").write_text(_CONTAINERS)
        (place / "storage.conf").write_text(_STORAGE.format(place=place))
        (place / "auth.json").write_text("{}")
        self.environ = {
            **os.environ,
            "HOME": str(place),
            "XDG_RUNTIME_DIR": str(place),
            "CONTAINERS_CONF": str(place / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
            "REGISTRY_AUTH_FILE": str(place / "auth.json"),
        }

    def __call__(self, *words: str, given: str = "") -> str:
        """Run podman, which must succeed; return what it printed."""
        done = subprocess.run(
            ["podman", "--runtime", "runc", *words],
            input=given,
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def containerd(place: Path) -> Iterator[Containerd]:
    """Run containerd with all that is its own beneath ``place``; needs to be root."""
    place.mkdir()
    (place / "config.toml").write_text(_CONTAINERD.format(place=place))
    with open(place / "log", "wb") as log:
        child = subprocess.Popen(
            ["containerd", "--config", str(place / "config.toml")], stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + 30
        while not (place / "socket").exists():
            assert child.poll() is None, (place / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield Containerd(str(place / "socket"))
    finally:
        child.terminate()
        child.wait(30)


class Containerd:
    """A containerd that runs."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def __call__(self, *words: str) -> str:
        """Run its client, which must succeed; return what it printed."""
        done = subprocess.run(
            ["ctr", "--address", self._socket, *words], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def digest(self, name: str) -> str:
        """Return the digest of an image."""
        (line,) = [one for one in self("image", "ls").splitlines() if one.startswith(f"{name} ")]
        return line.split()[2]


def skopeo_digest(name: str) -> str:
    """Return the digest that skopeo sees of an image at a registry without TLS."""
    command = ["skopeo", "inspect", "--tls-verify=false", f"docker://{name}"]
    done = subprocess.run(command, check=True, capture_output=True)
    found: str = json.loads(done.stdout)["Digest"]
    return found
