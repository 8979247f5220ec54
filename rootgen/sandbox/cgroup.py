"""Making the groups that hold a launch's limits, and what they tell at the end."""

from __future__ import annotations

import os

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rootgen.sandbox.limits import Limit


class Groups:
    """The groups of one launch; a context manager that makes and removes them."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        """Take the limits; nothing is made before ``with``."""
        self._limits = list(limits)
        # A scope of systemd's is made when there is a process for it, and removed by systemd.
        self._own = [limit for limit in limits if limit.manager is None]
        self._watcher: tuple[int, int] | None = None

    def __enter__(self) -> Groups:
        """Make the groups and write their limits; raise LaunchError."""
        if self._limits:
            from rootgen.sandbox.cgroup_end import start_watcher

            self._watcher = start_watcher(self._own)
            try:
                for limit in self._own:
                    self._make(limit, self._watcher[0])
            except BaseException:
                self._end()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the groups; whoever was in them is dead by now."""
        self._end()

    def add(self, process: int) -> None:
        """Put a process, and all that it forks from then on, under the limits."""
        for index, limit in enumerate(self._limits):
            if limit.manager is None:
                _join(limit.inner, process)
            elif self._watcher is not None:
                self._limits[index] = _in_scope(limit, process, self._watcher[0])

    def placed(self) -> tuple[Limit, ...]:
        """Return the limits with the groups where they are now, for another process to join."""
        return tuple(limit._replace(manager=None) for limit in self._limits)

    def out_of_memory(self) -> int:
        """Return how many processes of ours the kernel killed because of the memory limit."""
        if not self._limits:
            return 0
        from rootgen.sandbox.cgroup_file import read_lines

        killed = 0
        for limit in self._limits:
            # Version 1 counts them where they were, version 2 in the groups above as well, and has
            # no such file within: no controller is passed on there.
            for directory in {limit.directory, limit.inner}:
                path = f"{directory}/{limit.events}"
                for line in read_lines(path) if limit.events and os.path.exists(path) else ():
                    name, _, number = line.partition(" ")
                    killed += int(number) if name == "oom_kill" else 0
        return killed

    def _make(self, limit: Limit, watcher: int) -> None:
        from rootgen.sandbox.cgroup_end import sweep

        sweep(os.path.dirname(limit.directory))
        if limit.leaf:
            _mkdir(limit.leaf)
            for process in (watcher, os.getpid()):
                _join(limit.leaf, process)
        _fill(limit)

    def _end(self) -> None:
        if self._watcher is not None:
            from rootgen.sandbox.cgroup_end import remove_groups, stop_watcher

            stop_watcher(*self._watcher)
            self._watcher = None
            remove_groups(self._own)


def _fill(limit: Limit) -> None:
    """Make a group with its controllers, and write its limits."""
    from rootgen.sandbox.cgroup_file import write

    if limit.controllers:
        words = " ".join(f"+{one}" for one in limit.controllers)
        write(f"{limit.parent}/cgroup.subtree_control", words)
    if not os.path.isdir(limit.directory):
        _mkdir(limit.directory)
    for name, value in limit.files:
        write(f"{limit.directory}/{name}", value)
    for name, value in limit.optional:
        if os.path.exists(f"{limit.directory}/{name}"):
            write(f"{limit.directory}/{name}", value)
    if not os.path.isdir(limit.inner):
        _mkdir(limit.inner)


def _in_scope(limit: Limit, process: int, watcher: int) -> Limit:
    """Have systemd make the scope with ``process`` in it, and limit that; return where it is.

    The watcher is in it as well: systemd removes a scope with its last
    process, before what became of the limits could be read.
    """
    from rootgen.sandbox.cgroup_facts import version_2_group
    from rootgen.sandbox.cgroup_file import failure, read_lines
    from rootgen.sandbox.scope import start_scope

    assert limit.manager is not None  # noqa: S101 - what was asked before
    start_scope(limit.manager, limit.unit, [process, watcher])
    try:
        scope = version_2_group(process)
        given = set(" ".join(read_lines(f"{scope}/cgroup.controllers")).split())
    except OSError as error:
        raise failure(f"find the scope {limit.unit}", error) from error
    if lacking := [name for name in limit.controllers if name not in given]:
        raise LaunchError(
            f"systemd does not pass the {lacking[0]} controller on to {limit.unit}",
            why=(f"it passes on: {', '.join(sorted(given)) or 'none'}",),
            hint="systemctl edit user@.service: [Service] Delegate=cpu io memory pids "
            "(as root; it holds from the next login on)",
        )
    directory = limit.directory.replace(limit.parent, scope, 1)
    placed = limit._replace(directory=directory, parent=scope, manager=None)
    # Out of the scope's own group before it passes controllers on: it may have no processes then.
    _mkdir(directory)
    for group, member in ((placed.inner, process), (f"{scope}/launcher", watcher)):
        _mkdir(group)
        _join(group, member)
    _fill(placed)
    return placed


def _mkdir(path: str) -> None:
    from rootgen.sandbox.cgroup_file import failure

    try:
        os.mkdir(path, 0o755)
    except OSError as error:
        raise failure(f"make the cgroup {path}", error) from error


def _join(directory: str, process: int) -> None:
    from rootgen.sandbox.cgroup_file import write

    write(f"{directory}/cgroup.procs", str(process))
