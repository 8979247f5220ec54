"""Which cgroup hierarchies are mounted, where this process is in them, and who manages them."""

from __future__ import annotations

import os
import stat
import time

from rootgen.errors import LaunchError
from rootgen.linux.process import start_time
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.limits import Hierarchy, LimitFacts, Manager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.options import Options

# ``rootgen-PID-START-NAMESPACE-TIME``: who made it, as told apart from all that had or will have
# that id. ``maker_is_gone`` reads it.
NAME_PREFIX = "rootgen-"

_READ_LIMIT = 1 << 20
_V1_CONTROLLERS = frozenset(("memory", "cpu", "pids", "blkio"))
_SYSTEM_BUS = "/run/dbus/system_bus_socket"
_BOOTED = "/run/systemd/system"  # sd_booted(3)


def read_limit_facts(options: Options, *, privileged: bool) -> LimitFacts:
    """Read what the limits of a launch depend on; raise OSError, LaunchError."""
    return LimitFacts(
        hierarchies=read_hierarchies(),
        manager=_find_manager(privileged=privileged),
        devices={limit.device: block_device(limit.device) for limit in options.io},
        name=_name(),
    )


def read_hierarchies() -> tuple[Hierarchy, ...]:
    """Return the hierarchies that this process has a group in; raise OSError.

    Version 1 first: on a hybrid system a controller is in one or the other.
    """
    groups = _groups_of("self")
    found: list[Hierarchy] = []
    for version, controllers, point, top in _mounted():
        if version == 2:  # noqa: PLR2004 - of cgroups
            directory = _directory(point, top, groups.get("", ""))
            if directory:
                found.append(_version_2(directory, point))
            continue
        for controller in _V1_CONTROLLERS.intersection(controllers):
            directory = _directory(point, top, groups.get(controller, ""))
            if directory:
                writable = os.access(directory, os.W_OK)
                found.append(Hierarchy(1, frozenset((controller,)), directory, writable))
    return tuple(sorted(found, key=lambda one: one.version))


def version_2_group(process: int) -> str:
    """Return the directory of a process's group of version 2; raise OSError."""
    group = _groups_of(str(process)).get("", "")
    for version, _, point, top in _mounted():
        if version == 2 and (directory := _directory(point, top, group)):  # noqa: PLR2004
            return directory
    raise FileNotFoundError(2, os.strerror(2), f"the cgroup {group} beneath /sys/fs/cgroup")


def maker_is_gone(name: str) -> bool:
    """Say whether a group or unit called ``name`` is ours and its launcher is dead.

    False for what is of another PID namespace, whose processes cannot be seen from here.
    """
    fields = name.removeprefix(NAME_PREFIX).split("-")
    if not name.startswith(NAME_PREFIX) or len(fields) < len(("pid", "start", "namespace")):
        return False
    process, start, namespace = fields[:3]
    if namespace != _pid_namespace() or not (process.isascii() and process.isdigit()):
        return False
    return str(start_time(int(process), ended=True)) != start


