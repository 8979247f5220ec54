"""The kernel that all share: its files, its keys, its calls, its groups."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from tests.attacks.launchers import Request
from tests.attacks.outcome import Outcome, by_effect, judge
from tests.attacks.scene import programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.launchers import Launcher
    from tests.attacks.scene import Scene

# What tells of the memory, the keys and the timers of the host to whoever is root.
TELLING = (
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/latency_stats",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/kpagecgroup",
    "/proc/vmallocinfo",
    "/proc/slabinfo",
    "/proc/pagetypeinfo",
    "/proc/interrupts",
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_MEMORY = 64 << 20


def proc_root(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the root of another process leads to the host."""
    return judge(scene.run(launcher, "proc_root", str(scene.secret)), scene.token)


def core_pattern(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: what the kernel runs on the host for a core dump is written."""
    return judge(scene.run(launcher, "write_same", "/proc/sys/kernel/core_pattern"))


def sysctl(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a knob of the kernel that all share is turned."""
    return judge(scene.run(launcher, "write_same", "/proc/sys/vm/swappiness"))


def sysrq(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the machine is told to reboot, or whatever sysrq knows."""
    return judge(scene.run(launcher, "write_same", "/proc/sysrq-trigger", "open"))


def sysfs(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a knob in /sys is turned."""
    return judge(scene.run(launcher, "write_same", "/sys/kernel/rcu_expedited"))


def kernel_memory(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: files that tell of the host's memory, keys and timers are read."""
    return judge(scene.run(launcher, "read_any", *TELLING))


def device_mode(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a device of the host, also one that hides something, gets another mode."""
    before = [os.stat(f"/dev/{name}").st_ctime_ns for name in _DEVICES]
    hidden = [*TELLING, "/dev/console", *(f"/dev/{name}" for name in _DEVICES)]
    done = scene.run(launcher, "chmod_mask", *hidden)
    after = [os.stat(f"/dev/{name}").st_ctime_ns for name in _DEVICES]
    changed = [name for name, one, two in zip(_DEVICES, before, after, strict=True) if one != two]
    return by_effect(done, f"changed the mode of the host's {changed}" if changed else "")


def keyring(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a key of the caller is read."""
    before = [str(programs()), "keyring_with", scene.token]
    return judge(scene.run(launcher, "keyring", before=before), scene.token)


def surface(name: str) -> Callable[[Scene, Launcher], Outcome]:
    """Return the attack that makes the system call ``name``."""

    def attack(scene: Scene, launcher: Launcher) -> Outcome:
        return judge(scene.run(launcher, "surface", name))

    attack.__doc__ = f"The system call {name} is made."
    return attack


def user_namespace(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: all capabilities are had in a user namespace of one's own."""
    return judge(scene.run(launcher, "user_namespace", request=Request(pivot=True)))


def host_name(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the host's name is set."""
    return judge(scene.run(launcher, "hostname", os.readlink("/proc/self/ns/uts")))


def clock(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the host's clock is set."""
    return judge(scene.run(launcher, "clock_change"))


def kernel_log(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the kernel's messages are read."""
    return judge(scene.run(launcher, "kernel_log"))


def abstract_socket(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a service of the host that listens on an abstract socket is reached."""
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(f"\0{scene.token[:16]}")
        service.listen()
        answering = threading.Thread(target=_answer, args=(service, scene.token))
        answering.start()
        try:
            return judge(scene.run(launcher, "abstract_socket", scene.token[:16]), scene.token)
        finally:
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(f"\0{scene.token[:16]}")
            answering.join()


def _answer(service: socket.socket, token: str) -> None:
    """Tell who comes first; at the end that is ourselves, so that nobody waits for ever."""
    connection, _ = service.accept()
    with connection:
        try:
            connection.sendall(token.encode())
        except OSError:  # ourselves, gone already
            return


def release_agent(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the kernel runs a program of the tree on the host, when a group becomes empty."""
    owned = scene.host / "owned"
    agent = scene.tree / "bin/agent"
    agent.write_text(f"#!/bin/sh\necho owned >{owned}\n")
    agent.chmod(0o755)
    done = scene.run(launcher, "release_agent", str(agent))
    return by_effect(done, "a program of the tree ran on the host" if owned.exists() else "")


def leave_group(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the process moves to a group above, where no limit holds."""
    for path in ("/sys/fs/cgroup/pids/cgroup.procs", "/sys/fs/cgroup/cgroup.procs"):
        if os.path.exists(path):
            break
    return judge(scene.run(launcher, "leave_group", path))


def raise_limit(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the limit of the group that one is in is lifted, by mounting the hierarchy inside."""
    taken = str(4 * _MEMORY)
    top, words = "/sys/fs/cgroup", ["cgroup2", "", taken, "memory.max", "max"]
    if os.path.exists("/sys/fs/cgroup/memory"):
        swap = ["memory.memsw.limit_in_bytes", "-1"]
        words = ["cgroup", "memory", taken, *swap, "memory.limit_in_bytes", "-1"]
        top = f"{top}/memory"
    group = f"{top}/attack-{scene.token[:8]}"
    before = _limited(group, words[-2]) if launcher.name == "naive" else []
    request = Request(memory=_MEMORY, pivot=True)
    return judge(scene.run(launcher, "raise_limit", *words, request=request, before=before))


def _limited(group: str, limit: str) -> list[str]:
    """Return what runs a command in a group of its own with a limit, as people write it."""
    script = (
        f"mkdir {group}; echo {_MEMORY} >{group}/{limit}; echo $$ >{group}/cgroup.procs; "
        f'"$@"; echo $$ >{os.path.dirname(group)}/cgroup.procs; rmdir {group}'
    )
    return ["sh", "-c", script, "sh"]
