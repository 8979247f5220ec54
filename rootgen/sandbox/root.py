"""The change of root: the tree as a mount of its own, then pivot_root(2), or chroot(2)."""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError
from rootgen.linux import mount as mounts
from rootgen.sandbox.place import failure

# What umount2(2) says of a mount that came from a less privileged place (locked), or is gone.
_KEPT = (errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM)


def open_as_mount(path: str, flags: int) -> int:
    """Bind the tree to itself, with ``flags``; return a descriptor of that mount's root.

    This process's mount namespace is cut off from the caller's first.
    Raises LaunchError.
    """
    try:
        mounts.make_private()
    except OSError as error:
        # mount_namespaces(7): only of a mount's own root can the propagation be changed.
        hint = "/ is no mount point, as after a chroot: mount --bind DIR DIR before chroot DIR"
        doing = "cut the mounts off from the caller's (make / private)"
        raise failure(doing, error, hint if error.errno == errno.EINVAL else "") from error
    try:
        under = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mounts.mount_on(mounts.descriptor_path(under), under, "", mounts.MS_BIND | mounts.MS_REC)
        # The name now leads to the mount. From "/" only ".." crosses to what lies over it.
        over = os.open(path if path != "/" else "/..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise failure(f"bind the tree {path} to itself", error) from error
    if not os.path.samestat(os.fstat(under), os.fstat(over)):
        raise LaunchError(f"{path} was replaced while it was being launched")
    os.close(under)
    try:
        mounts.restrict(over, flags, recursive=True)
    except OSError as error:
        raise failure(f"restrict the tree {path}", error) from error
    return over


def change_root(tree: int, way: str) -> bool:
    """Make the tree this process's root; return whether that took chroot(2).

    Raises LaunchError.
    """
    os.fchdir(tree)
    if way != "chroot" and _pivot(way):
        return False
    try:
        _move_and_chroot()
    except OSError as error:
        raise failure("move the tree's mount onto / and chroot", error) from error
    return True


def _pivot(way: str) -> bool:
    """Change roots, and let go of the old one; false where the kernel refuses and that may be."""
    try:
        mounts.pivot_root(".", ".")
        # The old root now lies over the new one, at the same place.
        mounts.detach(".")
        os.chdir("/")
    except OSError as error:
        # pivot_root(2): EINVAL where the current root is a rootfs, as in an initramfs.
        if error.errno == errno.EINVAL and way == "auto":
            return False
        hint = "--pivot auto falls back on chroot" if way == "pivot_root" else ""
        raise failure("change the root with pivot_root", error, hint) from error
    return True


def _move_and_chroot() -> None:
    """Do as switch_root(8) does; then detach what was mounted in the old root.

    The old root itself cannot be unmounted: it lies, out of reach without
    CAP_SYS_CHROOT, beneath the tree (runc's libcontainer/rootfs_linux.go, msMoveRoot).
    """
    tree = os.getcwd()
    others = [
        point
        for point in mounts.mount_points()
        if point not in ("/", tree) and not point.startswith(tree.rstrip("/") + "/")
    ]
    mounts.move_to_root(".")
    for point in reversed(others):
        try:
            mounts.detach(point)
        except OSError as error:
            if error.errno not in _KEPT:
                raise
    os.chroot(".")
    os.chdir("/")
