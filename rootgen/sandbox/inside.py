"""The launcher's child: process 1 of the new namespaces, from the clone to the last wait.

It performs the steps of the Launch, gives up what the program may not have,
starts the program, and then waits for whatever becomes its child and passes
signals on. All that it needs is imported before the clone: after the change
of root the host's Python is out of reach.
"""

from __future__ import annotations

import errno
import os
import signal

from rootgen.errors import LaunchError
from rootgen.linux import capability, detached, message, namespace, network, process
from rootgen.linux.calls import FIRST, Program, Recorder, Slot, perform
from rootgen.linux.descriptor import record_closing, record_copy, record_number
from rootgen.linux.note import write_note
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox import confine
from rootgen.sandbox.build import record_root
from rootgen.sandbox.confine import has_domain
from rootgen.sandbox.launch import HOSTNAME
from rootgen.sandbox.mounter import Detached, Staged
from rootgen.sandbox.place import failing, failure
from rootgen.sandbox.privileges import record_privileges
from rootgen.sandbox.program import Start, prepare_start, start_program
from rootgen.sandbox.report import (
    CHANNEL,
    DOMAIN,
    GO,
    STARTED,
    STARTED_CHROOT,
    TERMINAL,
    pack_error,
)
from rootgen.sandbox.rlimit import exceeding, raise_hard_limits
from rootgen.sandbox.root import record_change, record_cutting_off
from rootgen.sandbox.signals import CAUGHT, pass_on, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    from rootgen.linux.calls import Handler
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.mounter import Mounter

_STREAMS = (0, 1, 2)
_FAILED = 125
_FILTERED = (
    "a filter of system calls of the container around this forbids it: start that one without "
    "(podman run --security-opt seccomp=unconfined)"
)
_COMMAND_LINE = b"rootgen: process 1"


class Confined(NamedTuple):
    """The calls that build the root and give up what the program may not have, and what is left.

    ``null`` is where the null device will be, ``terminal`` both ends of the terminal, if there is
    one, and ``chrooted`` whether it took chroot(2).
    """

    calls: Program
    null: Slot
    terminal: Slot | None
    chrooted: Slot


class Prepared(NamedTuple):
    """A launch whose calls are recorded, for any number of times that differ in the command only.

    ``begin`` is for who has the streams as they are to be, and for who has to take them. The
    first of the values of ``enter`` are the offsets of the clocks.
    """

    launch: Launch
    begin: tuple[Program, Program]
    enter: Program
    confine: Confined
    start: Start
    finish: Program


class _OlderKernelError(Exception):
    """The kernel, or a filter, knows no mounts that are nowhere yet."""


def prepare(launch: Launch) -> Prepared:
    """Record what process 1 of a launch does, before there is one."""
    begin = (_begin(launch, take=False), _begin(launch, take=True))
    confined = _confine(launch, Detached())
    enter, start = _enter_namespaces(launch), prepare_start(launch)
    return Prepared(launch, begin, enter, confined, start, _finish())


class Given(NamedTuple):
    """What process 1 has of the launcher's.

    ``channel`` leads to the launcher; ``domain`` is the Landlock ruleset, if
    there is one; ``streams`` become the program's standard streams, and ``mask`` are the signals
    that it is to have blocked; ``keep`` has the namespaces come with the word that it has started.
    """

    channel: int
    domain: int | None
    streams: tuple[int, int, int]
    mask: Iterable[int]
    keep: bool


def waits_for_word(launch: Launch) -> bool:
    """Say whether something is done to process 1 from outside before it goes on."""
    return bool(launch.limits or launch.id_map or launch.uplink)


def be_process_one(prepared: Prepared, given: Given) -> NoReturn:
    """Perform a launch in this process, which clone(2) just made; never return.

    What goes wrong is told on the channel.
    """
    status = _FAILED
    channel = given.channel
    try:
        begin = prepared.begin[given.streams != _STREAMS]
        begin.values[FIRST : FIRST + 5] = (given.channel, given.domain, *given.streams)
        perform(begin)
        channel = CHANNEL
        if not waits_for_word(prepared.launch) or os.read(CHANNEL, len(GO)) == GO:
            status = _perform(prepared, given)
    except LaunchError as error:
        message.send(channel, pack_error(error))
        status = error.exit_status
    except BaseException as error:  # noqa: BLE001 - nothing may get past: above is the launcher's own stack
        text = f"{type(error).__name__}: {error}"
        message.send(channel, pack_error(LaunchError(f"process 1 failed: {text}")))
    finally:
        os._exit(status)


