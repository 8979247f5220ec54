"""Opening what lies beneath a directory, whatever links stand in there (openat2(2), Linux 5.6).

Where the kernel (or a seccomp filter older than the call) has no openat2,
the components are opened one by one with O_NOFOLLOW, which refuses the same
links. A root that something else changes at the same time is then no less
safe: each step holds the descriptor of the directory that it checked.
"""

from __future__ import annotations

import errno
import os
from struct import pack

from rootgen.linux.libc import OPENAT2, error, last_errno, system_call
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootgen.linux.calls import Handler, Label, Recorder, Slot

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_IN_ROOT = 0x10
_BENEATH = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS

# What says that a path is not there as plain directories and a file.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_ATTEMPTS = 32  # EAGAIN: a rename elsewhere raced with the resolution of a ".."
_FORMAT, _LINK = 0o170000, 0o120000  # S_IFMT, S_IFLNK; importing stat costs a millisecond
_LINKS_LIMIT = 40  # path_resolution(7)


def encoded(path: str) -> bytes:
    """Return a path as the C library takes it; raise OSError for one that a zero would cut."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise error(errno.EINVAL, path)
    return name


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open ``path`` beneath ``directory`` and follow no symbolic link at all.

    A leading slash means ``directory``; the descriptor is close-on-exec.
    Raises OSError: ELOOP (or, without openat2, ENOTDIR) where a component
    is a symbolic link, EXDEV where ``..`` would leave.
    """
    relative = path.strip("/") or "."
    descriptor = _openat2(directory, relative, flags, _BENEATH)
    if descriptor is None:
        descriptor = _walk(directory, relative, flags)
    return descriptor


def record_open(
    recorder: Recorder,
    directory: Slot,
    path: str,
    flags: int,
    failed: Handler,
    absent: Label | None = None,
) -> Slot:
    """Record an ``open_beneath``; return where its descriptor will be.

    With ``absent`` that is gone on with where the path is not there as plain directories and a
    file.
    """
    relative = path.strip("/") or "."
    opened: Slot

    def again(values: list[Any], position: int, error: OSError) -> int:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EAGAIN):
            return failed(values, position, error)
        try:
            values[opened.at] = open_beneath(values[directory.at], path, flags)
        except OSError as refused:
            return failed(values, position, refused)
        return position + 1

    name = encoded(relative)
    expected = _ABSENT if absent is not None else ()
    opened = _record(recorder, (directory, name, flags, _BENEATH), again, expected, absent)
    return opened


def record_open_in_root(
    recorder: Recorder, directory: Slot, path: str | Slot, flags: int, failed: Handler
) -> Slot:
    """Record an ``open_in_root`` of what is a path or will be one, as bytes; there will it be.

    ``failed`` is told of a kernel that has no such call, too.
    """
    name = path if not isinstance(path, str) else encoded(path)
    resolve = _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS
    return _record(recorder, (directory, name, flags, resolve), failed)


def _record(
    recorder: Recorder,
    what: tuple[Slot, bytes | Slot, int, int],
    failed: Handler,
    expected: tuple[int, ...] = (),
    then: Label | None = None,
) -> Slot:
    opened = recorder.value()
    directory, name, flags, resolve = what
    how = pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)  # struct open_how
    arguments = (directory, name, how, len(how))
    recorder.system_call(
        OPENAT2, *arguments, into=opened, failed=failed, expected=expected, then=then
    )
    return opened


