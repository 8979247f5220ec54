"""What a process passes on to those that it starts, read to see whether that has changed since.

A launch server is started once and launches for as long as its client lives, which may change what
it is meanwhile: give up groups or capabilities, take a limit, enter a namespace, change its root.
What it launches then is to be no other than if it had started it itself.
"""

from __future__ import annotations

import os
import resource

from rootgen.linux import capability
from rootgen.named import NamedTuple
from rootgen.sandbox.rlimit import RESOURCES

# Those that a launch may do without one of its own of, or whose mounts it begins with. Each costs
# 9 us to ask for.
_NAMESPACES = tuple(f"/proc/thread-self/ns/{name}" for name in ("user", "mnt", "net"))
_RLIMITS = tuple(RESOURCES.values())


class Likeness(NamedTuple):
    """What fork(2) and execve(2) keep and a launch depends on, of the calling thread.

    ``ids`` are real, effective and saved; ``root`` is the device and inode of its root directory,
    ``namespaces`` the inodes of its namespaces; ``rlimits`` are each soft and hard.
    """

    ids: tuple[int, ...]
    groups: tuple[int, ...]
    capabilities: int
    root: tuple[int, int]
    namespaces: tuple[int, ...]
    rlimits: tuple[tuple[int, int], ...]
    nice: int
    processors: frozenset[int]


def read_likeness() -> Likeness:
    """Read what the calling thread passes on; raise OSError, as where there is no procfs."""
    root = os.stat("/")
    return Likeness(
        (*os.getresuid(), *os.getresgid()),
        tuple(os.getgroups()),
        capability.effective(),
        (root.st_dev, root.st_ino),
        tuple([os.stat(name).st_ino for name in _NAMESPACES]),
        tuple(map(resource.getrlimit, _RLIMITS)),
        os.getpriority(os.PRIO_PROCESS, 0),
        frozenset(os.sched_getaffinity(0)),
    )
