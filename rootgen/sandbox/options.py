"""What ``run`` and ``shell`` are asked for: the command's options as values."""

from __future__ import annotations

from rootgen.named import NamedTuple

PIVOT_WAYS = ("auto", "pivot_root", "chroot")
# As docker stop and podman stop have it.
KILL_AFTER = 10.0
NETWORKS = ("none", "host")


class Bind(NamedTuple):
    """One ``--bind``: a path of the host, absolute, and where it appears inside."""

    source: str
    target: str
    read_only: bool = False


class Options(NamedTuple):
    """The options that ``run`` and ``shell`` share.

    ``memory`` is in bytes, ``cpus`` in processors; None sets no limit.
    ``user`` is ``NAME|UID[:GROUP|GID]``, or empty for 0. ``timeout`` is in
    seconds, None for ever; ``kill_after`` it SIGTERM is followed by SIGKILL.
    """

    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    clear_env: bool = False
    user: str = ""
    workdir: str = ""
    hostname: str = ""
    network: str = "none"
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    pivot: str = "auto"
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    timeout: float | None = None
    kill_after: float = KILL_AFTER
