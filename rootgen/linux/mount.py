"""mount(2) and its relatives, over open directories where a name could be swapped.

A target given as a descriptor is mounted on through ``/proc/self/fd/N``:
the kernel follows that to the very directory which was opened, whatever its
name leads to by now (the race of CVE-2021-30465).
"""

from __future__ import annotations

import ctypes
import errno
import os

from rootgen.linux.libc import (
    MOUNT_SETATTR,
    call,
    check,
    error,
    last_errno,
    system_call,
)

# linux/mount.h
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19

FLAG_NAMES = {
    MS_RDONLY: "ro",
    MS_NOSUID: "nosuid",
    MS_NODEV: "nodev",
    MS_NOEXEC: "noexec",
}

_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_ATTRIBUTES = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC  # the same bits in MOUNT_ATTR_*
# What statvfs(3) calls ST_NOATIME, ST_NODIRATIME, ST_RELATIME, and mount(2) MS_*: a remount
# in a user namespace must repeat the locked ones (mount_namespaces(7)).
_TIME_FLAGS = ((1024, 1024), (2048, 2048), (4096, 1 << 21))
_MOUNTINFO_LIMIT = 16 << 20


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """Mount ``source`` on ``target``; raise OSError naming the target."""
    check(
        call(
            "mount",
            os.fsencode(source),
            os.fsencode(target),
            fstype.encode() or None,
            ctypes.c_ulong(flags),
            os.fsencode(data) or None,
        ),
        target,
    )


def mount_on(source: str, target: int, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """Mount ``source`` on the open file or directory ``target``; raise OSError."""
    mount(source, descriptor_path(target), fstype, flags, data)


def descriptor_path(descriptor: int) -> str:
    """Return the name by which procfs leads to what ``descriptor`` is open on."""
    return f"/proc/self/fd/{descriptor}"


def restrict(descriptor: int, flags: int, *, recursive: bool) -> None:
    """Add ``flags`` (ro, nosuid, nodev, noexec) to the mount ``descriptor`` is at the root of.

    Recursive means every mount beneath as well, which a plain bind remount
    leaves as it is. Raises OSError.
    """
    attributes = _MountAttributes(flags & _ATTRIBUTES, 0, 0, 0)
    result = system_call(
        MOUNT_SETATTR,
        descriptor,
        b"",
        _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0),
        ctypes.cast(ctypes.byref(attributes), ctypes.c_void_p),
        ctypes.sizeof(attributes),
    )
    if result == 0:
        return
    number = last_errno()
    if number not in (errno.ENOSYS, errno.EPERM):
        raise error(number, descriptor_path(descriptor))
    # Before Linux 5.12, and under filters from before it.
    _remount(descriptor_path(descriptor), flags)
    if recursive:
        top = os.readlink(descriptor_path(descriptor))
        for point in mount_points():
            if point.startswith(top.rstrip("/") + "/"):
                _remount(point, flags)


def _remount(path: str, flags: int) -> None:
    present = os.statvfs(path).f_flag
    kept = present & _ATTRIBUTES
    for stat_flag, mount_flag in _TIME_FLAGS:
        if present & stat_flag:
            kept |= mount_flag
    mount("", path, "", MS_REMOUNT | MS_BIND | kept | flags)


def mount_points() -> tuple[str, ...]:
    """Return the mount points of this process's namespace, in order (proc_pid_mountinfo(5))."""
    descriptor = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        lines = file.read(_MOUNTINFO_LIMIT).splitlines()
    return tuple(_unescape(line.split(b" ")[4]) for line in lines)


def _unescape(field: bytes) -> str:
    """Undo the octal escapes of mountinfo: space, tab, newline, backslash."""
    for code in (b"\\040", b"\\011", b"\\012"):
        field = field.replace(code, bytes((int(code[1:], 8),)))
    return os.fsdecode(field.replace(b"\\134", b"\\"))


def make_private() -> None:
    """Cut this namespace's mounts off from those it was copied from, both ways.

    First as slaves, so that nothing of ours is seen outside even for a
    moment; then private, so that nothing of the outside arrives later.
    Raises OSError.
    """
    mount("", "/", "", MS_REC | MS_SLAVE)
    mount("", "/", "", MS_REC | MS_PRIVATE)


def detach(path: str) -> None:
    """Unmount ``path`` and all beneath it, lazily; raise OSError."""
    check(call("umount2", os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW), path)


def pivot_root(new_root: str, put_old: str) -> None:
    """Make ``new_root`` the root and put the old one at ``put_old`` (pivot_root(2)).

    With ``"."`` for both, the old root lies on top of the new one, to be
    detached (pivot_root(2), "pivot_root(".", ".")"). Raises OSError: EINVAL
    where the root is a rootfs, as in an initramfs.
    """
    check(call("pivot_root", os.fsencode(new_root), os.fsencode(put_old)), new_root)


def move_to_root(source: str) -> None:
    """Move the mount at ``source`` on top of ``/``: switch_root(8)'s way. Raises OSError."""
    mount(source, "/", "", MS_MOVE)