def open_in_root(directory: int, path: str, flags: int) -> int:
    """Open ``path`` as if ``directory`` were the root: its links are followed within it.

    The descriptor is close-on-exec. Raises OSError.
    """
    descriptor = _openat2(directory, path or ".", flags, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    if descriptor is None:
        descriptor = _follow(directory, path, flags)
    return descriptor


def _openat2(directory: int, path: str, flags: int, resolve: int) -> int | None:
    """Return a descriptor, or None where there is no such call (or a filter forbids it)."""
    how = pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)
    name = encoded(path)
    for _ in range(_ATTEMPTS):
        result = system_call(OPENAT2, directory, name, how, len(how))
        if result >= 0:
            return result
        number = last_errno()
        if number != errno.EAGAIN:
            break
    # Filters of container engines from before 2020 answer EPERM for calls unknown to them;
    # openat2 itself gives EPERM only for O_NOATIME, which nobody here asks for.
    if number in (errno.ENOSYS, errno.EPERM):
        return None
    raise error(number, path)


def _walk(directory: int, path: str, flags: int) -> int:
    """Open component by component; links are refused by O_NOFOLLOW."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise error(errno.EXDEV, path)
    current = os.open(".", os.O_PATH | os.O_DIRECTORY, dir_fd=directory)
    try:
        for part in parts[:-1]:
            following = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = following
        return _open_last(current, parts[-1] if parts else ".", flags)
    finally:
        os.close(current)


def _open_last(directory: int, name: str, flags: int) -> int:
    """Open ``name``; O_PATH with O_NOFOLLOW would open the link itself, which is refused."""
    descriptor = os.open(name, flags | os.O_NOFOLLOW, dir_fd=directory)
    if flags & os.O_PATH and is_link(descriptor):
        os.close(descriptor)
        raise error(errno.ELOOP, name)
    return descriptor


def _follow(directory: int, path: str, flags: int) -> int:
    """Resolve links by hand, within ``directory``, then open what they lead to."""
    pending = _pending(path)
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part in (".", ".."):
            # What it is said of must be a directory, as the kernel has it.
            os.close(_walk(directory, "/".join(done) or ".", os.O_PATH | os.O_DIRECTORY))
            if part == "..":
                del done[-1:]
            continue
        descriptor = _walk_to_link(directory, [*done, part])
        try:
            if not is_link(descriptor):
                done.append(part)
                continue
            target = os.fsdecode(os.readlink("", dir_fd=descriptor))
        finally:
            os.close(descriptor)
        links += 1
        if links > _LINKS_LIMIT:
            raise error(errno.ELOOP, path)
        if target.startswith("/"):
            done.clear()
        pending.extend(_pending(target))
    return _walk(directory, "/".join(done) or ".", flags)


def _pending(path: str) -> list[str]:
    """Return the components of ``path``, the first one last; a slash at the end is a dot."""
    parts = [part for part in path.split("/") if part]
    if path.endswith("/"):
        parts.append(".")
    return parts[::-1]


def _walk_to_link(directory: int, parts: list[str]) -> int:
    """Open what ``parts`` (all but the last known to be no links) name, itself."""
    parent = _walk(directory, "/".join(parts[:-1]) or ".", os.O_PATH | os.O_DIRECTORY)
    try:
        return os.open(parts[-1], os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    finally:
        os.close(parent)


def is_link(descriptor: int) -> bool:
    """Say whether an O_PATH descriptor is of a symbolic link."""
    return os.fstat(descriptor).st_mode & _FORMAT == _LINK


def read_link(directory: int, path: str) -> str:
    """Return the text of the symbolic link ``path``, whose parents are none; raise OSError."""
    descriptor = _walk_to_link(directory, [part for part in path.split("/") if part])
    try:
        return os.fsdecode(os.readlink("", dir_fd=descriptor))
    finally:
        os.close(descriptor)


def first_link(directory: int, path: str) -> str | None:
    """Return the first component of ``path`` that is a symbolic link, as a path; None if none is.

    For messages: what it says was true when it looked.
    """
    parts = [part for part in path.split("/") if part]
    current = os.dup(directory)
    try:
        for end, part in enumerate(parts, 1):
            following = os.open(part, os.O_PATH | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = following
            if is_link(current):
                return "/" + "/".join(parts[:end])
    except OSError:
        return None
    finally:
        os.close(current)
    return None
