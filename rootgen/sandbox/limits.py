"""Limits as cgroups: which files of which groups say them, for versions 1 and 2.

A group of ours is a child of the caller's own, so that the caller's limits
go on to hold. Sources: the kernel's Documentation/admin-guide/cgroup-v1/
{memory,pids}.rst, Documentation/scheduler/sched-bwc.rst and
Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.sandbox.options import Options

_PERIOD = 100_000  # microseconds: the kernel's own default
_LEAST_QUOTA = 1_000  # sched-bwc.rst: a quota below 1 ms is refused


class Hierarchy(NamedTuple):
    """One mounted cgroup hierarchy, and where the caller is in it.

    ``group`` is the directory of the caller's group; ``writable`` says that
    the caller may make children there. For version 2: ``enabled`` are the
    controllers that children have; ``alone`` that nobody but the caller is
    in the group, ``top`` that it is the root group.
    """

    version: int
    controllers: frozenset[str]
    group: str
    writable: bool = False
    enabled: frozenset[str] = frozenset()
    alone: bool = False
    top: bool = False


class Limit(NamedTuple):
    """One group to make, and what to write into its files; ``optional`` ones may lack.

    ``controllers`` are to be enabled in ``parent`` first (version 2);
    ``leaf`` is the group that the caller moves to before that, because a
    group with processes of its own cannot have children with controllers
    (cgroup-v2.rst, "No Internal Process Constraint").
    """

    directory: str
    files: tuple[tuple[str, str], ...]
    optional: tuple[tuple[str, str], ...] = ()
    parent: str = ""
    controllers: tuple[str, ...] = ()
    leaf: str = ""
    events: str = ""


class _Setting(NamedTuple):
    """One limit that was asked for, in the files of both versions."""

    option: str
    controller: str
    v1: tuple[tuple[str, str], ...]
    v2: tuple[tuple[str, str], ...]
    v1_optional: tuple[tuple[str, str], ...] = ()
    v2_optional: tuple[tuple[str, str], ...] = ()
    v1_events: str = ""
    v2_events: str = ""


def compose_limits(
    options: Options, hierarchies: Sequence[Hierarchy], name: str
) -> tuple[Limit, ...]:
    """Return the groups called ``name`` that hold the limits that were asked for.

    Raises LaunchError where one cannot be had: never silence.
    """
    limits: dict[str, Limit] = {}
    for setting in _settings(options):
        hierarchy = _hierarchy_for(setting, hierarchies)
        directory = f"{hierarchy.group.rstrip('/')}/{name}"
        known = limits.get(directory, Limit(directory, ()))
        add = _version_1 if hierarchy.version == 1 else _version_2
        limits[directory] = add(known, setting, hierarchy, name)
    return tuple(limits.values())


def _settings(options: Options) -> Iterator[_Setting]:
    if options.memory is not None:
        size = str(options.memory)
        yield _Setting(
            "--memory", "memory",
            v1=(("memory.limit_in_bytes", size),),
            v2=(("memory.max", size),),
            # Else what does not fit would go to swap, which is no limit.
            v1_optional=(("memory.memsw.limit_in_bytes", size),),
            v2_optional=(("memory.swap.max", "0"),),
            v1_events="memory.oom_control",
            v2_events="memory.events",
        )  # fmt: skip
    if options.cpus is not None:
        quota = max(int(options.cpus * _PERIOD), _LEAST_QUOTA)
        yield _Setting(
            "--cpus", "cpu",
            v1=(("cpu.cfs_period_us", str(_PERIOD)), ("cpu.cfs_quota_us", str(quota))),
            v2=(("cpu.max", f"{quota} {_PERIOD}"),),
        )  # fmt: skip
    if options.pids is not None:
        # Process 1 is ours and counts: the program gets what was asked for.
        number = str(options.pids + 1)
        yield _Setting("--pids", "pids", v1=(("pids.max", number),), v2=(("pids.max", number),))


def _hierarchy_for(setting: _Setting, hierarchies: Sequence[Hierarchy]) -> Hierarchy:
    for hierarchy in hierarchies:
        if setting.controller in hierarchy.controllers:
            if not hierarchy.writable:
                raise LaunchError(
                    f"{setting.option}: cannot make a cgroup in {hierarchy.group}",
                    why=("the caller may not write there",),
                    hint="be root, or have the group delegated: "
                    "systemd-run --user --scope -p Delegate=yes rootgen …",
                )
            return hierarchy
    raise LaunchError(
        f"{setting.option}: no cgroup hierarchy with the {setting.controller} controller",
        why=("none is mounted beneath /sys/fs/cgroup that this process is in",),
        hint=f"leave {setting.option} out, or mount one (cgroups(7))",
    )


def _version_1(limit: Limit, setting: _Setting, hierarchy: Hierarchy, name: str) -> Limit:
    del hierarchy, name
    return limit._replace(
        files=limit.files + setting.v1,
        optional=limit.optional + setting.v1_optional,
        events=limit.events or setting.v1_events,
    )


def _version_2(limit: Limit, setting: _Setting, hierarchy: Hierarchy, name: str) -> Limit:
    limit = limit._replace(
        files=limit.files + setting.v2,
        optional=limit.optional + setting.v2_optional,
        events=limit.events or setting.v2_events,
    )
    if setting.controller in hierarchy.enabled:
        return limit
    leaf = ""
    if not hierarchy.top:
        if not hierarchy.alone:
            raise LaunchError(
                f"{setting.option}: the {setting.controller} controller cannot be given to a child "
                f"of {hierarchy.group}",
                why=("other processes are in that group, which then cannot have limited children",),
                hint="start in a group of its own: "
                "systemd-run --user --scope -p Delegate=yes rootgen …",
            )
        leaf = f"{hierarchy.group.rstrip('/')}/{name}-launcher"
    controllers = (*limit.controllers, setting.controller)
    return limit._replace(parent=hierarchy.group, controllers=controllers, leaf=leaf)
