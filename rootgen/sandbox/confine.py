"""Walls that process 1 puts up, for good, before there is a program: Landlock and seccomp."""

from __future__ import annotations

import errno
import fcntl
import os

from rootgen.linux import landlock, seccomp
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.sandbox.launch import Landlock
    from rootgen.sandbox.seccomp.filter import Filter

_STREAMS = (0, 1, 2)
_FORMAT, _DIRECTORY, _SOCKET = 0o170000, 0o040000, 0o140000


def open_domain(wanted: Landlock) -> int | None:
    """Return a Landlock ruleset for what of the host stays in reach; None where there is none.

    Called while the host's files are still to be found. What the standard
    streams lead to may be opened again (``/dev/stdin``, ``/dev/stderr``),
    but not for more than they were opened for. Raises LaunchError.
    """
    if not (wanted.files or wanted.sockets):
        return None
    rights = landlock.file_rights(wanted.version) if wanted.files else 0
    try:
        ruleset = landlock.create_ruleset(rights, scope_abstract_sockets=wanted.sockets)
        if wanted.files:
            for stream in _STREAMS:
                _allow_stream(ruleset, stream, rights)
            for path in wanted.interpreters:
                _allow_interpreter(ruleset, path, rights)
    except OSError as error:
        raise failure(f"make a Landlock ruleset ({error.filename})", error) from error
    return ruleset


def _allow_stream(ruleset: int, stream: int, rights: int) -> None:
    try:
        kind = os.fstat(stream).st_mode & _FORMAT
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
    _allow(ruleset, stream, allowed & rights)


def _allow_interpreter(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # registered by a name that is gone: then the kernel's own is not to be had
    _allow(ruleset, place, (landlock.EXECUTE | landlock.READ_FILE) & rights)
    os.close(place)


def _allow(ruleset: int, place: int, rights: int) -> None:
    try:
        landlock.allow(ruleset, place, rights)
    except OSError as error:
        if error.errno != errno.EBADFD:  # a pipe: nothing that Landlock looks after
            raise


def enter_domain(domain: int | None, wanted: Landlock) -> None:
    """Enter the domain that ``open_domain`` returned; the change of root is done.

    Raises LaunchError.
    """
    if domain is None:
        return
    try:
        if wanted.files:
            root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            landlock.allow(domain, root, landlock.file_rights(wanted.version))
            os.close(root)
        landlock.restrict_self(domain)
    except OSError as error:
        hint = (
            "sixteen domains within each other are the most" if error.errno == errno.E2BIG else ""
        )
        raise failure(f"enter a Landlock domain ({error.filename})", error, hint) from error


def install_filters(filters: Iterable[Filter], *, late: bool) -> None:
    """Install those filters that are for the program alone (``late``), or the others.

    no_new_privs is set by now, so that it takes no capability (seccomp(2));
    runc, for whom that is optional, has to do it before it drops its own.
    Raises LaunchError.
    """
    for one in filters:
        if one.late != late:
            continue
        flags = sum({seccomp.FLAGS[name] for name in one.flags})
        try:
            seccomp.install_filter(one.program, flags)
        except OSError as error:
            hint = "--seccomp none launches without a filter"
            if error.errno in (errno.ENOSYS, errno.EINVAL):
                hint = f"this kernel may have no seccomp filters, or not these flags; {hint}"
            raise failure(f"install the seccomp filter ({one.name})", error, hint) from error
