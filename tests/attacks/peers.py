"""Other launchers of this system, as their manuals have them started; each as root.

What is needed around them on a machine with hybrid cgroups is here as well:
crun 1.8 wants them one way or the other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.attacks.launchers import NoSuchOptionError, copy_of
from tests.tools.podman import podman

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.attacks.launchers import Launcher, Request

_HIDE_UNIFIED = 'mountpoint -q /sys/fs/cgroup/unified && umount /sys/fs/cgroup/unified; exec "$@"'


class Bubblewrap:
    """bwrap, with every namespace."""

    name = "bwrap"
    program = "bwrap"

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Return the command line; bwrap has no limits."""
        _refuse(limits=bool(request.pids or request.memory))
        line = [copy_of(_path("bwrap"), request.copy), "--bind", str(tree), "/"]
        line += ["--proc", "/proc", "--dev", "/dev", "--unshare-all", "--die-with-parent"]
        line += ["--bind", *request.bind.split(":")] if request.bind else []
        line += ["--uid", request.user, "--unshare-user"] if request.user else []
        line += ["--chdir", request.workdir] if request.workdir else []
        return [*line, *command]

    def clean(self) -> None:
        """Leave nothing: there is nothing that bwrap keeps."""


class Nspawn:
    """systemd-nspawn, without machined."""

    name = "nspawn"
    program = "systemd-nspawn"

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Return the command line.

        Without systemd's help it has no limits; a user it has looked up by a
        program of the tree (getent).
        """
        _refuse(limits=bool(request.pids or request.memory), user=bool(request.user))
        (tree / "usr").mkdir(exist_ok=True)  # or it sees no operating system there
        line = [copy_of(_path("systemd-nspawn"), request.copy), "--quiet", "-D", str(tree)]
        line += ["--register=no", "--keep-unit", "--private-network", "--as-pid2"]
        line += ["--console=interactive" if request.terminal else "--console=pipe"]
        line += [f"--bind={request.bind}"] if request.bind else []
        line += [f"--chdir={request.workdir}"] if request.workdir else []
        return [*line, *command]

    def clean(self) -> None:
        """Leave nothing: its processes end with it."""


class Runtime:
    """An OCI runtime, with the configuration that its own ``spec`` writes, the root writable."""

    def __init__(self, name: str, options: Sequence[str] = (), before: Sequence[str] = ()) -> None:
        """Take its name, its options, and what has to come before it."""
        self.name = self.program = name
        self._options, self._before = list(options), list(before)
        self._bundles: list[Path] = []

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Write a bundle, and return the command line that runs it."""
        no_groups = "--cgroup-manager=disabled" in self._options
        _refuse(limits=no_groups and bool(request.pids or request.memory))
        bundle = Path(tempfile.mkdtemp(prefix="attack-bundle-"))
        (bundle / "config.json").write_text(
            json.dumps(_configured(self.name, tree, command, request))
        )
        self._bundles.append(bundle)
        program = copy_of(_path(self.name), request.copy)
        state = f"--root={bundle}/state"
        line = [program, *self._options, state, "run", "--bundle", str(bundle), bundle.name]
        return [*self._before, *line]

    def clean(self) -> None:
        """Delete what outlived its ``run``."""
        for bundle in self._bundles:
            line = [self.name, *self._options, f"--root={bundle}/state", "delete", "--force"]
            subprocess.run([*line, bundle.name], capture_output=True, check=False, timeout=60)
            shutil.rmtree(bundle)
        self._bundles = []


class Podman:
    """podman with runc, and a root file system instead of an image."""

    name = "podman"
    program = "podman"

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Return the command line."""
        line = [*_podman(), "--runtime", copy_of(_path("runc"), request.copy), "run", "--rm"]
        line += ["--network=none", "-i", *(["-t"] if request.terminal else [])]
        line += [f"--volume={request.bind}"] if request.bind else []
        line += [f"--user={request.user}"] if request.user else []
        line += [f"--workdir={request.workdir}"] if request.workdir else []
        line += [f"--pids-limit={request.pids}"] if request.pids else []
        line += [f"--memory={request.memory}"] if request.memory else []
        return [*line, "--rootfs", str(tree), *command]

    def clean(self) -> None:
        """Remove what outlived its ``run``."""
        line = [*_podman(), "rm", "--all", "--force", "--time=0"]
        subprocess.run(line, capture_output=True, check=False, timeout=60)


PEERS = (
    Bubblewrap(),
    Nspawn(),
    Runtime("runc"),
    Runtime(
        "crun",
        ["--cgroup-manager=disabled"],
        ["unshare", "-m", "--propagation", "private", "sh", "-c", _HIDE_UNIFIED, "sh"],
    ),
    Podman(),
)


def version(peer: Launcher) -> str:
    """Return the version of a peer's package, as the distribution numbers it."""
    packages = {"bwrap": "bubblewrap", "nspawn": "systemd-container"}
    line = ["dpkg-query", "--show", "--showformat=${Version}", packages.get(peer.name, peer.name)]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def _path(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found is not None, f"{program} is not installed"
    return found


def _refuse(**asked: bool) -> None:
    """Say of what is asked for that the launcher does not have it, here."""
    for name, wanted in asked.items():
        if wanted:
            raise NoSuchOptionError(name)


@cache
def _specification(runtime: str) -> str:
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([_path(runtime), "spec"], cwd=place, check=True)
        return Path(place, "config.json").read_text()


def _configured(runtime: str, tree: Path, command: Sequence[str], request: Request) -> Any:
    config = json.loads(_specification(runtime))
    config["root"] = {"path": str(tree), "readonly": False}
    process = config["process"]
    process["args"], process["terminal"] = list(command), request.terminal
    if request.workdir:
        process["cwd"] = request.workdir
    if request.user:
        process["user"] = {"uid": int(request.user), "gid": int(request.user)}
    if request.bind:
        source, target = request.bind.split(":")
        bind = {"source": source, "destination": target, "type": "none", "options": ["rbind"]}
        config["mounts"].append(bind)
    resources = config["linux"].setdefault("resources", {})
    if request.pids:
        resources["pids"] = {"limit": request.pids}
    if request.memory:
        resources["memory"] = {"limit": request.memory, "swap": request.memory}
    return config


@cache
def _podman() -> tuple[str, ...]:
    return podman(Path(tempfile.mkdtemp(prefix="attack-podman-")))