def _begin(launch: Launch, *, take: bool) -> Program:
    """Record how the descriptors of a child get their numbers, and all else is closed.

    They are given as the first values: the channel, the Landlock ruleset, and what become the
    standard streams, if they are to be taken.
    """
    recorder = Recorder()
    channel, domain, *streams = (recorder.value() for _ in range(5))
    kept = [channel, domain] if has_domain(launch.landlock) else [channel]
    failed = failing("take the standard streams")
    # First all out of the way: one could stand where another belongs.
    above = CHANNEL + len(kept)
    for slot in (*kept, *(streams if take else ())):
        record_copy(recorder, slot, above, failed, into=slot)
    for number, slot in enumerate(streams if take else ()):
        record_number(recorder, slot, number, failed, inherited=True)
    for number, slot in enumerate(kept, CHANNEL):
        record_number(recorder, slot, number, failed, inherited=False)
    # Nothing that the caller left open is carried along, not even up to the exec: a
    # directory of the host could be reached through /proc/self/fd (CVE-2024-21626).
    process.record_closing_from(recorder, above)
    # Nor the caller's terminal: who may trace us would have it from us, as /dev/tty.
    process.record_new_session(recorder, failed)
    return recorder.program()


def _perform(prepared: Prepared, given: Given) -> int:
    launch = prepared.launch
    perform(prepared.enter)
    kept = _open_namespaces(launch) if given.keep else ()
    confined = prepared.confine
    try:
        perform(confined.calls)
    except _OlderKernelError:
        confined = _confine(launch, _staged())
        perform(confined.calls)
    values = confined.calls.values
    terminal = None if confined.terminal is None else values[confined.terminal.at][1]
    program = start_program(launch, prepared.start, given.mask, terminal)
    started = STARTED_CHROOT if values[confined.chrooted.at] else STARTED
    if kept:
        message.send(CHANNEL, started, *kept)
        for descriptor in kept:
            os.close(descriptor)
    else:
        os.write(CHANNEL, started)
    if terminal is not None:
        os.close(terminal)
    prepared.finish.values[FIRST] = values[confined.null.at]
    perform(prepared.finish)
    return _wait_for(program)


def _finish() -> Program:
    """Record that no copy of the program's streams is held: who reads them is to see their end.

    The null device is given as the first value.
    """
    recorder = Recorder()
    null = recorder.value()
    failed = failing("let go of the standard streams")
    for stream in _STREAMS:
        record_number(recorder, null, stream, failed, inherited=True)
    record_closing(recorder, null, failed)
    return recorder.program()


def _enter_namespaces(launch: Launch) -> Program:
    recorder = Recorder()
    offsets = recorder.value()
    process.record_command_line(recorder, _COMMAND_LINE, failing("say what this process is"))
    # Only now, so that its root is the group that the launcher put us in.
    if "cgroup" in launch.namespaces:
        failed = _namespace_failed("the cgroup namespace")
        namespace.record_unshare(recorder, namespace.CLONE_NEWCGROUP, failed)
    if "time" in launch.namespaces:
        failed = _namespace_failed("the time namespace")
        namespace.record_entering_new_time(recorder, offsets, failed)
    namespace.record_host_name(recorder, launch.hostname, _name_failed(launch.hostname))
    if launch.loopback:
        network.record_loopback_up(recorder, _namespace_failed("lo"))
    process.record_umask(recorder, 0, failing("set the umask"))
    record_cutting_off(recorder)
    return recorder.program()


def _namespace_failed(what: str) -> Handler:
    def failed(_values: list[Any], _position: int, error: OSError) -> int:
        hint = _FILTERED if error.errno == errno.EPERM else ""
        doing = f"set up the new namespaces ({error.filename or what})"
        raise failure(doing, error, hint) from error

    return failed


