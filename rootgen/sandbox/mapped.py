"""Work on files of a launch's ids, for an ordinary user: done as root of a user namespace.

What ids of the map own, the caller may not give away, read or remove out
here. A child process in a user namespace of the same map may.
"""

from __future__ import annotations

import os
import signal

from rootgen.errors import LaunchError, RootgenError
from rootgen.linux import namespace
from rootgen.linux.process import set_parent_death_signal
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure
from rootgen.sandbox.report import pack_error, unpack_error
from rootgen.sandbox.start import clone_hint, write_maps

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from rootgen.sandbox.launch import IdMap

_CHUNK = 1 << 16
_DONE = b"done\0"


def in_user_namespace(id_map: IdMap | None, job: Callable[[], bytes]) -> bytes:
    """Return what ``job`` returns, done as root of a user namespace; without a map, done here.

    Raises LaunchError where there is no such namespace, and the RootgenError
    that the job raised. This process must have one thread only.
    """
    if id_map is None:
        return job()
    answer, theirs = os.pipe()
    waited, go = os.pipe()
    try:
        child = namespace.clone(namespace.CLONE_NEWUSER)
    except OSError as error:
        for descriptor in (answer, theirs, waited, go):
            os.close(descriptor)
        hint = clone_hint(error, user=True)
        raise failure("make a user namespace", error, hint) from error
    if child == 0:
        os.close(answer)
        os.close(go)
        _be_child(waited, theirs, job)
    os.close(theirs)
    os.close(waited)
    try:
        write_maps(id_map, child)
        os.write(go, b"x")
        told = _read_all(answer)
    except BaseException:
        # It hears Ctrl-C as we do; what it had begun, it takes back.
        os.kill(child, signal.SIGINT)
        raise
    finally:
        os.close(go)
        os.close(answer)
        os.waitpid(child, 0)
    if told.startswith(_DONE):
        return told.removeprefix(_DONE)
    raise unpack_error(told) or LaunchError("what worked in a user namespace was killed")


def _be_child(waited: int, answer: int, job: Callable[[], bytes]) -> NoReturn:
    """Do the job once the ids are mapped, and tell what came of it; never return."""
    told = b""
    try:
        set_parent_death_signal(signal.SIGKILL)
        if os.read(waited, 1):  # else the parent has died, or could not map
            told = _DONE + job()
    except RootgenError as error:
        told = pack_error(error)
    except BaseException as error:  # noqa: BLE001 - nothing may get past: above is the caller's own stack
        told = pack_error(LaunchError(f"{type(error).__name__}: {error}"))
    finally:
        try:
            view = memoryview(told)
            while view:
                view = view[os.write(answer, view) :]
        finally:
            os._exit(0)


def _read_all(descriptor: int) -> bytes:
    parts = []
    while data := os.read(descriptor, _CHUNK):
        parts.append(data)
    return b"".join(parts)
