"""Where a tree goes: what stands there, the temporary beside it, leftovers of the dead."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from rootgen.errors import TreeError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.rootfs.blame import write_error
from rootgen.rootfs.walk import DIRECTORY

if TYPE_CHECKING:
    from rootgen.rootfs.note import Notes
    from rootgen.rootfs.remove import Left

_HELD = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_ATTEMPTS = 16
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
}


class Temporary(NamedTuple):
    """A directory of our own beside the destination, locked as long as it is open."""

    descriptor: int
    name: str


class Destination:
    """A name in a directory that is held open; ``shown`` is how the user wrote it."""

    def __init__(self, out: str, sysroot: str) -> None:
        """Open the parent of ``out``; raise TreeError where a tree can or should not go there.

        ``sysroot`` is the root that is being read.
        """
        self.shown = out
        head, self.name = _split(out)
        try:
            self.parent = os.open(head, _HELD)
        except OSError as error:
            raise _no_parent(out, head, error) from error
        self.real = os.path.join(os.path.realpath(head), self.name)
        try:
            self._refuse(sysroot)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the parent."""
        os.close(self.parent)

    def standing(self) -> tuple[int, int] | None:
        """Return the device and inode of the directory that is there, or None.

        Raises TreeError for anything but a directory.
        """
        try:
            status = os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise write_error(self.shown, error) from error
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(self.name, dir_fd=self.parent)
            raise TreeError(
                f"{self.shown} is a symbolic link to {target}: it is not followed or replaced",
                hint="remove the link, or give --out the directory itself",
            )
        if not stat.S_ISDIR(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something")
            raise TreeError(
                f"{self.shown} is {kind}, which is not replaced by a directory",
                hint="remove it, or give --out another name",
            )
        return status.st_dev, status.st_ino

    def begin(self) -> Temporary:
        """Make the temporary: ours alone, locked, free of what it would inherit."""
        for _ in range(_ATTEMPTS):
            name = self._name("new")
            try:
                os.mkdir(name, 0o700, dir_fd=self.parent)
            except FileExistsError:
                continue
            except OSError as error:
                raise _no_temporary(self.shown, error) from error
            try:
                temporary = self._hold(name)
            except OSError as error:
                # No more files may be open, or a umask that takes from the owner itself.
                raise write_error(self.shown, error) from error
            if temporary is not None:
                return temporary
        raise TreeError(f"cannot write {self.shown}: no free name beside it")

    def _refuse(self, sysroot: str) -> None:
        # Nothing runs from, and nothing else is in, what does not exist.
        standing = self.standing()
        if sysroot == "/" and standing is None:
            return
        from rootgen.rootfs.danger import refuse_dangerous, refuse_within

        refuse_within(self.shown, self.real, sysroot)
        if standing is not None:
            refuse_dangerous(self.shown, self.real, sysroot)

    def _hold(self, name: str) -> Temporary | None:
        """Lock the directory just made; None where another make took it for a leftover."""
        descriptor = -1
        try:
            descriptor = os.open(name, DIRECTORY, dir_fd=self.parent)
            if lock(descriptor) and os.fstat(descriptor).st_nlink > 0:
                _disinherit(descriptor)
                return Temporary(descriptor, name)
        except FileNotFoundError:
            return None
        except BaseException:
            from rootgen.rootfs.remove import remove_tree

            remove_tree(self.parent, name)
            if descriptor >= 0:
                os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def aside(self) -> str:
        """Return a free name for the old tree, where it cannot be exchanged."""
        return self._name("old")

    def sweep(self, notes: Notes) -> None:
        """Remove the leftovers beside the destination whose makers are gone.

        An old tree that was put aside, and never followed by the new one, is
        put back.
        """
        prefix = f".{self.name}.rootgen-"
        try:
            with _listing(self.parent) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        except PermissionError:
            return  # a directory that may be written and not listed: nothing can be found in it
        for name in names:
            self._sweep(name, notes)

    def remove(self, name: str, notes: Notes) -> None:
        """Remove the old tree, now called ``name``; what stays is noted."""
        from rootgen.rootfs.remove import Left, remove_tree

        try:
            left = remove_tree(self.parent, name)
        except TreeError as error:
            # The new tree is in place: what becomes of the old one is no failure of that.
            left = [Left(name, error.what)]
        for one in left[:1]:
            self._note_left(one, "the tree that was replaced", notes)

    def _sweep(self, name: str, notes: Notes) -> None:
        from rootgen.rootfs.remove import remove_tree

        try:
            descriptor = os.open(name, DIRECTORY, dir_fd=self.parent)
        except OSError:
            return  # gone, another user's, or no directory: not ours to remove
        try:
            if not lock(descriptor):
                return
            aside = name.startswith(f".{self.name}.rootgen-old-")
            if aside and self.standing() is None:
                os.rename(name, self.name, src_dir_fd=self.parent, dst_dir_fd=self.parent)
                return
            for one in remove_tree(self.parent, name)[:1]:
                self._note_left(one, "an earlier make", notes)
        finally:
            os.close(descriptor)

    def _note_left(self, left: Left, of: str, notes: Notes) -> None:
        beside = os.path.dirname(self.real)
        what = f"left of {of}: {left.why}"
        if os.geteuid() != 0 and left.why == os.strerror(errno.EACCES):
            # A program that ran there in a user namespace made it, as one of our subordinate ids.
            from shlex import quote  # it imports re

            top = quote(os.path.join(beside, left.path.partition("/")[0]))
            what += f"; try unshare --map-root-user --map-auto rm -r {top}"
        notes.add(os.path.join(beside, left.path), what)

    def _name(self, kind: str) -> str:
        return f".{self.name}.rootgen-{kind}-{os.urandom(4).hex()}"


def lock(descriptor: int) -> bool:
    """Lock a directory (flock(2)) until it is closed; False where another has the lock.

    The kernel gives up the locks of what is killed, so a locked directory has
    a living maker. Where the file system has no locks, all are free.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EWOULDBLOCK, errno.EACCES}
    return True


def _split(out: str) -> tuple[str, str]:
    head, name = os.path.split(out.rstrip("/") or "/")
    if name in {"", ".", ".."}:
        head, name = os.path.split(os.path.realpath(out))
    if not name:
        raise TreeError(f"{out} is the root of this machine: it is never written to")
    return head or ".", name


def _no_parent(out: str, head: str, error: OSError) -> TreeError:
    if error.errno == errno.ENOENT:
        from shlex import quote

        return TreeError(
            f"cannot write {out}: there is no directory {head}", hint=f"mkdir -p {quote(head)}"
        )
    return TreeError(f"cannot write {out}: {head}: {error.strerror}")


def _no_temporary(out: str, error: OSError) -> TreeError:
    directory = os.path.dirname(os.path.abspath(out))
    return TreeError(
        f"cannot write {out}: {error.strerror}",
        why=(f"a tree is built beside its place: {directory} must be writable",),
    )


def _disinherit(descriptor: int) -> None:
    """Undo what a parent with set-group-ID or a default ACL hands down to all beneath."""
    os.fchmod(descriptor, 0o700)
    status = os.fstat(descriptor)
    if status.st_gid != os.getegid():
        os.fchown(descriptor, -1, os.getegid())
    try:
        names = os.listxattr(descriptor)
    except OSError:
        return  # a file system without attributes has no ACLs
    for name in names:
        if name.startswith("system.posix_acl"):
            os.removexattr(descriptor, name)


def _listing(held: int) -> os._ScandirIterator[str]:
    descriptor = os.open(".", DIRECTORY, dir_fd=held)
    try:
        return os.scandir(descriptor)
    finally:
        os.close(descriptor)
