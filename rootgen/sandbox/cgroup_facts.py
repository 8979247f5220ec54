"""Which cgroup hierarchies are mounted, and where this process is in them (cgroups(7))."""

from __future__ import annotations

import os

from rootgen.sandbox.limits import Hierarchy

_READ_LIMIT = 1 << 20
_V1_CONTROLLERS = frozenset(("memory", "cpu", "pids"))


def read_hierarchies() -> tuple[Hierarchy, ...]:
    """Return the hierarchies that this process has a group in; raise OSError.

    Version 1 first: on a hybrid system a controller is in one or the other.
    """
    groups = _own_groups(_read("/proc/self/cgroup"))
    found: list[Hierarchy] = []
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        if not tail[0].startswith("cgroup"):
            continue
        top, point = fields[3], fields[4]
        if tail[0] == "cgroup2":
            directory = _directory(point, top, groups.get("", ""))
            if directory:
                found.append(_version_2(directory))
            continue
        controllers = _V1_CONTROLLERS.intersection(tail[2].split(","))
        for controller in controllers:
            directory = _directory(point, top, groups.get(controller, ""))
            if directory:
                writable = os.access(directory, os.W_OK)
                found.append(Hierarchy(1, frozenset((controller,)), directory, writable))
    return tuple(sorted(found, key=lambda one: one.version))


def _own_groups(text: str) -> dict[str, str]:
    """Map each controller (version 2: the empty name) to this process's group in its hierarchy."""
    groups: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def _directory(point: str, top: str, group: str) -> str:
    """Return where a group is beneath a mount of (part of) its hierarchy; empty if it is not."""
    if not group.startswith(top) or ".." in group.split("/"):
        return ""
    directory = f"{point}/{group[len(top) :].strip('/')}".rstrip("/")
    return directory if os.path.isdir(directory) else ""


def _version_2(directory: str) -> Hierarchy:
    available = frozenset(_read(f"{directory}/cgroup.controllers").split())
    enabled = frozenset(_read(f"{directory}/cgroup.subtree_control").split())
    # Only the root group has no type (cgroup-v2.rst, "cgroup.type").
    top = not os.path.exists(f"{directory}/cgroup.type")
    alone = top or _read(f"{directory}/cgroup.procs").split() == [str(os.getpid())]
    writable = os.access(directory, os.W_OK) and os.access(f"{directory}/cgroup.procs", os.W_OK)
    return Hierarchy(2, available, directory, writable, enabled, alone, top)


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
        return file.read(_READ_LIMIT)
