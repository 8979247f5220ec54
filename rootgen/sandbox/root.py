"""The change of root: the tree as a mount of its own, then pivot_root(2), or chroot(2)."""

from __future__ import annotations

import errno
import os

from rootgen.linux import mount as mounts
from rootgen.linux.calls import Label
from rootgen.linux.descriptor import record_closing, record_entering, record_opening
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failing, failure

if TYPE_CHECKING:
    from typing import Any

    from rootgen.linux.calls import Recorder, Slot
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.mounter import Mounter

# What umount2(2) says of a mount that came from a less privileged place (locked), or is gone.
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_KEPT = (errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM)


def record_cutting_off(recorder: Recorder) -> None:
    """Record how this process's mounts are cut off from the caller's, both ways."""

    def failed(_values: list[Any], _position: int, error: OSError) -> int:
        # mount_namespaces(7): only of a mount's own root can the propagation be changed.
        hint = "/ is no mount point, as after a chroot: mount --bind DIR DIR before chroot DIR"
        doing = "cut the mounts off from the caller's (make / private)"
        raise failure(doing, error, hint if error.errno == errno.EINVAL else "") from error

    mounts.record_private(recorder, failed)


def record_tree(recorder: Recorder, launch: Launch, mounter: Mounter) -> Slot:
    """Record how the tree is mounted over /, with its flags; return where its descriptor will be.

    Over /, because nobody can rename that meanwhile. What is recorded raises LaunchError.
    """
    path = launch.root.top
    failed = failing(f"make the tree {path} a mount")
    if launch.root.stacked:
        from rootgen.sandbox.overlay import mount_stack  # few launches have one

        tree = recorder.value()
        recorder.call(mount_stack, launch, into=tree, failed=failed)
        return tree
    source = record_opening(recorder, path, _DIRECTORY, failed)
    tree = mounter.record_bind(recorder, source, launch.root_flags, directory=True, failed=failed)
    record_closing(recorder, source, failed)
    if launch.read_only:
        # The tree's own mount follows once the mount points in it are made.
        recorder.call(mounts.restrict_beneath, tree, mounts.MS_RDONLY, failed=failed)
    slash = record_opening(recorder, "/", _DIRECTORY, failed)
    mounter.record_attach(recorder, tree, slash, failed=failed)
    record_closing(recorder, slash, failed)
    return tree


def record_change(recorder: Recorder, tree: Slot, way: str) -> Slot:
    """Record how the tree becomes this process's root; there will be whether it took chroot(2).

    What is recorded raises LaunchError.
    """
    chrooted, changed = recorder.value(), recorder.value()
    failed = failing("change the root")
    record_entering(recorder, tree, failed)
    recorder.call(bool, way == "chroot", into=chrooted, failed=failed)
    if way == "chroot":
        recorder.call(_chroot, tree, failed=_chroot_failed)
        return chrooted
    done = Label()
    recorder.call(os.fstat, tree, into=changed, failed=failed)
    hint = "--pivot auto falls back on chroot" if way == "pivot_root" else ""
    not_pivoted = failing("change the root with pivot_root", hint)

    def refused(values: list[Any], position: int, error: OSError) -> int:
        # pivot_root(2): EINVAL where the current root is a rootfs, as in an initramfs; EPERM, as
        # we could mount, is a filter's of a container around us (Docker's default profile).
        if error.errno not in (errno.EINVAL, errno.EPERM) or way != "auto":
            return not_pivoted(values, position, error)
        try:
            _chroot(values[tree.at])
        except OSError as refused:
            return _chroot_failed(values, position, refused)
        values[chrooted.at] = True
        return done.position

    mounts.record_pivot(recorder, refused)
    # The old root now lies over the new one, at the same place.
    failed = failing("unmount the old root")
    mounts.record_detach(recorder, failed)
    top = record_opening(recorder, "/..", _DIRECTORY, failed)
    # Who records has the root that process 1 has at first.
    recorder.call(_let_go_of_the_rest, top, tree, changed, _inode(os.stat("/")), failed=failed)
    record_entering(recorder, "/", failed)
    recorder.mark(done)
    return chrooted


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _let_go_of_the_rest(top: int, tree: int, changed: os.stat_result, old: tuple[int, int]) -> None:
    """Unmount what of the old root still lies over the new one; ``top`` leads to it.

    What lay over the old one, as a stack's own directories do, lies over it
    still and is the first to go. Names do not lead to any of it, but "/.."
    does. ``changed`` is of the new root, ``old`` the inode of the old one. Raises OSError.

    Where the old root is the tree as well the numbers of the mounts tell. They come from the procfs
    inside, which elsewhere somebody may have moved, so there they are not asked for.
    """
    new = _inode(changed)
    while True:
        on_top = _inode(os.fstat(top)) == new and (
            new != old or mounts.mount_id(top) == mounts.mount_id(tree)
        )
        os.close(top)
        if on_top:
            return
        mounts.detach(".")
        top = os.open("/..", _DIRECTORY)


def _chroot_failed(_values: list[Any], _position: int, error: OSError) -> int:
    raise failure("unmount what is not the tree's, and chroot", error) from error


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
