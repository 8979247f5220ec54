"""What a process passes on to those that it starts, read to see whether that has changed since.

A launch server is started once and launches for as long as its client lives, which may change what
it is meanwhile: give up groups or capabilities, take a limit or a filter, move to another cgroup,
enter a namespace, change its root. What it launches then is to be no other than if it had started
it itself.
"""

from __future__ import annotations

import marshal
import os
import resource

from rootgen.named import NamedTuple
from rootgen.sandbox.caller import read_bounded
from rootgen.sandbox.rlimit import RESOURCES

_SELF = "/proc/thread-self"
# Those that a launch may do without one of its own of, or whose mounts it begins with.
_NAMESPACES = ("ns/user", "ns/mnt", "ns/net")
_FILES = ("cgroup", "oom_score_adj")
# Of status (proc_pid_status(5)) what stays while a process does nothing: from the first to before
# the second. Ids and groups; capabilities, no_new_privs, seccomp and its filters, processors.
_PARTS = ((b"\nUid:", b"\nFDSize:"), (b"\nGroups:", b"\nNStgid:"), (b"\nCapInh:", b"\nvoluntary"))
# What execve(2) may change of these lines.
_NOT_INHERITED = (b"CapInh:", b"CapPrm:", b"CapEff:", b"CapAmb:", b"Speculation")
_RLIMITS = tuple(RESOURCES.values())


class Likeness(NamedTuple):
    """What fork(2) and execve(2) keep and a launch depends on, of the calling thread.

    ``status`` are lines of /proc/self/status, ``files`` its cgroup and oom_score_adj; ``root`` is
    the device and inode of its root directory, ``namespaces`` are the names of its namespaces;
    ``rlimits`` are each soft and hard.
    """

    status: tuple[bytes, ...]
    files: tuple[bytes, ...]
    namespaces: tuple[str, ...]
    root: tuple[int, int]
    rlimits: tuple[tuple[int, int], ...]
    nice: int
    policy: int


def read_likeness() -> Likeness:
    """Read what the calling thread passes on; raise OSError, as where there is no procfs."""
    thread = os.open(_SELF, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status, *files = (_read(thread, name) for name in ("status", *_FILES))
        # Their names: stat(2) of one makes its inode first.
        namespaces = tuple([os.readlink(name, dir_fd=thread) for name in _NAMESPACES])
    finally:
        os.close(thread)
    root = os.stat("/")
    return Likeness(
        tuple([_between(status, first, end) for first, end in _PARTS]),
        tuple(files),
        namespaces,
        (root.st_dev, root.st_ino),
        tuple(map(resource.getrlimit, _RLIMITS)),
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getscheduler(0),
    )


def inherited(likeness: Likeness) -> bytes:
    """Return what of it a program that is started has as well, to be compared with its own."""
    lines = [line for part in likeness.status for line in part.split(b"\n")]
    kept = [line for line in lines if not line.startswith(_NOT_INHERITED)]
    return marshal.dumps((kept, *likeness[1:]))


def _between(text: bytes, first: bytes, end: bytes) -> bytes:
    """Return a part of a text; nothing where the kernel does not have either mark."""
    begin, stop = text.find(first), text.find(end)
    return text[begin:stop] if 0 <= begin < stop else b""


def _read(directory: int, name: str) -> bytes:
    return read_bounded(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory))
