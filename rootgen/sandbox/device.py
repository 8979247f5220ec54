"""``--device``: device nodes of the host, found before a launch is computed."""

from __future__ import annotations

import os

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.launch import DeviceNode
from rootgen.sandbox.mounts import is_own_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.sandbox.options import Device

_FORMAT, _DIRECTORY, _BLOCK, _CHARACTER = 0o170000, 0o040000, 0o060000, 0o020000
_NODEV = 4  # ST_NODEV, statvfs(3)
_NODES_LIMIT = 1000


def read_devices(devices: Iterable[Device]) -> tuple[DeviceNode, ...]:
    """Return every device node that was asked for; of a directory all that are in it.

    But for those whose place inside has something of the launch's own already. Raises LaunchError
    where there is none, or where the host's own mount forbids its use.
    """
    return tuple(node for device in devices for node in _nodes(device))


def _nodes(device: Device) -> Iterator[DeviceNode]:
    try:
        facts = os.stat(device.source)
    except OSError as error:
        from rootgen.sandbox.host_path import refuse_host_path  # only on the way to an error

        refuse_host_path("--device", device.source, error)
    if facts.st_mode & _FORMAT != _DIRECTORY:
        node = _node(device.source, device.target, facts)
        if node is None:
            raise LaunchError(
                f"--device {device.source}: it is no device",
                hint=f"--bind {device.source}:{device.target} shows any file",
            )
        yield node
        return
    there = sorted(_within(device.source, device.target))
    if not there:
        raise LaunchError(f"--device {device.source}: there is no device in this directory")
    found = [node for node in there if not is_own_device(node.target)]
    if not found:
        raise LaunchError(
            f"--device {device.source}: {device.target} inside is the launch's own",
            hint=f"show it elsewhere: --device {device.source}:/dev/host",
        )
    if len(found) > _NODES_LIMIT:
        raise LaunchError(f"--device {device.source}: over {_NODES_LIMIT} devices are in it")
    yield from found


def _within(source: str, target: str) -> Iterator[DeviceNode]:
    """Yield the device nodes in a directory, through no link, as far as it can be read."""
    for directory, _, names in os.walk(source):
        for name in names:
            path = f"{directory}/{name}"
            node = _node(path, target + path.removeprefix(source), os.lstat(path))
            if node is not None:
                yield node


def _node(source: str, target: str, facts: os.stat_result) -> DeviceNode | None:
    kind = facts.st_mode & _FORMAT
    if kind not in (_BLOCK, _CHARACTER):
        return None
    if os.statvfs(source).f_flag & _NODEV:
        raise LaunchError(
            f"--device {source}: it is on a file system that is mounted nodev, where no device "
            "can be opened",
            hint="the host's own are in /dev",
        )
    major, minor = os.major(facts.st_rdev), os.minor(facts.st_rdev)
    return DeviceNode(source, target, major, minor, block=kind == _BLOCK)
