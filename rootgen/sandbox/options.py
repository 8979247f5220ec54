"""What ``run`` and ``shell`` are asked for: the command's options as values."""

from __future__ import annotations

from rootgen.named import NamedTuple

PIVOT_WAYS = ("auto", "pivot_root", "chroot")
# As docker stop and podman stop have it.
KILL_AFTER = 10.0
NETWORKS = ("none", "host", "pasta", "slirp4netns")
NO_SECCOMP = "none"


# cgroup-v2.rst, io.max: bytes and operations a second.
IO_RATES = ("rbps", "wbps", "riops", "wiops")


UPTIMES = ("own", "host")


class Bind(NamedTuple):
    """One ``--bind``: a path of the host, absolute, and where it appears inside."""

    source: str
    target: str
    read_only: bool = False


class Tmpfs(NamedTuple):
    """One ``--tmpfs``: an empty file system in memory at ``target`` (tmpfs(5)).

    ``size`` in bytes, 0: half of the memory; ``nr_inodes``: how many files,
    0: as many as have place; ``mode``, ``uid`` and ``gid`` are its top's.
    """

    target: str
    size: int = 0
    mode: int = 0o1777
    uid: int = 0
    gid: int = 0
    nr_inodes: int = 0
    read_only: bool = False
    executable: bool = True


class Device(NamedTuple):
    """One ``--device``: a device of the host, or a directory of them, and where it is inside."""

    source: str
    target: str


class IoLimit(NamedTuple):
    """One ``--io``: a block device, or any path on its file system, and what may go through it.

    ``rates`` are in the words and units of cgroup-v2.rst, io.max: ``rbps``
    and ``wbps`` in bytes a second, ``riops`` and ``wiops`` in operations.
    """

    device: str
    rates: tuple[tuple[str, int], ...]


class Rlimit(NamedTuple):
    """One limit of setrlimit(2), by its name without ``RLIMIT_``; None is no limit."""

    name: str
    soft: int | None
    hard: int | None


class Port(NamedTuple):
    """One published port: where the host listens, and the port inside that this leads to.

    ``address`` is empty for every address of the host.
    """

    address: str
    host: int
    inside: int
    protocol: str = "tcp"


class Options(NamedTuple):
    """The options that ``run`` and ``shell`` share.

    ``memory`` is in bytes, ``cpus`` in processors; None sets no limit.
    ``user`` is ``NAME|UID[:GROUP|GID]``, or empty for 0. ``timeout`` is in
    seconds, None for ever; ``kill_after`` is how long SIGTERM has effect
    before SIGKILL is sent.
    ``ephemeral``: what is written to the tree is kept in memory, and thrown
    away; of at most ``ephemeral_size`` bytes, where that is not 0.
    ``seccomp`` is the path of a profile, ``none``, or empty for the default.
    """

    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    devices: tuple[Device, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    clear_env: bool = False
    user: str = ""
    workdir: str = ""
    hostname: str = ""
    network: str = "none"
    publish: tuple[Port, ...] = ()
    uptime: str = "own"
    read_only: bool = False
    ephemeral: bool = False
    ephemeral_size: int = 0
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    pivot: str = "auto"
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    io: tuple[IoLimit, ...] = ()
    rlimits: tuple[Rlimit, ...] = ()
    timeout: float | None = None
    kill_after: float = KILL_AFTER
    seccomp: str = ""


def wants_groups(options: Options) -> bool:
    """Say whether a limit is asked for that only a cgroup can hold."""
    return bool(options.io) or (options.memory, options.cpus, options.pids) != (None, None, None)
