"""Mounting beneath a tree that nobody trusts: no link of it is ever followed.

Every target is opened beneath the tree's own descriptor and then mounted on
through that descriptor, so that what was looked at is what is mounted on.
"""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError
from rootgen.linux import mount as mounts
from rootgen.linux.path import first_link, open_beneath, read_link
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.mounts import TOP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.sandbox.launch import Link, Mount, Node, Protect

# Not with O_NOFOLLOW: openat2(2) would then open a link itself.
_PLACE = os.O_PATH
_FORMAT, _DIRECTORY = 0o170000, 0o040000
# What rmdir(2) says of what was not made, or is in use by now.
_NOT_OURS = (errno.ENOENT, errno.ENOTEMPTY, errno.ENOTDIR, errno.EACCES, errno.EROFS)
# What says that a path is not there as plain directories and a file.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def mount(root: int, step: Mount, source: int | None) -> None:
    """Perform one mount beneath ``root``; ``source`` is what a bind was opened on."""
    target = open_place(root, step.target, directory=not step.file)
    try:
        if source is not None:
            flags = mounts.MS_BIND | mounts.MS_REC
            fresh = _mount(mounts.descriptor_path(source), target, step, flags)
        else:
            fresh = _mount(step.source, target, step, step.flags)
    finally:
        os.close(target)
    if step.flags and (source is not None or not fresh):
        _restrict(root, step.target, step.flags)


def make_node(root: int, node: Node) -> None:
    """Make one device node, open to everyone."""
    parent = open_place(root, os.path.dirname(node.path), directory=True)
    try:
        device = os.makedev(node.major, node.minor)
        os.mknod(os.path.basename(node.path), 0o020000 | node.mode, device, dir_fd=parent)
    except OSError as error:
        raise failure(f"make the device {node.path} ({node.major}:{node.minor})", error) from error
    finally:
        os.close(parent)


def make_link(root: int, link: Link) -> None:
    """Make one symbolic link."""
    parent = open_place(root, os.path.dirname(link.path), directory=True)
    try:
        os.symlink(link.target, os.path.basename(link.path), dir_fd=parent)
    except OSError as error:
        raise failure(f"make the link {link.path}", error) from error
    finally:
        os.close(parent)


def protect(root: int, step: Protect) -> None:
    """Hide a path or make it read-only; what is not there needs neither."""
    try:
        target = open_beneath(root, step.path, _PLACE)
    except OSError as error:
        if error.errno in _ABSENT:
            return
        raise failure(f"open {step.path} to protect it", error) from error
    directory = os.fstat(target).st_mode & _FORMAT == _DIRECTORY
    try:
        if not step.masked:
            mounts.mount_on(
                mounts.descriptor_path(target), target, "", mounts.MS_BIND | mounts.MS_REC
            )
        elif directory:
            mounts.mount_on("tmpfs", target, "tmpfs", mounts.MS_RDONLY, "size=0k,mode=555")
        else:
            mounts.mount_on("/dev/null", target, "", mounts.MS_BIND)
    except OSError as error:
        raise failure(f"mount over {step.path} to protect it", error) from error
    finally:
        os.close(target)
    # What hides a file is the host's /dev/null: root inside could change its mode for everybody.
    if not (step.masked and directory):
        _restrict(root, step.path, mounts.MS_RDONLY)


def bind_terminal(root: int, path: str, terminal: int) -> None:
    """Bind a terminal to ``path``, which is /dev/console."""
    target = open_place(root, path, directory=False)
    try:
        mounts.mount_on(mounts.descriptor_path(terminal), target, "", mounts.MS_BIND)
    except OSError as error:
        raise failure(f"bind the terminal to {path}", error) from error
    finally:
        os.close(target)


def remove_made(tree: str, names: Iterable[str]) -> None:
    """Remove mount points that were made at the top of a tree, where they are empty.

    For a launch that failed: what was named may be no tree at all.
    """
    descriptor = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
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


def _mount(source: str, target: int, step: Mount, flags: int) -> bool:
    """Mount; return false where that very file system is mounted there already.

    mount(2), EBUSY: the tree is the host's own root, and its sysfs is that of our network.
    """
    try:
        mounts.mount_on(source, target, step.fstype, flags, step.data)
    except OSError as error:
        if error.errno == errno.EBUSY and step.fstype == "sysfs":
            return False
        what = f"bind {step.source} to" if step.bind else f"mount {step.fstype} on"
        raise failure(f"{what} {step.target}", error, _mount_hint(step, error)) from error
    return True


def _mount_hint(step: Mount, error: OSError) -> str:
    if error.errno == errno.EPERM and step.fstype in ("proc", "sysfs"):
        return (
            f"the kernel allows this only where all of the host's /{step.target.strip('/')} is "
            "visible; inside another container it is partly hidden: start that one with it "
            "unmasked (podman run --security-opt unmask=ALL), or be root on the host"
        )
    return ""


def _hint(error: OSError) -> str:
    if error.errno in (errno.EROFS, errno.EACCES):
        return "the tree must be writable for missing mount points to be made; or make them there"
    if error.errno == errno.ENOSPC:
        return "see /proc/sys/fs/mount-max, or the space that is left on the tree's file system"
    return ""


def _restrict(root: int, path: str, flags: int) -> None:
    descriptor = open_beneath(root, path, _PLACE)
    try:
        mounts.restrict(descriptor, flags, recursive=True)
    except OSError as error:
        raise failure(f"restrict the mount {path} ({flag_words(flags)})", error) from error
    finally:
        os.close(descriptor)


def flag_words(flags: int) -> str:
    """Return mount flags as mount(8) has them: ``ro,nosuid``."""
    return ",".join(name for bit, name in mounts.FLAG_NAMES.items() if flags & bit)


def open_place(root: int, path: str, *, directory: bool) -> int:
    """Open a mount point beneath the tree, made where it lacks; raise LaunchError."""
    try:
        descriptor = _open_or_make(root, path, directory=directory)
    except OSError as error:
        raise _in_the_way(root, path, error) from error
    mode = os.fstat(descriptor).st_mode
    if (mode & _FORMAT == _DIRECTORY) != directory:
        os.close(descriptor)
        wanted = "a directory" if directory else "no directory"
        raise LaunchError(
            f"cannot mount on {path}: it is not {wanted}"
            if directory
            else f"cannot mount on {path}: it is a directory, and the source is none",
            hint=f"remove it from the tree, or make it {wanted}",
        )
    return descriptor


def _open_or_make(root: int, path: str, *, directory: bool) -> int:
    try:
        return open_beneath(root, path, _PLACE)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    parent_path, _, name = path.strip("/").rpartition("/")
    parent = _open_or_make(root, parent_path, directory=True) if parent_path else os.dup(root)
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=parent)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=parent))
        return open_beneath(parent, name, _PLACE)
    finally:
        os.close(parent)


def _in_the_way(root: int, path: str, error: OSError) -> LaunchError:
    link = first_link(root, path)
    if link is None:
        return failure(f"open or make the mount point {path}", error)
    return LaunchError(
        f"cannot mount on {path}: {link} is a symbolic link",
        why=("a link of the tree may lead out of it, so none is followed to a mount point",),
        hint=_instead(root, link, path),
    )


def _instead(root: int, link: str, path: str) -> str:
    directory = f"make {link} a directory of the tree"
    if path.split("/")[1] in TOP:
        return directory
    # On a merged /usr, /bin/x is /usr/bin/x: who names the place itself needs no link.
    to = os.path.normpath(os.path.join(os.path.dirname(link), read_link(root, link)))
    return f"name what it leads to, {to}{path.removeprefix(link)}, or {directory}"
