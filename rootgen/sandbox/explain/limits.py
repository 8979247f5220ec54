"""Act two, told: how much of the machine the program may take."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.explain.shell import quote
from rootgen.sandbox.limits import INNER
from rootgen.sandbox.rlimit import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.limits import Limit, Manager


def limit_lines(launch: Launch) -> Iterator[str]:
    """Yield the lines on the cgroups that are made, and on the limits of each process."""
    if not launch.limits:
        yield "no cgroup: --memory, --cpus, --pids and --io make some"
    for limit in launch.limits:
        yield from _scope_lines(limit) if limit.manager is not None else _group_lines(limit)
    yield "Each process has limits of its own as well: the caller's, but for"
    yield f"$ prlimit {' '.join(f'--{one.name}={words(one)}' for one in launch.rlimits)} …"


def _group_lines(limit: Limit) -> Iterator[str]:
    if limit.leaf:
        yield "A group with processes cannot have limited children: the launcher makes room."
        yield f"$ mkdir {quote(limit.leaf)}; echo LAUNCHER >{quote(limit.leaf)}/cgroup.procs"
    if limit.controllers:
        yield _enable(limit, quote(limit.parent))
    yield from _making_lines(limit, quote(limit.directory))


def _scope_lines(limit: Limit) -> Iterator[str]:
    assert limit.manager is not None  # noqa: S101 - what was asked before
    yield "The caller's own group can have no limited child; systemd makes one that can."
    yield f"$ {_command(limit.manager)} --unit={quote(limit.unit)} …"
    yield f'$ SCOPE=$(sed "s,^0::,/sys/fs/cgroup,; 1q" /proc/PID/cgroup)    # {limit.unit}'
    directory = f'"{limit.directory}"'
    making = list(_making_lines(limit, directory))
    # Nobody may be in the scope's own group when it gets controllers to pass on.
    inner = list(_inner_lines(limit, directory))
    yield making[0]
    yield from inner
    yield _enable(limit, f'"{limit.parent}"')
    yield from making[1 : -len(inner)]


def _command(manager: Manager) -> str:
    if manager.slice_name:
        return f"systemd-run --scope --slice={quote(manager.slice_name)} -p Delegate=yes"
    return "systemd-run --user --scope -p Delegate=yes"


def _enable(limit: Limit, parent: str) -> str:
    words = " ".join(f"+{name}" for name in limit.controllers)
    return f"$ echo {quote(words)} >{parent}/cgroup.subtree_control"


def _making_lines(limit: Limit, directory: str) -> Iterator[str]:
    yield f"$ mkdir {directory}"
    for name, value in (*limit.files, *limit.optional):
        yield f"$ echo {quote(value)} >{directory}/{name}"
    yield from _inner_lines(limit, directory)


def _inner_lines(limit: Limit, directory: str) -> Iterator[str]:
    if limit.flat:
        yield f"$ echo PID >{directory}/cgroup.procs"
        return
    # The process's own group has no limits that could be changed from within.
    yield f"$ mkdir {directory}/{INNER}"
    yield f"$ echo PID >{directory}/{INNER}/cgroup.procs"