def block_device(path: str) -> str:
    """Return the ``MAJOR:MINOR`` of the disk that ``path`` is, or that its file system is on.

    A partition stands for its disk: only whole disks can be limited. Raises LaunchError.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        from rootgen.sandbox.host_path import refuse_host_path  # only on the way to an error

        refuse_host_path("--io", path, error)
    number = found.st_rdev if stat.S_ISBLK(found.st_mode) else found.st_dev
    number = number if os.major(number) else _device_of_mount(path, number)
    name = f"{os.major(number)}:{os.minor(number)}"
    if not os.major(number) or not os.path.exists(f"/sys/dev/block/{name}"):
        raise LaunchError(
            f"--io {path}: it is on no block device",
            why=("only what a disk reads and writes can be limited (cgroup-v2.rst, io.max)",),
            hint="name the disk itself, /dev/…: lsblk lists them",
        )
    if os.path.exists(f"/sys/dev/block/{name}/partition"):
        return _read(f"/sys/dev/block/{name}/../dev").strip()
    return name


def _device_of_mount(path: str, number: int) -> int:
    """Return the device that a file system without a number of its own (btrfs) is mounted from."""
    path = os.path.realpath(path)
    points: list[tuple[int, str]] = []
    for fields, tail in _mounts():
        point = _unescape(fields[4])
        if (path + "/").startswith(point.rstrip("/") + "/"):
            points.append((len(point), _unescape(tail[1])))
    source = max(points, default=(0, ""))[1]
    try:
        found = os.stat(source)
    except OSError:
        return number
    return found.st_rdev if stat.S_ISBLK(found.st_mode) else number


def _find_manager(*, privileged: bool) -> Manager | None:
    """Return the systemd that may make groups for this caller, if there is one."""
    if privileged:
        if not os.path.isdir(_BOOTED) or not _is_socket(_SYSTEM_BUS):
            return None
        return Manager(_SYSTEM_BUS, _slice_of(_groups_of("self").get("", "")))
    for socket in _user_buses():
        if _is_socket(socket):
            return Manager(socket)
    return None


def _user_buses() -> Iterator[str]:
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    if address.startswith("unix:path="):
        yield address.removeprefix("unix:path=").partition(",")[0].partition(";")[0]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "") or f"/run/user/{os.geteuid()}"
    yield f"{runtime}/bus"


def _slice_of(group: str) -> str:
    """Return the name of the slice that a group is in: ``user-0.slice``."""
    slices = [part for part in group.split("/") if part.endswith(".slice")]
    return slices[-1] if slices else ""


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _name() -> str:
    process = os.getpid()
    parts = (process, start_time(process), _pid_namespace(), f"{time.monotonic_ns():x}")
    return NAME_PREFIX + "-".join(map(str, parts))


def _pid_namespace() -> str:
    return str(os.stat("/proc/self/ns/pid").st_ino)


def _groups_of(process: str) -> dict[str, str]:
    """Map each controller (version 2: the empty name) to a process's group in its hierarchy."""
    groups: dict[str, str] = {}
    for line in _read(f"/proc/{process}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def _mounted() -> Iterator[tuple[int, list[str], str, str]]:
    """Yield each mounted hierarchy: version, mount options, mount point, group that is its top."""
    for fields, tail in _mounts():
        if tail[0] in ("cgroup", "cgroup2"):
            version = 2 if tail[0] == "cgroup2" else 1
            yield version, tail[2].split(","), _unescape(fields[4]), _unescape(fields[3])


def _mounts() -> Iterator[tuple[list[str], list[str]]]:
    """Yield the fields of proc_pid_mountinfo(5) before and behind the dash."""
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        yield before.split(" "), after.split(" ")


def _unescape(text: str) -> str:
    """Undo what the kernel writes for blanks and backslashes: ``\\040``."""
    first, *others = text.split("\\")
    return first + "".join(chr(int(one[:3], 8)) + one[3:] for one in others)


def _directory(point: str, top: str, group: str) -> str:
    """Return where a group is beneath a mount of (part of) its hierarchy; empty if it is not."""
    inside = f"{top.rstrip('/')}/"
    if not f"{group.rstrip('/')}/".startswith(inside) or ".." in group.split("/"):
        return ""
    directory = f"{point}/{group[len(inside) - 1 :].strip('/')}".rstrip("/")
    return directory if os.path.isdir(directory) else ""


def _version_2(directory: str, point: str) -> Hierarchy:
    # Only the root group has no type (cgroup-v2.rst, "cgroup.type").
    top = not os.path.exists(f"{directory}/cgroup.type")
    own = _read(f"{directory}/cgroup.procs").split()
    return Hierarchy(
        2,
        frozenset(_read(f"{directory}/cgroup.controllers").split()),
        directory,
        writable=os.access(directory, os.W_OK) and os.access(f"{directory}/cgroup.procs", os.W_OK),
        enabled=frozenset(_read(f"{directory}/cgroup.subtree_control").split()),
        alone=top or own == [str(os.getpid())],
        top=top,
        everywhere=frozenset(_read(f"{point}/cgroup.controllers").split()),
    )


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
        return file.read(_READ_LIMIT)
