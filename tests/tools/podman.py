"""podman with a store and a configuration of its own, whatever the machine's are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# podman 4.3 asks for more descriptors and processes than who is not the host's own root may have.
_CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def configure_podman(place: Path, driver: str) -> dict[str, str]:
    """Write a configuration, all of whose files are in ``place``; return the environment for it."""
    (place / "containers.conf").write_text(_CONTAINERS_CONF)
    (place / "storage.conf").write_text(
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{place}/graph"\nrunroot = "{place}/run"\n'
    )
    files = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
    return {name: f"{place}/{file}" for name, file in files.items()}


def podman(place: Path) -> tuple[str, ...]:
    """Return the command line that begins podman, all of whose files are in ``place``."""
    settings = configure_podman(place, "vfs")
    return ("env", *(f"{name}={value}" for name, value in settings.items()), "podman")
