"""The change of root: the tree as a mount of its own, then pivot_root(2), or chroot(2)."""

from __future__ import annotations

import errno
import os

from rootgen.linux import mount as mounts
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.mounter import Mounter

# What umount2(2) says of a mount that came from a less privileged place (locked), or is gone.
_KEPT = (errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM)


def cut_off() -> None:
    """Cut this process's mounts off from the caller's, both ways; raise LaunchError."""
    try:
        mounts.make_private()
    except OSError as error:
        # mount_namespaces(7): only of a mount's own root can the propagation be changed.
        hint = "/ is no mount point, as after a chroot: mount --bind DIR DIR before chroot DIR"
        doing = "cut the mounts off from the caller's (make / private)"
        raise failure(doing, error, hint if error.errno == errno.EINVAL else "") from error


def open_as_mount(launch: Launch, mounter: Mounter) -> int:
    """Mount the tree over /, with its flags; return a descriptor of that mount's root.

    Over /, because nobody can rename that meanwhile. Raises LaunchError.
    """
    if launch.root.stacked:
        from rootgen.sandbox.overlay import mount_stack  # few launches have one

        return mount_stack(launch)
    path = launch.root.top
    try:
        source = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        tree = mounter.bind(source, launch.root_flags, directory=True)
        os.close(source)
        if launch.read_only:
            # The tree's own mount follows once the mount points in it are made.
            mounts.restrict_beneath(tree, mounts.MS_RDONLY)
        slash = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mounter.attach(tree, slash)
        os.close(slash)
    except OSError as error:
        raise failure(f"make the tree {path} a mount", error) from error
    return tree


def change_root(tree: int, way: str) -> bool:
    """Make the tree this process's root; return whether that took chroot(2).

    Raises LaunchError.
    """
    os.fchdir(tree)
    if way != "chroot" and _pivot(tree, way):
        return False
    try:
        _chroot(tree)
    except OSError as error:
        raise failure("unmount what is not the tree's, and chroot", error) from error
    return True


def _pivot(tree: int, way: str) -> bool:
    """Change roots, and let go of the old one; false where the kernel refuses and that may be."""
    alike = os.path.samestat(os.stat("/"), os.fstat(tree))
    try:
        mounts.pivot_root(".", ".")
    except OSError as error:
        # pivot_root(2): EINVAL where the current root is a rootfs, as in an initramfs; EPERM, as
        # we could mount, is a filter's of a container around us (Docker's default profile).
        if error.errno in (errno.EINVAL, errno.EPERM) and way == "auto":
            return False
        hint = "--pivot auto falls back on chroot" if way == "pivot_root" else ""
        raise failure("change the root with pivot_root", error, hint) from error
    try:
        _let_go_of_the_old(tree, alike=alike)
        os.chdir("/")
    except OSError as error:
        raise failure("unmount the old root", error) from error
    return True


def _let_go_of_the_old(tree: int, *, alike: bool) -> None:
    """Unmount the old root, which now lies over the new one, at the same place.

    What lay over the old one, as a stack's own directories do, lies over it
    still and is the first to go. Names do not lead to any of it, but "/.."
    does. ``alike``: the tree is the old root as well. Raises OSError.
    """
    mounts.detach(".")
    while not _is_on_top(tree, alike=alike):
        mounts.detach(".")


def _is_on_top(tree: int, *, alike: bool) -> bool:
    """Say whether "/.." leads to the tree's own mount.

    Where the old root looks like it the numbers of the mounts tell. They come from the procfs
    inside, which elsewhere somebody may have moved, so there they are not asked for.
    """
    top = os.open("/..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        same = os.path.samestat(os.fstat(top), os.fstat(tree))
        return same and (not alike or mounts.mount_id(top) == mounts.mount_id(tree))
    finally:
        os.close(top)


def _chroot(tree: int) -> None:
    """Do as switch_root(8) does; but first detach what was mounted in the old root.

    The old root itself cannot be unmounted: it lies, out of reach without
    CAP_SYS_CHROOT, beneath the tree (runc's libcontainer/rootfs_linux.go, msMoveRoot).
    """
    table = mounts.mount_table()
    own = mounts.mounts_of(mounts.mount_id(tree), table)
    for one in reversed(table):
        if one.id in own or one.point == "/":
            continue
        try:
            mounts.detach(one.point)
        except OSError as error:
            if error.errno not in _KEPT:
                raise
    os.chroot(".")
    os.chdir("/")
