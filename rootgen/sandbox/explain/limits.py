"""Act two, told: how much of the machine the program may take."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.explain.shell import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.limits import Limit


def limit_lines(limits: tuple[Limit, ...]) -> Iterator[str]:
    """Yield the lines on the cgroups that are made."""
    if not limits:
        yield "none: --memory, --cpus and --pids set some"
    for limit in limits:
        if limit.leaf:
            yield f"$ mkdir {quote(limit.leaf)}; echo LAUNCHER >{quote(limit.leaf)}/cgroup.procs"
        if limit.controllers:
            words = " ".join(f"+{name}" for name in limit.controllers)
            yield f"$ echo {quote(words)} >{quote(limit.parent)}/cgroup.subtree_control"
        yield f"$ mkdir {quote(limit.directory)}"
        for name, value in (*limit.files, *limit.optional):
            yield f"$ echo {quote(value)} >{quote(limit.directory)}/{name}"
        yield f"$ echo PID >{quote(limit.directory)}/cgroup.procs"
