"""Owner, attributes, mode and times of what was just written, as far as we may."""

from __future__ import annotations

import errno
import os
import stat

from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.plan.entry import Entry
    from rootgen.rootfs.note import Notes

# Not permitted (an ordinary user, a user namespace without that id), or no such thing here.
_NOT_HERE = frozenset(
    (errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP, errno.E2BIG, errno.EOVERFLOW)
)
_SECOND = 1_000_000_000


class Metadata:
    """Gives entries their owners and the rest; what cannot be is noted.

    ``owner`` is what new files have by themselves. An ordinary user's tree
    is theirs throughout, which is one note; the manifest has the intended
    owners.
    """

    def __init__(self, notes: Notes, owner: tuple[int, int], *, privileged: bool) -> None:
        """Note in ``notes``; only with ``privileged`` are owners tried."""
        self._notes = notes
        self._owner = owner
        self._privileged = privileged
        self._told = False

    def of_file(self, descriptor: int, entry: Entry) -> None:
        """Set those of an open file or directory; raise OSError.

        The order is the kernel's: a change of owner clears set-user-ID and
        capabilities, user attributes need a writable mode, and each of these
        touches the times.
        """
        if self._foreign(entry):
            self._try(entry, lambda: os.fchown(descriptor, entry.uid, entry.gid), _owner(entry))
        for name, value in entry.xattrs:
            self._set_attribute(entry, descriptor, name, value)
        os.fchmod(descriptor, entry.mode)
        os.utime(descriptor, ns=(entry.mtime * _SECOND, entry.mtime * _SECOND))

    def of_name(self, directory: int, name: str, entry: Entry) -> None:
        """Set those of what cannot be opened (a link, a device, a fifo); raise OSError."""

        def change_owner() -> None:
            os.chown(name, entry.uid, entry.gid, dir_fd=directory, follow_symlinks=False)

        if self._foreign(entry):
            self._try(entry, change_owner, _owner(entry))
        # setxattr(2) has no variant for a directory descriptor.
        place = f"/proc/self/fd/{directory}/{name}"
        for attribute, value in entry.xattrs:
            self._set_attribute(entry, place, attribute, value)
        if entry.kind is not EntryKind.SYMLINK:
            os.chmod(name, entry.mode, dir_fd=directory)
        times = (entry.mtime * _SECOND, entry.mtime * _SECOND)
        os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)

    def make_node(self, directory: int, name: str, entry: Entry) -> None:
        """Make a device or a fifo; a device that may not be made is noted. Raises OSError."""
        kinds = {EntryKind.CHARACTER: stat.S_IFCHR, EntryKind.BLOCK: stat.S_IFBLK}
        if entry.kind is EntryKind.FIFO:
            os.mkfifo(name, 0o600, dir_fd=directory)
        else:
            mode = kinds[entry.kind] | 0o600
            device = os.makedev(*entry.device)

            def make() -> None:
                os.mknod(name, mode, device, dir_fd=directory)

            if not self._try(entry, make, "a device node, which only root makes"):
                return
        self.of_name(directory, name, entry)

    def _foreign(self, entry: Entry) -> bool:
        if (entry.uid, entry.gid) == self._owner:
            return False
        if not self._privileged and not self._told:
            self._told = True
            self._notes.add("/", "owners: all files are yours, the manifest has the intended ones")
        return self._privileged

    def _set_attribute(self, entry: Entry, place: int | str, name: str, value: bytes) -> None:
        follow = isinstance(place, int)
        try:
            os.setxattr(place, name, value, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in {*_NOT_HERE, errno.ENOENT}:
                raise
            self._notes.add(entry.path, f"attribute {name}: {error.strerror}")

    def _try(self, entry: Entry, action: Callable[[], None], what: str) -> bool:
        try:
            action()
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            self._notes.add(entry.path, what)
            return False
        return True


def _owner(entry: Entry) -> str:
    return f"owner {entry.uid}:{entry.gid}"
