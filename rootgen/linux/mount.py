"""mount(2) and its relatives, over open directories where a name could be swapped.

A target given as a descriptor is mounted on through ``/proc/self/fd/N``:
the kernel follows that to the very directory which was opened, whatever its
name leads to by now (the race of CVE-2021-30465).
"""

from __future__ import annotations

import ctypes
import errno
import os
from struct import pack

from rootgen.linux.libc import (
    MOUNT_SETATTR,
    call,
    check,
    error,
    function,
    last_errno,
    numbers,
    system_call,
)
from rootgen.linux.path import open_beneath
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder, Slot

# linux/mount.h
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
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


_TEXT = ctypes.c_char_p
_MOUNT = function("mount", _TEXT, _TEXT, _TEXT, ctypes.c_ulong, ctypes.c_void_p)

_UMOUNT2 = function("umount2", _TEXT, ctypes.c_int)


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
    if set_attributes(descriptor, flags, recursive=recursive):
        return
    # Before Linux 5.12, and under filters from before it.
    _remount(descriptor_path(descriptor), flags)
    if recursive:
        _remount_beneath(descriptor, flags)


def restrict_beneath(descriptor: int, flags: int) -> None:
    """Add ``flags`` to every mount beneath the one ``descriptor`` is at the root of, not to it.

    Raises OSError.
    """
    added = flags & ~(os.statvfs(descriptor_path(descriptor)).f_flag & _ATTRIBUTES)
    if set_attributes(descriptor, flags, recursive=True):
        set_attributes(descriptor, 0, clear=added, recursive=False)
    else:
        _remount_beneath(descriptor, flags)


def set_attributes(descriptor: int, flags: int, *, clear: int = 0, recursive: bool) -> bool:
    """Add and clear flags of a mount, attached or not yet (mount_setattr(2), Linux 5.12).

    Returns false where there is no such call, or a filter forbids it. Raises OSError.
    """
    attributes = _MountAttributes(flags & _ATTRIBUTES, clear & _ATTRIBUTES, 0, 0)
    result = system_call(
        MOUNT_SETATTR,
        descriptor,
        b"",
        _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.sizeof(attributes),
    )
    if result == 0:
        return True
    number = last_errno()
    if number not in (errno.ENOSYS, errno.EPERM):
        raise error(number, descriptor_path(descriptor))
    return False


def record_attributes(recorder: Recorder, mount: Slot | int, flags: int, failed: Handler) -> None:
    """Record a ``set_attributes`` of a mount and all beneath it, where there is that call.

    Nothing is looked at where no flag is to be set.
    """
    attributes = pack("=QQQQ", flags & _ATTRIBUTES, 0, 0, 0)
    how = _AT_EMPTY_PATH | _AT_RECURSIVE
    recorder.system_call(MOUNT_SETATTR, mount, b"", how, attributes, len(attributes), failed=failed)


def _remount_beneath(descriptor: int, flags: int) -> None:
    """Remount what is mounted beneath, each through a descriptor of its own.

    By the mounts' ids: where one lies over another the names lead elsewhere.
    """
    top = mount_id(descriptor)
    table = mount_table()
    points = {one.id: one.point for one in table}
    base = points.get(top, "/").rstrip("/")
    for one in mounts_of(top, table) - {top}:
        place = open_beneath(descriptor, points[one].removeprefix(base), os.O_PATH)
        try:
            if mount_id(place) == one:  # else another lies over it, and nothing reaches it
                _remount(descriptor_path(place), flags)
        finally:
            os.close(place)


def _remount(path: str, flags: int) -> None:
    present = os.statvfs(path).f_flag
    kept = present & _ATTRIBUTES
    for stat_flag, mount_flag in _TIME_FLAGS:
        if present & stat_flag:
            kept |= mount_flag
    mount("", path, "", MS_REMOUNT | MS_BIND | kept | flags)


class MountEntry(NamedTuple):
    """One line of mountinfo: the mount's number, the one that it is mounted on, and where."""

    id: int
    parent: int
    point: str


def mount_table() -> tuple[MountEntry, ...]:
    """Return the mounts of this process's namespace, in order (proc_pid_mountinfo(5))."""
    descriptor = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        lines = file.read(_MOUNTINFO_LIMIT).splitlines()
    rows = (line.split(b" ", 5) for line in lines)
    return tuple(MountEntry(int(row[0]), int(row[1]), _unescape(row[4])) for row in rows)


def mounts_of(top: int, table: tuple[MountEntry, ...]) -> set[int]:
    """Return the numbers of a mount and of all that are mounted beneath it."""
    children: dict[int, list[int]] = {}
    for one in table:
        children.setdefault(one.parent, []).append(one.id)
    family: set[int] = set()
    pending = [top]
    while pending:
        found = pending.pop()
        if found not in family:  # the mount at the very top is its own parent
            family.add(found)
            pending += children.get(found, ())
    return family


def mount_points() -> tuple[str, ...]:
    """Return the mount points of this process's namespace, in order."""
    return tuple(one.point for one in mount_table())


def mount_id(descriptor: int) -> int:
    """Return the number of the mount that ``descriptor`` is on (proc_pid_fdinfo(5))."""
    with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:
        for line in file:
            if line.startswith(b"mnt_id:"):
                return int(line.split()[1])
    raise error(errno.ENOSYS, "mnt_id")


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


def record_private(recorder: Recorder, failed: Handler) -> None:
    """Record a ``make_private``."""
    for propagation in (MS_SLAVE, MS_PRIVATE):
        recorder.call(_MOUNT, b"", b"/", None, MS_REC | propagation, None, failed=failed)


def record_pivot(recorder: Recorder, failed: Handler) -> None:
    """Record that the working directory becomes the root, with the old one over it.

    As pivot_root(2) has it in "pivot_root(".", ".")".
    """
    recorder.system_call(numbers().pivot_root, b".", b".", failed=failed)


def record_detach(recorder: Recorder, failed: Handler) -> None:
    """Record a ``detach`` of the working directory."""
    recorder.call(_UMOUNT2, b".", _MNT_DETACH | _UMOUNT_NOFOLLOW, failed=failed)


def detach(path: str) -> None:
    """Unmount ``path`` and all beneath it, lazily; raise OSError."""
    check(call("umount2", os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW), path)
