"""The programs that launch a tree beside rootgen, each made to run where it can.

What a peer needs of this machine is found out, not assumed: cgroup v1 and
hybrid set-ups, and file limits that a container engine may not raise, are
told to it by its own configuration in a directory of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

from benchmarks.measure import Case, Outcome, clean_environment

_IMAGE = "localhost/rootgen-benchmark:latest"
# podman 4 asks for more files than a container within a container may have.
_CONTAINERS_CONF = """\
[containers]
default_ulimits=["nofile=1024:1024","nproc=1024:1024"]
[engine]
cgroup_manager="cgroupfs"
events_logger="file"
"""
_STORAGE_CONF = """\
[storage]
driver="overlay"
graphroot="{0}/graph"
runroot="{0}/run"
"""


def unshare(tree: str, command: tuple[str, ...]) -> Case:
    """Return the least that anyone calls a container: namespaces and chroot, nothing mounted."""
    flags = ["--fork", "--pid", "--mount", "--uts", "--ipc", "--net"]
    if os.geteuid() != 0:
        flags.append("--map-root-user")
    return Case("unshare … chroot", ("unshare", *flags, "chroot", tree, *command))


def bwrap(tree: str, command: tuple[str, ...]) -> Case:
    """Return bubblewrap with /proc and /dev."""
    mounts = ("--bind", tree, "/", "--proc", "/proc", "--dev", "/dev")
    return Case("bwrap", ("bwrap", "--unshare-all", *mounts, *command))


def nspawn(tree: str, command: tuple[str, ...]) -> Case:
    """Return systemd-nspawn without the machine registry."""
    flags = ("-q", "--register=no", "--keep-unit", "-D", tree)
    return Case("systemd-nspawn", ("systemd-nspawn", *flags, *command))


def oci_bundle(place: str, tree: str, command: tuple[str, ...]) -> str:
    """Write an OCI bundle over ``tree``, as ``runc spec`` has it; return its directory."""
    bundle = os.path.join(place, "bundle")
    os.makedirs(bundle, exist_ok=True)
    rootless = ["--rootless"] if os.geteuid() else []
    subprocess.run(["runc", "spec", *rootless, "--bundle", bundle], check=True)
    path = os.path.join(bundle, "config.json")
    with open(path, encoding="utf-8") as file:
        spec: dict[str, Any] = json.load(file)
    spec["root"] = {"path": tree, "readonly": False}
    spec["process"]["terminal"] = False
    spec["process"]["args"] = list(command)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file)
    return bundle


def runc(place: str, bundle: str) -> Case:
    """Return runc on the bundle."""
    state = os.path.join(place, "runc")
    return Case("runc", ("runc", "--root", state, "run", "--bundle", bundle, "rootgen-benchmark"))


def crun(place: str, bundle: str) -> Case:
    """Return crun on the bundle; where cgroups are hybrid, with the v2 half out of its sight."""
    state = os.path.join(place, "crun")
    plain = ("crun", "--root", state, "--cgroup-manager=disabled")
    run = ("run", "--bundle", bundle, "rootgen-benchmark")
    unified = "/sys/fs/cgroup/unified"
    if not os.path.ismount(unified):
        return Case("crun", (*plain, *run))
    script = f'umount {unified}; exec "$@"'
    hidden = ("unshare", "-m", "--propagation", "private", "sh", "-c", script, "-")
    return Case("crun (through sh and unshare)", (*hidden, *plain, *run))


class Podman:
    """podman with storage and configuration of its own; a context manager that cleans up."""

    def __init__(self, place: str) -> None:
        """Say where it may store."""
        self._place = os.path.join(place, "podman")
        self._settings = {
            "CONTAINERS_CONF": os.path.join(self._place, "containers.conf"),
            "CONTAINERS_STORAGE_CONF": os.path.join(self._place, "storage.conf"),
            "REGISTRY_AUTH_FILE": os.path.join(self._place, "auth.json"),
        }

    def __enter__(self) -> Podman:
        """Write the configuration."""
        os.mkdir(self._place)
        texts = (_CONTAINERS_CONF, _STORAGE_CONF.format(self._place), "{}\n")
        for path, text in zip(self._settings.values(), texts, strict=True):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return self

    def __exit__(self, *exc: object) -> None:
        """Remove its images; overlay storage leaves mounts behind otherwise."""
        if shutil.which("podman"):
            self._podman("rmi", "--all", "--force")

    def case(self, tree: str, command: tuple[str, ...]) -> Case:
        """Return ``podman run`` of an image of ``tree``."""
        archive = os.path.join(self._place, "tree.tar")
        subprocess.run(["tar", "-C", tree, "-cf", archive, "."], check=True)
        self._podman("import", archive, _IMAGE)
        runtime = ("--runtime", "runc") if shutil.which("runc") else ()
        flags = ("--rm", "--network", "none", "--pull", "never")
        whole = ("podman", *runtime, "run", *flags, _IMAGE, *command)
        return Case("podman", whole, environment={**clean_environment(), **self._settings})

    def _podman(self, *arguments: str) -> None:
        subprocess.run(
            ["podman", *arguments],
            check=False,
            capture_output=True,
            env={**os.environ, **self._settings},
        )


def absent(names: tuple[str, ...]) -> list[Outcome]:
    """Return an outcome for each peer that is not installed: said, not hidden."""
    return [Outcome(name, (), "not installed") for name in names if shutil.which(name) is None]
