"""A scope: a group that systemd makes for a process, and leaves to who asked (systemd.scope(5)).

systemd owns the tree of groups that it booted; who wants one asks it, and is
given a subtree (docs/CGROUP_DELEGATION.md). It is removed by systemd when
its last process is gone, whatever happened to who asked.
"""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.dbus import Bus, BusError

if TYPE_CHECKING:
    from rootgen.sandbox.limits import Manager

_SYSTEMD = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = "org.freedesktop.systemd1.Manager"
# sd-bus gives a call 25 seconds.
_PATIENCE = 25.0


def start_scope(manager: Manager, unit: str, processes: list[int]) -> None:
    """Have systemd make the scope ``unit`` and move processes there; return when that is done.

    Raises LaunchError.
    """
    properties: list[tuple[str, tuple[str, object]]] = [
        ("Description", ("s", "a container of rootgen")),
        ("PIDs", ("au", processes)),
        ("Delegate", ("b", True)),
        # One that failed is not kept to be looked at.
        ("CollectMode", ("s", "inactive-or-failed")),
    ]
    if manager.slice_name:
        properties.append(("Slice", ("s", manager.slice_name)))
    try:
        with Bus(manager.socket, _PATIENCE) as bus:
            bus.watch(_PATH, _MANAGER, "JobRemoved")
            called = (_SYSTEMD, _PATH, _MANAGER, "StartTransientUnit")
            (job,) = bus.call(*called, "ssa(sv)a(sa(sv))", (unit, "fail", properties, []))
            result = _wait_for(bus, job)
    except (OSError, BusError) as error:
        raise _failure(manager, unit, str(error)) from error
    if result != "done":
        raise _failure(manager, unit, f"the job ended as '{result}'")


def _wait_for(bus: Bus, job: str) -> str:
    while True:
        _, removed, _, result = bus.next_signal("JobRemoved")
        if removed == job:
            return str(result)


def _failure(manager: Manager, unit: str, why: str) -> LaunchError:
    return LaunchError(
        f"cannot have systemd make the scope {unit} over the bus {manager.socket}",
        why=(why,),
        hint="does this work? systemd-run --user --scope -p Delegate=yes true",
    )
