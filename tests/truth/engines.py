"""Container engines with everything of theirs in one directory: podman, and containerd's ctr."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from tests.tools.podman import configure_podman

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONTAINERD = """\
version = 2
root = "{place}/root"
state = "{place}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{place}/socket"
"""
_SECONDS = 60


class Engine(NamedTuple):
    """A program to ask: before its arguments, in its environment, and where all of its own is."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    place: Path

    def __call__(self, *arguments: str, given: str = "") -> str:
        """Run it with ``given`` to read; return what it printed. It must succeed."""
        done = subprocess.run(
            [*self.command, *arguments],
            input=given,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def podman() -> Iterator[Engine]:
    """Give podman with a storage of its own; with runc, as crun wants one cgroup tree.

    Where its paths are long, each run waits for 20 seconds: a socket's has at most 108 bytes.
    An ordinary user's podman runs in a user namespace that a process keeps, which is ended.
    """
    with TemporaryDirectory(prefix="p", dir="/tmp") as place:
        yield from _podman(Path(place))


def _podman(place: Path) -> Iterator[Engine]:
    (place / "auth.json").write_text("{}")
    engine = Engine(
        ("podman", "--runtime", "runc"),
        {
            **configure_podman(place, "overlay"),
            "REGISTRY_AUTH_FILE": f"{place}/auth.json",
            "XDG_RUNTIME_DIR": str(place),
            "HOME": str(place),
        },
        place,
    )
    try:
        yield engine
    finally:
        engine("system", "reset", "--force")
        engine("system", "migrate")
        end = time.monotonic() + _SECONDS
        while _mentioned(f"XDG_RUNTIME_DIR={place}\0".encode()):
            assert time.monotonic() < end, "podman's own processes go on"
            time.sleep(0.05)


def _mentioned(setting: bytes) -> bool:
    """Tell whether a process that we may look at has ``setting`` in its environment."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if setting in path.read_bytes():
                return True
    return False


@contextmanager
def containerd() -> Iterator[Engine]:
    """Give ctr, and a containerd of its own that it speaks to; for root, in a short place too."""
    with TemporaryDirectory(prefix="c", dir="/tmp") as place:
        yield from _containerd(Path(place))


def _containerd(place: Path) -> Iterator[Engine]:
    (place / "config.toml").write_text(_CONTAINERD.format(place=place))
    engine = Engine(("ctr", "--address", f"{place}/socket"), {}, place)
    with (place / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["containerd", "--config", place / "config.toml"], stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + _SECONDS
        while True:
            try:
                engine("version")
                break
            except AssertionError:
                assert time.monotonic() < end, (place / "log").read_text()
                assert daemon.poll() is None, (place / "log").read_text()
                time.sleep(0.1)
        yield engine
    finally:
        daemon.terminate()
        daemon.wait()
