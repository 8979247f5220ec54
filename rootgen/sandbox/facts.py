"""What the machine and the tree say, read before a Launch is computed."""

from __future__ import annotations

import os
import sys

from rootgen.errors import LaunchError, raise_foreign
from rootgen.linux import capability, landlock
from rootgen.linux.mount import mount_points
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.caller import (
    HELPER_DIRECTORIES,
    in_initial_user_namespace,
    is_privileged,
    may_set_groups,
    read_caller,
    read_host,
)
from rootgen.sandbox.mounts import LOCALTIME, MACHINE_ID, TOP
from rootgen.sandbox.options import NO_SECCOMP, wants_groups
from rootgen.sandbox.reading import Reading
from rootgen.sandbox.rlimit import read_rlimits
from rootgen.sandbox.root_files import is_empty_file, read_accounts
from rootgen.sandbox.seccomp.machine import Machine, machine_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.sandbox.account import Accounts
    from rootgen.sandbox.id_map import Caller
    from rootgen.sandbox.launch import DeviceNode, Root
    from rootgen.sandbox.limits import LimitFacts
    from rootgen.sandbox.options import Options
    from rootgen.sandbox.rlimit import Pair
    from rootgen.sandbox.seccomp.profile import Template

_REGULAR, _DIRECTORY = 0o100000, 0o040000
_FORMAT = 0o170000
FUSE_OVERLAYFS = "fuse-overlayfs"
_BINFMT_MISC = "/proc/sys/fs/binfmt_misc"


class Facts(NamedTuple):
    """What a Launch depends on besides its options.

    ``privileged``: the caller may make namespaces and mounts as it is;
    ``device_nodes``: it may make devices too (only root of the initial user
    namespace, whose ids are ``all_ids``); ``setgroups``: it may choose its
    groups. ``capabilities`` is the caller's effective set; ``limits`` is None
    where no cgroup is needed, ``rlimits`` are the caller's own.
    ``submounts`` are those beneath a stack. ``machine_id`` and ``localtime``
    (a path) are set where the root keeps an empty file for them. ``uplinks``
    are the programs for ``--net`` that are installed, by name.
    ``fuse`` is fuse-overlayfs, where it is installed and may be needed.
    ``missing`` are the mount points at the tree's top that it lacks;
    ``directories`` those of the bind sources that are directories.
    ``callers_terminal``: a standard stream is a terminal of the caller's, and
    goes to the program as it is. ``profile`` is a seccomp profile of the
    user's own, ``landlock`` the kernel's version of it, ``interpreters`` what
    the kernel runs foreign programs with, opened when they were registered.
    """

    root: Root
    caller: Caller
    privileged: bool
    all_ids: bool
    device_nodes: bool
    setgroups: bool
    capabilities: int
    environ: Mapping[str, str]
    accounts: Accounts
    terminal: bool
    machine: Machine
    callers_terminal: bool = False
    profile: Template | None = None
    landlock: int = 0
    interpreters: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    directories: frozenset[str] = frozenset()
    limits: LimitFacts | None = None
    rlimits: Mapping[str, Pair] = {}
    uplinks: tuple[tuple[str, str], ...] = ()
    resolver: str = ""
    time_namespaces: bool = True
    devices: tuple[DeviceNode, ...] = ()
    submounts: tuple[str, ...] = ()
    machine_id: str = ""
    localtime: str = ""
    fuse: str = ""


class Process(NamedTuple):
    """What this process is and may do, and the kernel with it: the part of Facts that stays."""

    capabilities: int
    privileged: bool
    all_ids: bool
    setgroups: bool
    machine: Machine
    landlock: int
    rlimits: Mapping[str, Pair]
    time_namespaces: bool


def read_process(effective: int | None = None) -> Process:
    """Read what stays as long as this process does not change it; raise LaunchError.

    ``effective`` are the capabilities of another who performs launches, where it does not itself.
    """
    if effective is None:
        effective = capability.effective()
    return Process(
        effective,
        is_privileged(effective),
        in_initial_user_namespace(),
        may_set_groups(),
        read_machine(),
        landlock.version(),
        read_rlimits(),
        _may_set_clocks(),
    )


def read_facts(
    root: Root,
    options: Options,
    environ: Mapping[str, str],
    process: Process | None = None,
    *,
    terminal: bool = True,
    elsewhere: bool = False,
) -> Facts:
    """Read what a launch of ``root`` depends on; raise LaunchError.

    ``process`` is what ``read_process`` said, for who launches more than once. Without
    ``terminal`` the program's streams are another process's, and may be anything; ``elsewhere``:
    another process performs it, which is where this one is.
    """
    process = process or read_process()
    with Reading(root) as reading:
        accounts = read_accounts(reading)
        # In a stack they are made in the upper directory: nothing of them is left.
        missing = () if root.stacked else tuple(name for name in TOP if not reading.has(name))
        wants_id = is_empty_file(reading, MACHINE_ID)
        wants_zone = is_empty_file(reading, LOCALTIME) and os.path.isfile(LOCALTIME)
    # Of another process's nothing is known.
    callers_terminal = not terminal
    if terminal:
        terminal = os.isatty(0) and os.isatty(1)
        callers_terminal = not terminal and any(map(os.isatty, (0, 1, 2)))
    privileged = process.privileged
    return Facts(
        root=absolute(root),
        caller=read_caller(process.capabilities),
        privileged=privileged,
        all_ids=process.all_ids,
        device_nodes=privileged and process.all_ids and _may_make(process.capabilities),
        setgroups=process.setgroups,
        capabilities=process.capabilities,
        environ=environ,
        accounts=accounts,
        terminal=terminal,
        machine=process.machine,
        callers_terminal=callers_terminal,
        profile=_read_profile(options.seccomp),
        landlock=process.landlock,
        interpreters=_read_interpreters(),
        missing=missing,
        directories=_directories([bind.source for bind in options.binds]),
        limits=_read_limits(options, privileged, elsewhere) if wants_groups(options) else None,
        rlimits=process.rlimits,
        uplinks=_read_uplinks(environ) if options.network not in ("none", "host") else (),
        time_namespaces=process.time_namespaces,
        resolver=_read_resolver() if options.network != "none" else "",
        devices=_read_devices(options) if options.devices else (),
        submounts=_submounts(root) if root.stacked else (),
        machine_id=os.urandom(16).hex() if wants_id else "",
        localtime=LOCALTIME if wants_zone else "",
        fuse=_find_program(FUSE_OVERLAYFS, environ) if _may_be_fuse(root) else "",
    )


