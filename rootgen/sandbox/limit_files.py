"""Which files of a group hold a limit, and what is written there, for cgroup versions 1 and 2.

Sources: the kernel's Documentation/admin-guide/cgroup-v1/{memory,pids,
blkio-controller}.rst, Documentation/scheduler/sched-bwc.rst and
Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.sandbox.options import IoLimit, Options

    Files = tuple[tuple[str, str], ...]

# Groups within one of version 1's blkio are not held by its limits (blkio-controller.rst).
FLAT = "blkio"
_PERIOD = 100_000  # microseconds: the kernel's own default
_LEAST_QUOTA = 1_000  # sched-bwc.rst: a quota below 1 ms is refused
_V1_IO = {
    "rbps": "blkio.throttle.read_bps_device",
    "wbps": "blkio.throttle.write_bps_device",
    "riops": "blkio.throttle.read_iops_device",
    "wiops": "blkio.throttle.write_iops_device",
}


class Setting(NamedTuple):
    """One limit that was asked for with ``option``, in one version of cgroups.

    ``files`` are names and what to write there; ``optional`` ones may lack;
    ``events`` is the file that counts out-of-memory kills.
    """

    option: str
    controller: str
    files: Files
    optional: Files = ()
    events: str = ""


def settings_of(options: Options, devices: Mapping[str, str]) -> Iterator[tuple[Setting, Setting]]:
    """Yield each limit that was asked for, for version 1 and for version 2.

    ``devices`` has the ``MAJOR:MINOR`` of what ``--io`` names.
    """
    if options.memory is not None:
        yield _memory(str(options.memory))
    if options.cpus is not None:
        quota = max(int(options.cpus * _PERIOD), _LEAST_QUOTA)
        yield (
            Setting(
                "--cpus",
                "cpu",
                (("cpu.cfs_period_us", str(_PERIOD)), ("cpu.cfs_quota_us", str(quota))),
            ),
            Setting("--cpus", "cpu", (("cpu.max", f"{quota} {_PERIOD}"),)),
        )
    if options.pids is not None:
        # Process 1 is ours and counts: the program gets what was asked for.
        setting = Setting("--pids", "pids", (("pids.max", str(options.pids + 1)),))
        yield setting, setting
    for limit in options.io:
        yield _io(limit, devices[limit.device])


def _memory(size: str) -> tuple[Setting, Setting]:
    # With swap beyond the limit, what does not fit would go there, which is no limit.
    return (
        Setting(
            "--memory",
            "memory",
            (("memory.limit_in_bytes", size),),
            (("memory.memsw.limit_in_bytes", size), ("memory.use_hierarchy", "1")),
            events="memory.oom_control",
        ),
        Setting(
            "--memory",
            "memory",
            (("memory.max", size),),
            (("memory.swap.max", "0"),),
            events="memory.events",
        ),
    )


def _io(limit: IoLimit, device: str) -> tuple[Setting, Setting]:
    words = " ".join(f"{name}={rate}" for name, rate in limit.rates)
    return (
        Setting(
            "--io", "blkio", tuple((_V1_IO[name], f"{device} {rate}") for name, rate in limit.rates)
        ),
        Setting("--io", "io", (("io.max", f"{device} {words}"),)),
    )
