"""The Launch: every step from the caller's process to the program's, as values.

Nothing here does anything. A Launch is computed (``compose``), told
(``explain``) and performed (``perform``); what is not in it does not happen.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.sandbox.limits import Limit
    from rootgen.sandbox.options import Rlimit
    from rootgen.sandbox.seccomp.filter import Filter
    from rootgen.sandbox.uplink import Uplink

HOSTNAME = "rootgen"  # where no other is asked for


class IdMap(NamedTuple):
    """How a user namespace's ids map to the caller's (user_namespaces(7)).

    Each line is (first id inside, first outside, count). ``helpers`` are the
    paths of newuidmap and newgidmap, or empty where we write the maps ourselves.
    """

    uids: tuple[tuple[int, int, int], ...]
    gids: tuple[tuple[int, int, int], ...]
    helpers: tuple[str, str] | None = None
    deny_setgroups: bool = False


class Upper(NamedTuple):
    """Where what is written to a stack goes, and what is removed from it is noted.

    ``directory`` and ``work`` are two empty directories of the host on one
    file system, kept afterwards. Both empty: a tmpfs of the launch's own,
    gone with it, of at most ``size`` bytes (0: half of the memory, tmpfs(5)).
    Its top is then as that of the directory ``like`` is, or of the topmost layer.
    """

    directory: str = ""
    work: str = ""
    size: int = 0
    like: str = ""


class Root(NamedTuple):
    """What becomes /: one directory as it is, or a stack of directories, the top one last.

    ``layers`` are absolute paths of the host. With one and no ``upper``,
    what is written goes to it. Else they are stacked by overlayfs, and stay
    as they are: what is written goes to the upper one, or is refused where
    there is none. ``name`` is what a person calls it, where that is no
    directory. ``use`` is a file that is locked, shared (flock(2)), as long as
    the launch goes on: so long its layers are not removed.
    """

    layers: tuple[str, ...]
    upper: Upper | None = None
    name: str = ""
    use: str = ""

    @property
    def top(self) -> str:
        """The directory that a person means by it."""
        return self.layers[-1]

    @property
    def shown(self) -> str:
        """What a person calls it."""
        return self.name or self.top

    @property
    def stacked(self) -> bool:
        """Whether overlayfs is needed."""
        return len(self.layers) > 1 or self.upper is not None


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


class DeviceNode(NamedTuple):
    """A device of the host, bound read-only: its mode and its owner stay, its use is as they allow.

    It is what ``major``, ``minor`` and ``block`` (else character) say, or is refused.
    """

    source: str
    target: str
    major: int
    minor: int
    block: bool = False


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


Step = Mount | Node | DeviceNode | Link | Protect | Text | Terminal


class Credentials(NamedTuple):
    """Who the program is. ``groups`` is None where setgroups(2) is denied."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] | None = ()


class TimeLimit(NamedTuple):
    """How long it may take: SIGTERM after ``seconds``, SIGKILL ``kill_after`` seconds later."""

    seconds: float
    kill_after: float


class Landlock(NamedTuple):
    """What Landlock forbids besides, where the kernel's ``version`` of it (0: none) can.

    ``files``: to open what is not beneath the tree's root, a standard stream
    or one of the ``interpreters``, files of the host that the kernel runs
    foreign programs with; and to change mounts. ``sockets``: to connect to
    abstract sockets of others in the same network.
    """

    version: int = 0
    files: bool = False
    sockets: bool = False
    interpreters: tuple[str, ...] = ()


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
    root: Root
    missing: tuple[str, ...]
    root_flags: int
    root_data: str
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
    # What it may call, open and know of keys: those that ``keyring_needed`` says must be its own
    # are else out of its reach anyhow
    filters: tuple[Filter, ...] = ()
    landlock: Landlock = Landlock()
    keyring_needed: bool = False
    # The path of fuse-overlayfs, for a stack that the kernel refuses
    fuse: str = ""
    # What it has of the capabilities where its user is not 0, who would have all
    ambient: tuple[str, ...] = ()
    # Its end
    time_limit: TimeLimit | None = None
