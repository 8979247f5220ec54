"""The launcher's child: process 1 of the new namespaces, from the clone to the last wait.

It performs the steps of the Launch, gives up what the program may not have,
starts the program, and then waits for whatever becomes its child and passes
signals on. All that it needs is imported before the clone: after the change
of root the host's Python is out of reach.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal

from rootgen.errors import LaunchError
from rootgen.linux import capability, message, namespace, network, process
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox import confine
from rootgen.sandbox.build import build_root
from rootgen.sandbox.launch import HOSTNAME
from rootgen.sandbox.place import failure
from rootgen.sandbox.privileges import give_up_privileges
from rootgen.sandbox.program import start_program
from rootgen.sandbox.report import (
    CHANNEL,
    GO,
    GO_KEEP,
    STARTED,
    STARTED_CHROOT,
    TERMINAL,
    pack_error,
)
from rootgen.sandbox.rlimit import raise_hard_limits
from rootgen.sandbox.root import change_root
from rootgen.sandbox.signals import CAUGHT, pass_on, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from rootgen.sandbox.launch import Launch

_STREAMS = (0, 1, 2)
_FAILED = 125
_FILTERED = (
    "a filter of system calls of the container around this forbids it: start that one without "
    "(podman run --security-opt seccomp=unconfined)"
)
_COMMAND_LINE = b"rootgen: process 1"


def be_process_one(
    launch: Launch, channel: int, mask: Iterable[int], streams: tuple[int, int, int]
) -> NoReturn:
    """Perform ``launch`` in this process, which clone(2) just made; never return.

    ``channel`` leads to the launcher; ``mask`` are the signals that the
    program is to have blocked, ``streams`` the descriptors that become its
    standard streams. What goes wrong is told on the channel.
    """
    status = _FAILED
    try:
        if streams != _STREAMS:
            channel = _take_streams(channel, streams)
        if channel != CHANNEL:
            os.dup2(channel, CHANNEL, inheritable=False)
        # Nothing that the caller left open is carried along, not even up to the exec: a
        # directory of the host could be reached through /proc/self/fd (CVE-2024-21626).
        process.close_from(CHANNEL + 1)
        # Nor the caller's terminal: who may trace us would have it from us, as /dev/tty.
        os.setsid()
        if (word := os.read(CHANNEL, len(GO_KEEP))) in (GO, GO_KEEP):
            status = _perform(launch, mask, keep=word == GO_KEEP)
    except LaunchError as error:
        message.send(CHANNEL, pack_error(error))
        status = error.exit_status
    except BaseException as error:  # noqa: BLE001 - nothing may get past: above is the launcher's own stack
        text = f"{type(error).__name__}: {error}"
        message.send(CHANNEL, pack_error(LaunchError(f"process 1 failed: {text}")))
    finally:
        os._exit(status)


def _take_streams(channel: int, streams: tuple[int, int, int]) -> int:
    """Make three descriptors 0, 1 and 2, whatever their numbers were; return the channel's."""
    # First all out of the way: one could stand where another belongs.
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, CHANNEL + 1) for one in (channel, *streams)]
    for number in _STREAMS:
        os.dup2(moved[1 + number], number)
    return moved[0]


def _perform(launch: Launch, mask: Iterable[int], *, keep: bool) -> int:
    process.set_command_line(_COMMAND_LINE)
    _enter_namespaces(launch)
    kept = _open_namespaces(launch) if keep else ()
    domain = confine.open_domain(launch.landlock)
    null, terminal, chrooted = _build_root(launch)
    raise_hard_limits(launch.rlimits)
    give_up_privileges(launch)
    confine.enter_domain(domain, launch.landlock)
    # Who is not dumpable cannot be looked into from inside, whatever its ids
    # (PR_SET_DUMPABLE(2const)): /proc/1/exe and /proc/1/root lead to the host.
    process.set_dumpable(dumpable=False)
    _die_with_the_launcher()
    # From here on process 1 calls nothing that the program may not call either.
    confine.install_filters(launch.filters, late=False)
    program = start_program(launch, mask, terminal)
    message.send(CHANNEL, STARTED_CHROOT if chrooted else STARTED, *kept)
    for descriptor in kept:
        os.close(descriptor)
    if terminal is not None:
        os.close(terminal)
    _let_go_of_streams(null)
    return _wait_for(program)


def _enter_namespaces(launch: Launch) -> None:
    try:
        # Only now, so that its root is the group that the launcher put us in.
        if "cgroup" in launch.namespaces:
            namespace.unshare(namespace.CLONE_NEWCGROUP)
        if "time" in launch.namespaces:
            namespace.enter_new_time()
        _set_host_name(launch.hostname)
        if launch.loopback:
            network.bring_loopback_up()
    except OSError as error:
        hint = _FILTERED if error.errno == errno.EPERM else ""
        raise failure(f"set up the new namespaces ({error.filename})", error, hint) from error


def _set_host_name(name: str) -> None:
    """Name the host; one that nobody asked for stays another's where a filter forbids the call.

    podman's default filter does, for root without CAP_SYS_ADMIN. Raises OSError.
    """
    try:
        namespace.set_host_name(name)
    except PermissionError:
        if name != HOSTNAME:
            raise


def _open_namespaces(launch: Launch) -> tuple[int, ...]:
    """Open the namespaces of this process, in the order of the launch: another is to join them."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    return tuple(
        os.open(f"/proc/self/ns/{namespace.FILES[name]}", flags) for name in launch.namespaces
    )


def _build_root(launch: Launch) -> tuple[int, int | None, bool]:
    """Mount everything and change the root.

    Return the null device, the terminal's inner end, if there is one, and
    whether it took chroot(2).
    """
    tree, null, terminal = build_root(launch)
    chrooted = change_root(tree, launch.pivot)
    if chrooted:
        _tell_of_chroot(launch)
        launch_capabilities = [name for name in launch.capabilities if name != "SYS_CHROOT"]
        capability.drop_bounding(capability.mask(launch_capabilities))
    os.close(tree)
    if terminal is None:
        return null, None, chrooted
    outer, inner = terminal
    message.send(CHANNEL, TERMINAL, outer)
    os.close(outer)
    return null, inner, chrooted


def _tell_of_chroot(launch: Launch) -> None:
    reason = "" if launch.pivot == "chroot" else "pivot_root is refused here; "
    text = f"rootgen: {reason}the root was changed by chroot, which is weaker: no CAP_SYS_CHROOT\n"
    os.write(2, text.encode())


def _die_with_the_launcher() -> None:
    """Arm the kernel to kill us when the launcher dies; and if it has died already, die.

    Armed after the change of ids, which disarms it. Process 1's end is every process's.
    """
    process.set_parent_death_signal(signal.SIGKILL)
    if message.has_hung_up(CHANNEL):
        os._exit(_FAILED)


def _let_go_of_streams(null: int) -> None:
    """Hold no copy of the program's streams: who reads them is to see their end."""
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.close(null)


def _wait_for(program: int) -> int:
    """Reap every child and pass signals on until the program ends; return its status.

    Only signals from outside are passed on: their sender has no id in here
    (kill(2) gives 0), and process 1 is nobody's to signal from inside.
    """
    while True:
        told = signal.sigwaitinfo(CAUGHT)
        if told.si_signo == signal.SIGCHLD:
            status = _reap(program)
            if status is not None:
                return status
        elif told.si_pid == 0:
            pass_on(program, told.si_signo)


def _reap(program: int) -> int | None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return _FAILED
        if child == program:
            return status_of(status)
        if child == 0:
            return None
