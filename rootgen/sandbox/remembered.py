"""Launches that go on without their caller, as files: who runs, since when, and how it ended.

Each is a directory of the user's own state directory, called by the
launch's name, with ``state`` (JSON) and the program's output. What is
written is believed only as far as it can be checked: a process is one with
that id *and* that start time, on this boot of the machine.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time

from rootgen.errors import LaunchError, UsageError
from rootgen.linux import process
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.stored import from_json, to_json
from rootgen.sandbox.stored_launch import LAUNCH_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import Launch

_STATE = "state"
_VERSION = 1
_NAME_LIMIT = 64
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_STATE_LIMIT = 16 << 20
_OTHERS = 0o077
_FORMAT, _DIRECTORY = 0o170000, 0o040000
# Of launches that have ended so many are remembered; the oldest is forgotten first.
_ENDED_LIMIT = 32


class Identity(NamedTuple):
    """A process: its id, and when it began (``linux.process.start_time``)."""

    process: int
    start: int


class Remembered(NamedTuple):
    """One launch. ``started`` and ``ended`` are times (time(2)).

    ``namespaces`` are descriptors of the supervisor: of each kind the
    number under which it has it open. ``status`` is None until the end is
    known; ``init`` is process 1, once it has started the program.
    """

    name: str
    tree: str
    command: tuple[str, ...]
    started: float
    boot: str
    supervisor: Identity
    launch: Launch
    init: Identity | None = None
    namespaces: tuple[tuple[str, int], ...] = ()
    status: int | None = None
    ended: float | None = None
    notes: tuple[str, ...] = ()


_CLASSES = LAUNCH_CLASSES | {one.__name__: one for one in (Identity, Remembered)}


def state_directory() -> str:
    """Return the directory of the user's launches, made where it lacks; raise LaunchError.

    /run/rootgen for root, else beneath $XDG_RUNTIME_DIR; without one,
    /tmp/rootgen-UID. It is the user's own and nobody else may enter it.
    """
    user = os.geteuid()
    if user == 0 and os.access("/run", os.W_OK):  # not whose, where we are root of our ids only
        path = "/run/rootgen"
    else:
        runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
        path = f"{runtime}/rootgen" if _is_ours(runtime, 0) else f"/tmp/rootgen-{user}"  # noqa: S108 - checked below
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise LaunchError(f"cannot make {path} for the state of launches: {error.strerror}") from (
            error
        )
    if not _is_ours(path, _OTHERS):
        raise LaunchError(
            f"{path} is not safe for the state of launches",
            why=("it must be a directory of yours that nobody else may enter",),
            hint="remove it, or set XDG_RUNTIME_DIR to a directory of yours",
        )
    return path


def _is_ours(path: str, forbidden: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    is_directory = status.st_mode & _FORMAT == _DIRECTORY
    return is_directory and status.st_uid == os.geteuid() and not status.st_mode & forbidden


def boot_id() -> str:
    """Return what tells this boot of the machine from any other (random(4), boot_id)."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def identity(process_id: int) -> Identity:
    """Return who we or a child of ours is, which may have ended; raise LaunchError for others."""
    start = process.start_time(process_id, ended=True)
    if start is None:
        raise LaunchError(f"process {process_id} has ended")
    return Identity(process_id, start)


def is_there(one: Identity) -> bool:
    """Say whether that very process is there and has not ended."""
    return process.start_time(one.process) == one.start


def check_name(name: str) -> str:
    """Return a name that a launch may have; raise UsageError for another."""
    plain = _NAME_CHARACTERS.issuperset(name) and name[:1] not in ("", ".", "-")
    if not plain or len(name) > _NAME_LIMIT:
        raise UsageError(
            f"'{name[:80]}' is no name for a launch",
            hint="up to 64 letters, digits and _ . -, of which the last two not at first",
        )
    return name


def claim(directory: str, one: Remembered) -> str:
    """Make the directory of a new launch, and return it; raise LaunchError where it runs already.

    What has ended and had that name is forgotten.
    """
    path = f"{directory}/{one.name}"
    # Made under a name that no launch can have, and renamed: a launch has its state from the first.
    made = _hidden(directory)
    os.mkdir(made, 0o700)
    try:
        write(made, one)
        while True:
            try:
                os.rename(made, path)
            except OSError as error:
                before = read(directory, one.name)
                if before is not None and is_running(before):
                    raise LaunchError(
                        f"a launch called {one.name} is running",
                        hint=f"rootgen stop {one.name}, or choose another --name",
                    ) from error
                forget(directory, one.name)
            else:
                return path
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _hidden(directory: str) -> str:
    """Return a name that no launch can have, and that says who made it."""
    return f"{directory}/.{os.getpid()}-{time.monotonic_ns():x}"