def _name_failed(name: str) -> Handler:
    """Go on without a name that nobody asked for, where a filter forbids the call.

    podman's default filter does, for root without CAP_SYS_ADMIN.
    """
    otherwise = _namespace_failed(name)

    def failed(values: list[Any], position: int, error: OSError) -> int:
        if error.errno == errno.EPERM and name == HOSTNAME:
            return position + 1
        return otherwise(values, position, error)

    return failed


def _open_namespaces(launch: Launch) -> tuple[int, ...]:
    """Open the namespaces of this process, in the order of the launch: another is to join them."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    return tuple(
        os.open(f"/proc/self/ns/{namespace.FILES[name]}", flags) for name in launch.namespaces
    )


def _staged() -> Staged:
    try:
        return Staged()
    except OSError as error:
        raise failure("make a place for mounts", error) from error


def _confine(launch: Launch, mounter: Mounter) -> Confined:
    """Record how everything is mounted, the root changed, and what is not needed given up."""
    recorder = Recorder()
    if isinstance(mounter, Detached):
        detached.record_probe(recorder, _is_older)
    built = record_root(recorder, launch, mounter)
    chrooted = record_change(recorder, built.tree, launch.pivot)
    failed = failing("change the root")
    given_up = recorder.value()
    recorder.call(_change_told, chrooted, launch, into=given_up, failed=failed)
    record_closing(recorder, built.tree, failed)
    if built.terminal is not None:
        recorder.call(_send_terminal, built.terminal, failed=failing("send the terminal"))
    if exceeding(launch.rlimits):
        recorder.call(raise_hard_limits, launch.rlimits, failed=failing("raise the limits"))
    record_privileges(recorder, launch, given_up)
    failed = failing("give up what the program may not have")
    if has_domain(launch.landlock):
        confine.record_domain(recorder, DOMAIN, launch.landlock)
    # Who is not dumpable cannot be looked into from inside, whatever its ids
    # (PR_SET_DUMPABLE(2const)): /proc/1/exe and /proc/1/root lead to the host.
    process.record_prctl(recorder, process.PR_SET_DUMPABLE, 0, failed)
    # Armed after the change of ids, which disarms it. Process 1's end is every process's.
    process.record_prctl(recorder, process.PR_SET_PDEATHSIG, signal.SIGKILL, failed)
    # And if it has died already, die.
    hung_up = message.record_hang_up(recorder, CHANNEL, failed)
    recorder.call(_end_where, hung_up, failed=failed)
    # From here on process 1 calls nothing that the program may not call either.
    confine.record_filters(recorder, launch.filters, late=False)
    return Confined(recorder.program(), built.null, built.terminal, chrooted)


def _is_older(_values: list[Any], _position: int, error: OSError) -> int:
    """Say that mounts cannot be made before they are anywhere."""
    raise _OlderKernelError from error


def _change_told(chrooted: bool, launch: Launch) -> int:  # noqa: FBT001 - recorded calls take no keywords
    """Tell of a root that was changed by chroot(2), and give up what could lead out of it.

    Returns which capabilities that is, as bits.
    """
    if not chrooted:
        return 0
    _tell_of_chroot(launch)
    leading_out = capability.mask(["SYS_CHROOT"])
    kept = capability.mask(launch.capabilities) & ~leading_out
    recorder = Recorder()
    capability.record_bounding(recorder, kept, failing("give up CAP_SYS_CHROOT"))
    perform(recorder.program())
    return leading_out


def _send_terminal(terminal: tuple[int, int]) -> None:
    message.send(CHANNEL, TERMINAL, terminal[0])
    os.close(terminal[0])


def _tell_of_chroot(launch: Launch) -> None:
    reason = "" if launch.pivot == "chroot" else "pivot_root is refused here; "
    text = f"rootgen: {reason}the root was changed by chroot, which is weaker: no CAP_SYS_CHROOT\n"
    write_note(text.encode())


def _end_where(hung_up: int) -> None:
    if hung_up:
        os._exit(_FAILED)


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
