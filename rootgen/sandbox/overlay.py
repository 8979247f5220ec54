"""A stack of directories as one root (overlayfs, Documentation/filesystems/overlayfs.rst)."""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError
from rootgen.linux import message
from rootgen.linux import mount as mounts
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure
from rootgen.sandbox.report import CHANNEL, FUSE, STACKED

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch, Upper

_PERMISSIONS = 0o7777
_INSTEAD = "install fuse-overlayfs, which is taken where the kernel refuses"
# What a mount of the layers' own forbids is forbidden in the stack as well: overlayfs, which has
# a mount of its own, would know nothing of it.
_INHERITED = mounts.MS_NOSUID | mounts.MS_NOEXEC


def mount_stack(launch: Launch) -> int:
    """Mount the stack over /; return a descriptor of its root. Raises LaunchError.

    The directories are named by their descriptors, relative to
    /proc/self/fd: no name is looked up again, none needs quoting, and the
    names of 500 layers, the kernel's limit, fit into the 4,096 bytes that
    mount(2) takes.
    """
    root = launch.root
    opened = [_open(path) for path in reversed(root.layers)]
    flags = launch.root_flags
    for descriptor in opened:
        flags |= os.fstatvfs(descriptor).f_flag & _INHERITED
    data = f"lowerdir={':'.join(map(str, opened))}"
    if root.upper is not None:
        made = _open_upper(root.upper, root.upper.like or root.top)
        opened += made
        data += f",upperdir={made[0]},workdir={made[1]}"
    by_fuse = False
    try:
        os.chdir("/proc/self/fd")
        try:
            mounts.mount("overlay", "/", "overlay", 0, f"{data},{launch.root_data}")
        except OSError as error:
            # It would show what is mounted beneath as well, which in a stack is not seen.
            if not launch.fuse or any(map(_has_mounts, launch.root.layers)):
                raise
            _mount_fuse(launch, error)
            by_fuse = True
        os.chdir("/")
        stack = _open_over()
        mounts.restrict(stack, flags, recursive=False)
    except OSError as error:
        raise _refused(launch, error) from error
    for descriptor in opened:
        os.close(descriptor)
    if launch.fuse:
        if by_fuse:
            _await_answers(stack, launch)
        message.send(CHANNEL, STACKED)
    return stack


def _mount_fuse(launch: Launch, refused: OSError) -> None:
    """Mount a stack over / for which fuse-overlayfs is to answer, and have it started.

    fuse(4): the connection has to be opened in the user namespace that it is
    mounted in. Raises LaunchError.
    """
    try:
        connection = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        data = f"fd={connection},rootmode=40000,user_id=0,group_id=0"
        mounts.mount("fuse-overlayfs", "/", "fuse", 0, f"{data},default_permissions,allow_other")
    except OSError as error:
        told = _refused(launch, refused)
        why = f"nor can fuse-overlayfs, which is installed: /dev/fuse: {error.strerror}"
        raise LaunchError(told.what, why=(why,), hint=told.hint) from error
    message.send(CHANNEL, FUSE, connection)
    os.close(connection)


def _await_answers(stack: int, launch: Launch) -> None:
    try:
        os.fstatvfs(stack)  # is asked of the program: done once that is there
    except OSError as error:
        raise failure(f"stack directories by {launch.fuse}", error) from error


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise failure(f"open the directory {path} of the root", error) from error


def _open_over() -> int:
    """Open what lies over ``/``: from there only ".." crosses to it."""
    return os.open("/..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _open_upper(upper: Upper, like: str) -> tuple[int, int]:
    """Open the upper and the work directory, on a new tmpfs where they are nobody's."""
    if upper.directory:
        return _open(upper.directory), _open(upper.work)
    size = f",size={upper.size}" if upper.size else ""
    try:
        flags = mounts.MS_NOSUID | mounts.MS_NODEV
        mounts.mount("tmpfs", "/", "tmpfs", flags, f"mode=700{size}")
        place = _open_over()
        directory, work = make_upper(place, like)
    except OSError as error:
        raise failure("make a tmpfs for what is written", error) from error
    os.close(place)
    return directory, work


def make_upper(place: int, like: str) -> tuple[int, int]:
    """Make an upper and a work directory in ``place``, open them; raise OSError.

    The root of the stack has the mode and the owner that the upper one has.
    """
    found = os.stat(like)
    os.mkdir("upper", dir_fd=place)
    os.mkdir("work", dir_fd=place)
    directory = os.open("upper", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    work = os.open("work", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    _give(directory, found.st_uid, found.st_gid)
    os.fchmod(directory, found.st_mode & _PERMISSIONS)
    return directory, work


def _has_mounts(path: str) -> bool:
    return any(point.startswith(f"{path.rstrip('/')}/") for point in mounts.mount_points())


def _give(directory: int, uid: int, gid: int) -> None:
    try:
        os.fchown(directory, uid, gid)
    except OSError as error:
        # chown(2): EINVAL, an id that the user namespace has not. It stays root's inside.
        if error.errno != errno.EINVAL:
            raise


def _refused(launch: Launch, error: OSError) -> LaunchError:
    hint = ""
    upper = launch.root.upper
    instead = "" if upper is not None and upper.directory else f", or {_INSTEAD}"
    if error.errno == errno.ENODEV:
        hint = f"this kernel has no overlayfs: modprobe overlay{instead}"
    elif error.errno == errno.EINVAL and any(map(_has_mounts, launch.root.layers)):
        hint = (
            "the host has mounted something beneath it, and what that covers an ordinary user may "
            "not see: be root, or launch a directory without mounts in it"
        )
    elif error.errno == errno.EPERM and "userxattr" in launch.root_data:
        hint = (
            "an ordinary user may do this from Linux 5.11 on, where nothing forbids it: be root"
            f"{instead}"
        )
    elif error.errno == errno.EINVAL:
        hint = f"a file system here may be none that the kernel stacks: keep it on another{instead}"
    return failure(f"stack {len(launch.root.layers)} directories by overlayfs", error, hint)
