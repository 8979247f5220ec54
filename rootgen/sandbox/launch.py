"""The Launch: every step from the caller's process to the program's, as values.

Nothing here does anything. A Launch is computed (``compose``), told
(``explain``) and performed (``perform``); what is not in it does not happen.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.sandbox.limits import Limit
    from rootgen.sandbox.options import Rlimit
    from rootgen.sandbox.uplink import Uplink


class IdMap(NamedTuple):
    """How a user namespace's ids map to the caller's (user_namespaces(7)).

    Each line is (first id inside, first outside, count). ``helpers`` are the
    paths of newuidmap and newgidmap, or empty where we write the maps ourselves.
    """

    uids: tuple[tuple[int, int, int], ...]
    gids: tuple[tuple[int, int, int], ...]
    helpers: tuple[str, str] | None = None
    deny_setgroups: bool = False


class Mount(NamedTuple):
    """One mount. ``target`` is inside the tree; no link of the tree is followed to it.

    ``source`` is a path of the host for a bind (``bind``), else what
    /proc/mounts shows. ``flags`` are MS_RDONLY, MS_NOSUID, MS_NODEV and
    MS_NOEXEC. ``file`` says that source and target are no directories.
    """

    source: str
    target: str
    fstype: str = ""
    flags: int = 0
    data: str = ""
    bind: bool = False
    file: bool = False


class Node(NamedTuple):
    """One character device, made where the caller may make devices."""

    path: str
    major: int
    minor: int
    mode: int = 0o666


class Link(NamedTuple):
    """One symbolic link on a file system that we just mounted."""

    path: str
    target: str


class Protect(NamedTuple):
    """A path of procfs or sysfs that is hidden (``masked``) or made read-only, if it is there."""

    path: str
    masked: bool


class Text(NamedTuple):
    """A file that is nowhere but in this launch, read-only at ``path`` over what the tree has."""

    path: str
    content: str


class Terminal(NamedTuple):
    """A pseudo-terminal of the container's own devpts; ``path`` is bound to it as well."""

    path: str = "/dev/console"


Step = Mount | Node | Link | Protect | Text | Terminal


class Credentials(NamedTuple):
    """Who the program is. ``groups`` is None where setgroups(2) is denied."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] | None = ()


class TimeLimit(NamedTuple):
    """How long it may take: SIGTERM after ``seconds``, SIGKILL ``kill_after`` seconds later."""

    seconds: float
    kill_after: float


class Launch(NamedTuple):
    """The whole of it, in the order in which it is done."""

    # Act 1: namespaces
    namespaces: tuple[str, ...]
    id_map: IdMap | None
    hostname: str
    loopback: bool
    uplink: Uplink | None
    # Act 2: limits
    limits: tuple[Limit, ...]
    rlimits: tuple[Rlimit, ...]
    # Act 3: the root and what is mounted in it. What is missing at its top is made, and removed
    # again where the program could not be started: the tree may have been none.
    root: str
    missing: tuple[str, ...]
    root_flags: int
    read_only: bool
    steps: tuple[Step, ...]
    pivot: str
    # The program
    credentials: Credentials
    capabilities: tuple[str, ...]
    umask: int
    environment: tuple[tuple[str, str], ...]
    workdir: str
    command: tuple[str, ...]
    terminal: bool
    # Its end
    time_limit: TimeLimit | None = None
