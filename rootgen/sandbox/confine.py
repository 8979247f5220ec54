"""Walls that process 1 puts up, for good, before there is a program: Landlock and seccomp."""

from __future__ import annotations

import errno
import fcntl
import os

from rootgen.linux import landlock, seccomp
from rootgen.linux.calls import Recorder, perform
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure
from rootgen.sandbox.seccomp.bpf import join

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from rootgen.linux.calls import Handler
    from rootgen.sandbox.launch import Landlock
    from rootgen.sandbox.seccomp.filter import Filter

_STREAMS = (0, 1, 2)
# The devices of file systems that Landlock is known not to look after: the one of all pipes.
_unseen: set[int] = set()
_FORMAT, _DIRECTORY, _SOCKET = 0o170000, 0o040000, 0o140000


def has_domain(wanted: Landlock) -> bool:
    """Say whether there is anything for Landlock to do."""
    return wanted.files or wanted.sockets


def open_domain(wanted: Landlock, streams: Iterable[int] = _STREAMS) -> int | None:
    """Return a Landlock ruleset for what of the host stays in reach; None where there is none.

    Called while the host's files are still to be found. What the standard
    streams lead to may be opened again (``/dev/stdin``, ``/dev/stderr``),
    but not for more than they were opened for; ``streams`` are what will be
    those. Raises LaunchError.
    """
    if not has_domain(wanted):
        return None
    rights = landlock.file_rights(wanted.version) if wanted.files else 0
    ruleset: int | None = None
    try:
        ruleset = landlock.create_ruleset(rights, scope_abstract_sockets=wanted.sockets)
        if wanted.files:
            for stream in streams:
                _allow_stream(ruleset, stream, rights)
            for path in wanted.interpreters:
                _allow_interpreter(ruleset, path, rights)
    except OSError as error:
        if ruleset is not None:
            os.close(ruleset)
        raise failure(f"make a Landlock ruleset ({error.filename})", error) from error
    return ruleset


def _allow_stream(ruleset: int, stream: int, rights: int) -> None:
    try:
        facts = os.fstat(stream)
        if facts.st_dev in _unseen:
            return
        kind = facts.st_mode & _FORMAT
        access = fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError as error:
        if error.errno == errno.EBADF:  # the caller had it closed
            return
        raise
    if kind in (_DIRECTORY, _SOCKET):
        return
    allowed = landlock.IOCTL_DEV
    if access != os.O_WRONLY:
        allowed |= landlock.READ_FILE
    if access != os.O_RDONLY:
        allowed |= landlock.WRITE_FILE | landlock.TRUNCATE
    if not _allow(ruleset, stream, allowed & rights):
        _unseen.add(facts.st_dev)


def _allow_interpreter(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # registered by a name that is gone: then the kernel's own is not to be had
    _allow(ruleset, place, (landlock.EXECUTE | landlock.READ_FILE) & rights)
    os.close(place)


def _allow(ruleset: int, place: int, rights: int) -> bool:
    """Say whether it is on a file system that Landlock looks after: not a pipe, a socket."""
    try:
        landlock.allow(ruleset, place, rights)
    except OSError as error:
        if error.errno != errno.EBADFD:
            raise
        return False
    return True


def record_domain(recorder: Recorder, domain: int, wanted: Landlock) -> None:
    """Record that the domain which ``open_domain`` returned is entered, after the change of root.

    What is recorded raises LaunchError.
    """

    def failed(_values: list[Any], _position: int, error: OSError) -> int:
        deep = "sixteen domains within each other are the most"
        hint = deep if error.errno == errno.E2BIG else ""
        raise failure("enter a Landlock domain", error, hint) from error

    if wanted.files:
        landlock.record_root(recorder, domain, landlock.file_rights(wanted.version), failed)
    landlock.record_restriction(recorder, domain, failed)


def record_filters(recorder: Recorder, filters: Iterable[Filter], *, late: bool) -> None:
    """Record those filters that are for the program alone (``late``), or the others.

    no_new_privs is set by then, so that it takes no capability (seccomp(2));
    runc, for whom that is optional, has to do it before it drops its own.
    What is recorded raises LaunchError.
    """
    for one in _joined([one for one in filters if one.late == late]):
        flags = sum({seccomp.FLAGS[name] for name in one.flags})
        seccomp.record_filter(recorder, one.program, flags, _filter_failed(one.name))


def _joined(filters: Sequence[Filter]) -> list[Filter]:
    """Return the filters, as few as say the same."""
    found: list[Filter] = []
    for one in filters:
        first = found[-1] if found and found[-1].flags == one.flags else None
        program = None if first is None else join(first.program, one.program)
        if first is None or program is None:
            found.append(one)
        else:
            found[-1] = one._replace(name=f"{first.name}, {one.name}", program=program)
    return found


def install_filters(filters: Iterable[Filter], *, late: bool) -> None:
    """Install those filters that are for the program alone (``late``), or the others.

    Raises LaunchError.
    """
    recorder = Recorder()
    record_filters(recorder, filters, late=late)
    perform(recorder.program())


def _filter_failed(name: str) -> Handler:
    def failed(_values: list[Any], _position: int, error: OSError) -> int:
        hint = "--seccomp none launches without a filter"
        if error.errno in (errno.ENOSYS, errno.EINVAL):
            hint = f"this kernel may have no seccomp filters, or not these flags; {hint}"
        raise failure(f"install the seccomp filter ({name})", error, hint) from error

    return failed
