"""What is mounted in every tree: /proc, /sys, /dev and /tmp, as runc has them.

Sources: OCI runtime-spec, config-linux.md, "Default Filesystems" and
"Default Devices"; runc's libcontainer/specconv/example.go for the masked
and the read-only paths.
"""

from __future__ import annotations

from rootgen.linux.mount import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.launch import Link, Mount, Node, Protect, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.sandbox.launch import Step
    from rootgen.sandbox.options import Tmpfs

# Where a tree that keeps these files empty gets some of the launch's own.
MACHINE_ID = "/etc/machine-id"
LOCALTIME = "/etc/localtime"
MANIFEST = "/var/lib/rootgen/manifest.json"

# The names at the tree's top that the standard mounts are mounted on.
TOP = ("proc", "sys", "dev", "tmp")

_TTY_GROUP = 5  # as Debian, Fedora and every container engine number it
_SEALED = MS_NOSUID | MS_NODEV | MS_NOEXEC

# Documentation/admin-guide/devices.txt: the kernel's numbers of these.
_DEVICES = (
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
)
_LINKS = (
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
)
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    # Not in runc's list of then: docker's and podman's of today.
    "/proc/interrupts",
    "/sys/devices/virtual/powercap",
    # In nobody's: the host's memory, page by page, for whoever is root inside.
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/pagetypeinfo",
    "/proc/slabinfo",
    "/proc/vmallocinfo",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def standard_mounts(
    *,
    device_nodes: bool,
    own_network: bool,
    user_namespace: bool,
    tty_group: bool,
    terminal: bool,
) -> Iterator[Step]:
    """Yield the steps that every tree gets.

    ``device_nodes`` says that the caller may make them; else those of the
    host are bound. A user namespace may mount a sysfs only over a network
    of its own (fs/sysfs/mount.c), so else the host's is bound.
    """
    yield Mount("proc", "/proc", "proc", _SEALED)
    if user_namespace and not own_network:
        yield Mount("/sys", "/sys", "", _SEALED | MS_RDONLY, bind=True)
    else:
        yield Mount("sysfs", "/sys", "sysfs", _SEALED | MS_RDONLY)
    yield Mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=65536k")
    for name, major, minor in _DEVICES:
        if device_nodes:
            yield Node(f"/dev/{name}", major, minor)
        else:
            # The host's own: read-only, so that nobody inside changes its mode or its owner. What
            # is written to a device is none of the file system's (fs/open.c, special_file).
            yield Mount(f"/dev/{name}", f"/dev/{name}", "", MS_RDONLY, bind=True, file=True)
    data = "newinstance,ptmxmode=0666,mode=0620" + (f",gid={_TTY_GROUP}" if tty_group else "")
    yield Mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, data)
    yield Mount("shm", "/dev/shm", "tmpfs", _SEALED, "mode=1777,size=65536k")  # noqa: S108
    for name, target in _LINKS:
        yield Link(f"/dev/{name}", target)
    if terminal:
        yield Terminal()
    yield Mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")  # noqa: S108


def is_own_device(path: str) -> bool:
    """Say whether every launch has a device or a link of its own at ``path``, or may have one.

    So it is of all terminals beneath /dev/pts.
    """
    names = (*(name for name, *_ in _DEVICES), *(name for name, _ in _LINKS))
    own = (*(f"/dev/{name}" for name in names), Terminal().path)
    return path in own or path.startswith("/dev/pts/")


def protections() -> Iterator[Step]:
    """Yield what of procfs and sysfs is hidden or read-only: the kernel is the host's."""
    for path in _MASKED:
        yield Protect(path, masked=True)
    for path in _READ_ONLY:
        yield Protect(path, masked=False)


def extra_tmpfs(wanted: Iterable[Tmpfs]) -> Iterator[Step]:
    """Yield the mounts of ``--tmpfs``."""
    for one in wanted:
        numbers = [(name, getattr(one, name)) for name in ("size", "uid", "gid", "nr_inodes")]
        words = [f"mode={one.mode:o}", *(f"{name}={value}" for name, value in numbers if value)]
        flags = MS_NOSUID | MS_NODEV
        flags |= (MS_RDONLY if one.read_only else 0) | (0 if one.executable else MS_NOEXEC)
        yield Mount("tmpfs", one.target, "tmpfs", flags, ",".join(words))
