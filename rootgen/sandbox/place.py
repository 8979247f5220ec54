"""Places beneath a tree that nobody trusts: no link of it is ever followed.

A place is opened beneath the tree's own descriptor, or beneath that of what
we mounted ourselves where it lies in such a mount: who can rename
directories of the tree meanwhile (CVE-2021-30465) may have a mount appear
elsewhere, and never has anything done to, or left undone in, another than
it is meant for.
"""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError
from rootgen.linux import mount as mounts
from rootgen.linux.path import first_link, open_beneath, read_link
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.mounts import TOP, is_own_device

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from typing import Any

    from rootgen.linux.calls import Handler

# Not with O_NOFOLLOW: openat2(2) would then open a link itself.
_PLACE = os.O_PATH
_FORMAT, _DIRECTORY = 0o170000, 0o040000
# The tree is there no longer, or is none.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# What rmdir(2) says of what was not made, or is in use by now.
_NOT_OURS = (errno.ENOENT, errno.ENOTEMPTY, errno.ENOTDIR, errno.EACCES, errno.EROFS)


def nearest(mounted: Container[str], path: str) -> tuple[str, str]:
    """Return which of the mounts ``path`` lies in, and the rest of the path beneath that.

    The tree's own mount is ``""``.
    """
    prefix = path.rstrip("/")
    while prefix not in mounted:
        prefix = prefix.rpartition("/")[0]
    return prefix, path[len(prefix) :].strip("/")


class Places:
    """The tree, and what has been mounted in it so far, each as a descriptor."""

    def __init__(self, mounted: Mapping[str, int]) -> None:
        """Take the mounts' descriptors, which stay the caller's; the tree's own is ``""``."""
        self._mounted = mounted

    @property
    def tree(self) -> int:
        """The descriptor of the tree's own mount."""
        return self._mounted[""]

    def open(self, path: str, *, directory: bool) -> int:
        """Open a mount point, made where it lacks, in the tree or in what is mounted there.

        Raises LaunchError: what is there is a link, or of the wrong kind.
        """
        mounted, rest = nearest(self._mounted, path)
        base = self._mounted[mounted]
        try:
            descriptor = _open_or_make(base, rest, directory=directory) if rest else os.dup(base)
        except OSError as error:
            raise _in_the_way(base, mounted, rest, error) from error
        try:
            check_kind(descriptor, path, directory=directory)
        except LaunchError:
            os.close(descriptor)
            raise
        return descriptor


def check_kind(descriptor: int, path: str, *, directory: bool) -> None:
    """Raise LaunchError where what is to be mounted on is of another kind than the source."""
    if (os.fstat(descriptor).st_mode & _FORMAT == _DIRECTORY) == directory:
        return
    wanted = "a directory" if directory else "no directory"
    raise LaunchError(
        f"cannot mount on {path}: it is not {wanted}"
        if directory
        else f"cannot mount on {path}: it is a directory, and the source is none",
        hint=f"remove it from the tree, or make it {wanted}",
    )


def remove_made(tree: str, names: Iterable[str]) -> None:
    """Remove mount points that were made at the top of a tree, where they are empty.

    For a launch that failed: what was named may be no tree at all.
    """
    try:
        descriptor = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _GONE:
            return
        raise failure(f"open {tree} again", error) from error
    try:
        for name in names:
            try:
                os.rmdir(name, dir_fd=descriptor)
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise failure(f"remove {tree}/{name} again", error) from error
    finally:
        os.close(descriptor)


def failure(doing: str, error: OSError, hint: str = "") -> LaunchError:
    """Return the error that says what could not be done, why, and what to try."""
    return LaunchError(f"cannot {doing}: {error.strerror or error}", hint=hint or _hint(error))


def failing(doing: str, hint: str = "") -> Handler:
    """Return a handler of a recorded call that raises ``failure(doing, …)``."""

    def fail(_values: list[Any], _position: int, error: OSError) -> int:
        raise failure(doing, error, hint) from error

    return fail


def flag_words(flags: int) -> str:
    """Return mount flags as mount(8) has them: ``ro,nosuid``."""
    return ",".join(name for bit, name in mounts.FLAG_NAMES.items() if flags & bit)


def _hint(error: OSError) -> str:
    if error.errno in (errno.EROFS, errno.EACCES):
        return "the tree must be writable for missing mount points to be made; or make them there"
    if error.errno == errno.EMFILE:
        return "the caller may have too few files open at once: raise that limit, ulimit -n 64"
    if error.errno == errno.ENOSPC:
        return "see /proc/sys/fs/mount-max, or the space that is left on the tree's file system"
    return ""


def _open_or_make(root: int, path: str, *, directory: bool) -> int:
    try:
        return open_beneath(root, path, _PLACE)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    *parents, last = path.strip("/").split("/")
    current = os.dup(root)
    try:
        for name in parents:
            following = _open_or_make_one(current, name, directory=True)
            os.close(current)
            current = following
        return _open_or_make_one(current, last, directory=directory)
    finally:
        os.close(current)


def _open_or_make_one(parent: int, name: str, *, directory: bool) -> int:
    try:
        return open_beneath(parent, name, _PLACE)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=parent)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=parent))
    except FileExistsError:
        pass  # another launch of this tree made it meanwhile
    return open_beneath(parent, name, _PLACE)


def _in_the_way(base: int, mounted: str, rest: str, error: OSError) -> LaunchError:
    path = f"{mounted}/{rest}"
    link = first_link(base, rest)
    if link is None:
        return failure(f"open or make the mount point {path}", error)
    return LaunchError(
        f"cannot mount on {path}: {mounted}{link} is a symbolic link",
        why=("a link of the tree may lead out of it, so none is followed to a mount point",),
        hint=_instead(base, mounted, link, path),
    )


def _instead(base: int, mounted: str, link: str, path: str) -> str:
    whole = f"{mounted}{link}"
    if mounted and is_own_device(whole):
        return f"{whole} is the launch's own: choose another place inside"
    directory = f"make {whole} a directory of the tree"
    if path.split("/")[1] in TOP:
        return directory
    # On a merged /usr, /bin/x is /usr/bin/x: who names the place itself needs no link.
    to = os.path.normpath(os.path.join(os.path.dirname(whole), read_link(base, link)))
    return f"name what it leads to, {to}{path.removeprefix(whole)}, or {directory}"