def _may_make(capabilities: int) -> bool:
    """Say whether devices may be made with these capabilities."""
    return bool(capabilities & capability.mask(["MKNOD"]))


def read_machine() -> Machine:
    """Return the machine that this kernel is of."""
    system = os.uname()
    return machine_of(system.machine, system.release, little=sys.byteorder == "little")


def _read_profile(path: str) -> Template | None:
    if path in ("", NO_SECCOMP):
        return None
    from rootgen.sandbox.seccomp.oci import LIMIT, read_template  # a profile of the user's own

    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        from rootgen.sandbox.host_path import refuse_host_path  # only on the way to an error

        refuse_host_path("--seccomp", path, error, "--seccomp none launches without a filter")
    return read_template(data, path)


def _read_interpreters() -> tuple[str, ...]:
    """Return the interpreters that binfmt_misc keeps open (Documentation/admin-guide, flag F)."""
    try:
        names = os.listdir(_BINFMT_MISC)
    except OSError as error:
        raise_foreign(error)
        return ()
    found: set[str] = set()
    for name in names:
        if name in ("register", "status"):
            continue
        lines = read_host(f"{_BINFMT_MISC}/{name}").decode("utf-8", "surrogateescape").split("\n")
        fields = dict(line.partition(" ")[::2] for line in lines)
        if "F" in fields.get("flags:", ""):
            found.add(fields.get("interpreter", ""))
    return tuple(sorted(found))


def absolute(root: Root) -> Root:
    """Return the root with absolute paths, whatever the working directory is later."""
    upper = root.upper
    try:
        if upper is not None and upper.directory:
            directory, work = map(os.path.abspath, (upper.directory, upper.work))
            upper = upper._replace(directory=directory, work=work)
        return root._replace(layers=tuple(map(os.path.abspath, root.layers)), upper=upper)
    except FileNotFoundError as error:
        raise LaunchError(f"the directory that {root.top} is relative to is gone") from error


def _read_limits(options: Options, privileged: bool, elsewhere: bool) -> LimitFacts:  # noqa: FBT001
    from rootgen.sandbox.cgroup_facts import read_limit_facts  # few launches have limits

    try:
        found = read_limit_facts(options, privileged=privileged)
    except OSError as error:
        raise_foreign(error)
        raise LaunchError(f"{error.filename}: {error.strerror}") from error
    if not elsewhere:
        return found
    # Who performs it is there as well.
    shared = tuple(one._replace(alone=one.top) for one in found.hierarchies)
    return found._replace(hierarchies=shared)


def _read_uplinks(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return which programs for a way out are installed, and where."""
    from rootgen.sandbox.uplink import PACKAGES

    found = ((name, _find_program(name, environ)) for name in PACKAGES)
    return tuple((name, path) for name, path in found if path)


def _find_program(name: str, environ: Mapping[str, str]) -> str:
    """Return the path of a program of the host's, or nothing where it is not installed."""
    directories = [one for one in environ.get("PATH", "").split(":") if one.startswith("/")]
    for directory in (*directories, *HELPER_DIRECTORIES):
        if os.access(f"{directory}/{name}", os.X_OK):
            return f"{directory}/{name}"
    return ""


def _may_be_fuse(root: Root) -> bool:
    """Say whether fuse-overlayfs may stack it: what it notes in an upper directory is its own."""
    return root.stacked and (root.upper is None or not root.upper.directory)


def _read_resolver() -> str:
    """Return the host's resolv.conf(5), or nothing where it has none."""
    return read_host("/etc/resolv.conf").decode("utf-8", "replace")


def _submounts(root: Root) -> tuple[str, ...]:
    """Return what is mounted beneath the directories of a stack: no part of it."""
    tops = tuple(f"{os.path.realpath(layer).rstrip('/')}/" for layer in root.layers)
    return tuple(point for point in mount_points() if point.startswith(tops) and point != "/")


def _read_devices(options: Options) -> tuple[DeviceNode, ...]:
    from rootgen.sandbox.device import read_devices  # few launches have any

    return read_devices(options.devices)


def _may_set_clocks() -> bool:
    """Say whether time namespaces are there, in a procfs that may be written; LaunchError if none.

    Without procfs nothing here works: descriptors are mounted by their names in it.
    """
    if os.access("/proc/self/timens_offsets", os.W_OK):
        return True
    if not os.path.exists("/proc/self/fd"):
        raise LaunchError("there is no procfs on /proc", hint="mount -t proc proc /proc")
    return False


def _directories(sources: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for source in sources:
        try:
            mode = os.stat(source).st_mode
        except OSError as error:
            from rootgen.sandbox.host_path import refuse_host_path  # only on the way to an error

            refuse_host_path("--bind", source, error)
        if mode & _FORMAT == _DIRECTORY:
            found.add(source)
    return frozenset(found)