def write(path: str, one: Remembered) -> None:
    """Write a launch's state into its directory, at once as a whole."""
    data = json.dumps({"rootgen": _VERSION, "launch": to_json(one)}).encode()
    fresh = f"{path}/{_STATE}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
    os.rename(fresh, f"{path}/{_STATE}")


def read(directory: str, name: str) -> Remembered | None:
    """Return what is remembered of a launch, or None where nothing readable is."""
    try:
        return _read(os.open(f"{directory}/{name}/{_STATE}", os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return None


def _read(descriptor: int) -> Remembered | None:
    with open(descriptor, "rb") as file:
        try:
            found = from_json(json.loads(file.read(_STATE_LIMIT))["launch"], _CLASSES)
        except (ValueError, KeyError, TypeError):
            return None
    return found if isinstance(found, Remembered) else None


def hold(directory: str, name: str) -> tuple[int, Remembered] | None:
    """Open what is remembered of a launch, which nobody forgets by ``forget_held`` meanwhile.

    None where nothing readable is. Whoever stops a launch holds it until its end is read: there
    may be several, and each is to tell how it ended.
    """
    try:
        held = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    fcntl.flock(held, fcntl.LOCK_SH)
    found = read_held(held)
    if found is None:
        os.close(held)
        return None
    return held, found


def read_held(held: int) -> Remembered | None:
    """Return what is remembered of a launch that is held, or None where nothing readable is."""
    try:
        return _read(os.open(_STATE, os.O_RDONLY | os.O_CLOEXEC, dir_fd=held))
    except OSError:
        return None


def forget_held(directory: str, name: str, held: int) -> None:
    """Let go of what is held, and forget it; while others hold it, that is left to the last."""
    path = f"{directory}/{name}"
    try:
        fcntl.flock(held, fcntl.LOCK_UN)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # What is called so by now may be the next launch.
        if os.path.samestat(os.stat(path), os.fstat(held)):
            forget(directory, name)
    except (BlockingIOError, FileNotFoundError):
        return  # another does it, or has done it
    finally:
        os.close(held)


def read_all(directory: str) -> Iterator[Remembered]:
    """Yield every launch that is remembered, by name; what is no launch's state is none."""
    for name in sorted(os.listdir(directory)):
        found = None if name.startswith(".") else read(directory, name)
        if found is not None:
            yield found


def is_running(one: Remembered) -> bool:
    """Say whether the supervisor of a launch is there, and with it the launch."""
    return one.status is None and is_there(one.supervisor) and one.boot == boot_id()


def open_supervisor(one: Remembered) -> int | None:
    """Open the supervisor of a launch as a pidfd; None where it is not there any more."""
    try:
        descriptor = os.pidfd_open(one.supervisor.process)
    except ProcessLookupError:
        return None
    # Whoever it is now it stays: only now is asked who that is.
    if is_running(one):
        return descriptor
    os.close(descriptor)
    return None


def forget(directory: str, name: str) -> None:
    """Remove all that is remembered of a launch, at once for who looks.

    Renamed first: of who is killed while it removes, ``tidy`` removes the rest.
    """
    gone = _hidden(directory)
    try:
        os.rename(f"{directory}/{name}", gone)
    except FileNotFoundError:
        return  # somebody was quicker
    shutil.rmtree(gone, ignore_errors=True)


def tidy(directory: str) -> None:
    """Forget the oldest of those that have ended, and what killed launchers left unfinished."""
    over = [one for one in read_all(directory) if not is_running(one)]
    over.sort(key=lambda one: one.started if one.ended is None else one.ended, reverse=True)
    for one in over[_ENDED_LIMIT:]:
        forget(directory, one.name)
    for name in os.listdir(directory):
        maker = name[1:].partition("-")[0]
        if name.startswith("."):
            if maker.isdigit() and process.start_time(int(maker)) is None:
                forget(directory, name)
        elif not os.path.lexists(f"{directory}/{name}/{_STATE}"):
            forget(directory, name)
