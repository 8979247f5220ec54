"""Act one, told: what the program sees of the machine is its own."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.explain.shell import quote
from rootgen.sandbox.uplink import Target, uplink_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import IdMap, Launch
    from rootgen.sandbox.uplink import Uplink

_UNSHARE = {
    "user": "--user",
    "mount": "--mount",
    "pid": "--pid --fork --kill-child",
    "uts": "--uts",
    "ipc": "--ipc",
    "net": "--net",
    "cgroup": "--cgroup",
    "time": "--time --boottime -$UPTIME --monotonic -$UPTIME",
}
_PURPOSES = {
    "time": "clocks of its own: the uptime starts at 0 (the time of day is the machine's)",
    "user": "ids and capabilities of its own; 0 inside is the caller outside",
    "mount": "a table of mounts of its own, which the caller does not see",
    "pid": "processes of its own, from process 1 on; they end when that ends",
    "uts": "a host name of its own",
    "ipc": "System V and POSIX message queues, semaphores and shared memory of its own",
    "net": "a network of its own: interfaces, addresses, routes, ports, abstract sockets",
    "cgroup": "the group that it is in as the root of all groups",
}
_ABSENT = {
    "net": "the caller's own, with every port and every abstract socket of it",
    "time": "the host's: as asked for, or the kernel has none, or its clocks are not ours to set",
}


def namespace_lines(launch: Launch) -> Iterator[str]:
    """Yield the lines on the namespaces, the ids of the user namespace, and the network."""
    for name in launch.namespaces:
        yield f"{name:<7} {_PURPOSES[name]}"
    for name, absent in _ABSENT.items():
        if name not in launch.namespaces:
            yield f"{name:<7} {absent}"
    yield f"$ unshare {' '.join(_UNSHARE[name] for name in launch.namespaces)} …"
    if launch.id_map is not None:
        yield from _id_map_lines(launch.id_map)
    if launch.loopback:
        yield "$ ip link set lo up"
    if launch.uplink is not None:
        yield from _uplink_lines(launch.uplink, user=launch.id_map is not None)
    yield f"$ hostname {quote(launch.hostname)}"


def _uplink_lines(uplink: Uplink, *, user: bool) -> Iterator[str]:
    yield f"{uplink.kind}, out here, passes on what the program sends, as connections of its own:"
    yield "it reaches what the caller reaches, but not the host's loopback (127.0.0.1)."
    ready = "FIFO" if uplink.kind == "pasta" else "3"
    command = uplink_command(uplink, Target("PID", user), ready, "SOCKET")
    opened = " </proc/PID/ns/net" if uplink.kind == "pasta" and not user else ""
    yield f"$ {' '.join(map(quote, command))}{opened} &"
    for port in uplink.ports:
        where = f"{port.address or 'every address'}, port {port.host}/{port.protocol}"
        yield f"published: {where} of the host leads to port {port.inside} inside"


def _id_map_lines(id_map: IdMap) -> Iterator[str]:
    for which, lines in (("uid", id_map.uids), ("gid", id_map.gids)):
        words = [" ".join(map(str, line)) for line in lines]
        if id_map.helpers is not None:
            yield f"$ new{which}map PID {' '.join(words)}"
        else:
            if which == "gid" and id_map.deny_setgroups:
                yield "$ echo deny >/proc/PID/setgroups"
            yield f"$ echo {quote(', '.join(words))} >/proc/PID/{which}_map"
