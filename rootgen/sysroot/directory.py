"""A Sysroot that is a directory of the host, or the host's own ``/``."""

from __future__ import annotations

import os
import stat

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind, Node
from rootgen.sysroot.resolve import Resolver

if TYPE_CHECKING:
    from rootgen.sysroot.port import Found

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
# O_NONBLOCK: a fifo in a hostile root must not stop us before fstat sees what it is.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class DescriptorFile:
    """A regular file open on a descriptor (``port.OpenFile``)."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        """Own ``descriptor`` until the end of the ``with`` block."""
        self._descriptor = descriptor

    def __enter__(self) -> DescriptorFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def pread(self, size: int, offset: int) -> bytes:
        """Read at most ``size`` bytes at ``offset``.

        Raises SysrootError where the medium fails.
        """
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            message = f"cannot read descriptor {self._descriptor} at {offset}: {error.strerror}"
            raise SysrootError(message) from error

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor


class DirectorySysroot:
    """A Sysroot over the directory ``root`` of the host (``port.Sysroot``)."""

    __slots__ = ("_prefix", "_resolver", "_root", "name")

    def __init__(self, root: str) -> None:
        """Open the directory ``root``; raise SysrootError where it is none."""
        self.name = root
        self._prefix = "" if os.path.abspath(root) == "/" else os.path.abspath(root)
        self._resolver = Resolver(self.node)
        self._root = -1
        if self._prefix:
            try:
                self._root = os.open(self._prefix, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                message = f"cannot read the root {root}: {error.strerror}"
                raise SysrootError(message) from error

    def __del__(self) -> None:
        """Let go of the directory."""
        if getattr(self, "_root", -1) >= 0:
            os.close(self._root)

    def lookup(self, path: str) -> Found | None:
        """Resolve ``path`` within the root; see ``port.Sysroot``."""
        return self._resolver.lookup(path)

    def lookup_error(self, path: str) -> int:
        """Return why ``lookup`` found nothing; see ``port.Sysroot``."""
        return self._resolver.lookup_error(path)

    def node(self, path: str) -> Node | None:
        """Return what is at ``path`` (``lstat``); None also where it may not be seen."""
        full = self._prefix + path
        try:
            status = os.lstat(full)
            mode = status.st_mode
            kind = _KINDS[stat.S_IFMT(mode)]
            target = os.readlink(full) if kind is Kind.SYMLINK else ""
        except (OSError, ValueError):
            # ValueError: a name with a NUL byte, which no file has.
            return None
        device = status.st_rdev
        return Node(
            kind,
            mode & 0o7777,
            status.st_uid,
            status.st_gid,
            status.st_size,
            int(status.st_mtime),
            (status.st_dev, status.st_ino),
            status.st_nlink,
            target,
            (os.major(device), os.minor(device)) if device else (0, 0),
        )

    def open(self, path: str) -> DescriptorFile:
        """Open the regular file at the real path ``path``; see ``port.Sysroot``."""
        try:
            # Opening alone may do something: a tape rewinds, a watchdog starts to count.
            if not stat.S_ISREG(os.lstat(self._prefix + path).st_mode):
                message = f"cannot read {self._prefix}{path}: not a regular file"
                raise SysrootError(message)
            descriptor = self._open_beneath(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"cannot read {self._prefix}{path}: {reason}"
            raise SysrootError(message) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            message = f"cannot read {self._prefix}{path}: not a regular file"
            raise SysrootError(message)
        return DescriptorFile(descriptor)

    def _open_beneath(self, path: str, flags: int = _OPEN_FLAGS) -> int:
        # The host's root cannot be left; any other is held by its descriptor, so that a
        # directory swapped for a link while we read leads nowhere.
        if self._root < 0:
            return os.open(path, flags)
        from rootgen.linux.path import open_beneath  # ctypes: not needed on the host

        return open_beneath(self._root, path, flags)

    def names(self, path: str) -> list[str]:
        """List the directory at the real path ``path``, sorted; see ``port.Sysroot``."""
        try:
            descriptor = self._open_beneath(path, _OPEN_FLAGS | os.O_DIRECTORY)
            try:
                return sorted(os.listdir(descriptor))
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"cannot list {self._prefix}{path}: {reason}"
            raise SysrootError(message) from error

    def xattrs(self, path: str) -> tuple[tuple[str, bytes], ...]:
        """Return the extended attributes at ``path``; none where the file system has none."""
        full = self._prefix + path
        try:
            names = os.listxattr(full, follow_symlinks=False)
            return tuple(
                (name, os.getxattr(full, name, follow_symlinks=False)) for name in sorted(names)
            )
        except (OSError, ValueError):
            return ()


def host() -> DirectorySysroot:
    """Return the Sysroot of the machine we run on."""
    return DirectorySysroot("/")
