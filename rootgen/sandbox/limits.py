"""Limits as cgroups: in which group of which hierarchy they are held.

A group of ours is a child of the caller's own, so that the caller's limits
go on to hold; where the caller may make none there and systemd manages the
groups, it is asked for a scope. Sources: cgroups(7), the kernel's
Documentation/admin-guide/cgroup-v2.rst, and systemd's
docs/CGROUP_DELEGATION.md.
"""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.limit_files import FLAT, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.sandbox.limit_files import Setting
    from rootgen.sandbox.options import Options

# Where a scope will be is known when systemd has made it: until then it is called by this name.
SCOPE = "$SCOPE"
# The group of the process, within the limited one.
INNER = "inside"
_CONTAINED = "in a container: have its engine limit that one (podman run --memory 256M)"
_HINT = "start in a group of your own: systemd-run --user --scope -p Delegate=yes rootgen …"


class Hierarchy(NamedTuple):
    """One mounted cgroup hierarchy, and where the caller is in it.

    ``group`` is the directory of the caller's group; ``writable`` says that
    the caller may make children there. For version 2: ``controllers`` are
    those of the group, and ``everywhere`` those of the whole hierarchy;
    ``enabled`` are the controllers that children have; ``alone`` that nobody
    but the caller is in the group, ``top`` that it is the root group.
    """

    version: int
    controllers: frozenset[str]
    group: str
    writable: bool = False
    enabled: frozenset[str] = frozenset()
    alone: bool = False
    top: bool = False
    everywhere: frozenset[str] = frozenset()


class Manager(NamedTuple):
    """A systemd that makes groups for the caller: the socket of its bus.

    ``slice_name`` is the slice in which the caller is already, whose limits
    go on to hold; empty for a manager of the user's own, which is in it.
    """

    socket: str
    slice_name: str = ""


class LimitFacts(NamedTuple):
    """What the machine says of limits, as far as some are asked for.

    ``devices`` maps what ``--io`` names to ``MAJOR:MINOR``; ``name`` is what
    this launch's groups are called.
    """

    hierarchies: tuple[Hierarchy, ...] = ()
    manager: Manager | None = None
    devices: Mapping[str, str] = {}
    name: str = ""


class Limit(NamedTuple):
    """One group to make, and what to write into its files; ``optional`` ones may lack.

    ``controllers`` are to be enabled in ``parent`` first (version 2);
    ``leaf`` is the group that the caller moves to before that, because a
    group with processes of its own cannot have children with controllers
    (cgroup-v2.rst, "No Internal Process Constraint"). Where ``manager`` is
    given, ``parent`` is the scope ``unit`` that it is asked for.

    The process goes into ``inner``: a group within, where there are no limits
    to be changed. It is the root of the process's cgroup namespace, and who
    is root of a user namespace in there may mount the hierarchy from that on.
    """

    directory: str
    files: tuple[tuple[str, str], ...] = ()
    optional: tuple[tuple[str, str], ...] = ()
    parent: str = ""
    controllers: tuple[str, ...] = ()
    leaf: str = ""
    events: str = ""
    manager: Manager | None = None
    unit: str = ""
    flat: bool = False

    @property
    def inner(self) -> str:
        """The group of the process; the limited one itself where those within would be free."""
        return self.directory if self.flat else f"{self.directory}/{INNER}"


def compose_limits(options: Options, facts: LimitFacts) -> tuple[Limit, ...]:
    """Return the groups that hold the limits that were asked for.

    Raises LaunchError where one cannot be had: never silence.
    """
    limits: dict[str, Limit] = {}
    in_version_2: list[Setting] = []
    for old, new in settings_of(options, facts.devices):
        hierarchy = _with_controller(facts.hierarchies, 1, old.controller)
        if hierarchy is None:
            in_version_2.append(new)
            continue
        if not hierarchy.writable:
            raise LaunchError(
                f"{old.option}: cannot make a cgroup in {hierarchy.group}",
                why=(
                    "the caller may not write there",
                    "it is of version 1, of which systemd delegates no group to ordinary users",
                ),
                hint=f"be root, or boot with systemd.unified_cgroup_hierarchy=1; {_CONTAINED}",
            )
        directory = _below(hierarchy, facts.name)
        limits[directory] = _with(limits.get(directory, Limit(directory)), old)
    if in_version_2:
        limit = _version_2(in_version_2, facts)
        for setting in in_version_2:
            limit = _with(limit, setting)
        limits[limit.directory] = limit
    return tuple(limits.values())


def _with_controller(
    hierarchies: Sequence[Hierarchy], version: int, controller: str
) -> Hierarchy | None:
    for hierarchy in hierarchies:
        known = hierarchy.controllers | hierarchy.everywhere
        if hierarchy.version == version and controller in known:
            return hierarchy
    return None


def _below(hierarchy: Hierarchy, name: str) -> str:
    return f"{hierarchy.group.rstrip('/')}/{name}"


def _with(limit: Limit, setting: Setting) -> Limit:
    return limit._replace(
        files=limit.files + setting.files,
        optional=limit.optional + setting.optional,
        events=limit.events or setting.events,
        flat=limit.flat or setting.controller == FLAT,
    )


def _version_2(settings: Sequence[Setting], facts: LimitFacts) -> Limit:
    """Return the one group that all of ``settings`` are held in, without its files."""
    for setting in settings:
        if _with_controller(facts.hierarchies, 2, setting.controller) is None:
            raise LaunchError(
                f"{setting.option}: no cgroup hierarchy with the {setting.controller} controller",
                why=("none is mounted beneath /sys/fs/cgroup that this process is in",),
                hint=f"leave {setting.option} out, or mount one (cgroups(7))",
            )
    hierarchy = next(one for one in facts.hierarchies if one.version == 2)  # noqa: PLR2004 - above
    wanted = tuple(dict.fromkeys(setting.controller for setting in settings))
    missing = tuple(name for name in wanted if name not in hierarchy.enabled)
    has_all = hierarchy.controllers.issuperset(wanted)
    limit = Limit(_below(hierarchy, facts.name))
    if hierarchy.writable and not missing:
        return limit
    if hierarchy.writable and has_all and (hierarchy.top or hierarchy.alone):
        leaf = "" if hierarchy.top else f"{limit.directory}-launcher"
        return limit._replace(parent=hierarchy.group, controllers=missing, leaf=leaf)
    if facts.manager is not None:
        return Limit(
            f"{SCOPE}/container",
            parent=SCOPE,
            controllers=wanted,
            manager=facts.manager,
            unit=f"{facts.name}.scope",
        )
    raise _refusal(settings, hierarchy)


def _refusal(settings: Sequence[Setting], hierarchy: Hierarchy) -> LaunchError:
    """Return the error that says why the caller's group can have no limited child."""
    setting = settings[0]
    if not hierarchy.writable:
        return LaunchError(
            f"{setting.option}: cannot make a cgroup in {hierarchy.group}",
            why=("the caller may not write there, and no systemd was found to ask for a group",),
            hint=f"be root, or {_HINT}; {_CONTAINED}",
        )
    for setting in settings:
        if setting.controller not in hierarchy.controllers:
            return LaunchError(
                f"{setting.option}: the group {hierarchy.group} does not have the "
                f"{setting.controller} controller",
                why=("its parent does not pass it on (cgroup.subtree_control)",),
                hint=f"enable it there, or leave {setting.option} out",
            )
    return LaunchError(
        f"{setting.option}: the {setting.controller} controller cannot be given to a child "
        f"of {hierarchy.group}",
        why=("other processes are in that group, which then cannot have limited children",),
        hint=_HINT,
    )
