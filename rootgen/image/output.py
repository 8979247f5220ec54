"""The file that a tree or image is packed into: under no name until it is whole."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager

from rootgen.errors import ImageError, UsageError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    Inode = tuple[int, int]

STDOUT = "-"
_MODE = 0o666  # less what the umask takes
# A file system without O_TMPFILE (NFS, older overlay and FUSE) says so in one of these ways.
_NO_UNNAMED = frozenset((errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL))


class OutputFile:
    """Bytes on their way to ``path``; use it as a context manager, and ``commit`` what is whole.

    What is not committed leaves nothing behind, however the process ends
    (but for a hidden file where the file system knows no files without a
    name). ``-`` is standard output; a device or a fifo is written as it is.
    """

    def __init__(self, path: str, *, force: bool = False) -> None:
        """Open the output.

        Raises UsageError where standard output is a terminal, or ``path`` is
        there already (unless ``force``); ImageError where it cannot be written.
        """
        self._path = path
        self._force = force
        self._directory, self._name = os.path.split(path)
        self._temporary = ""
        self._is_file = False
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise self._cannot(error) from error

    def __enter__(self) -> OutputFile:
        """Return the output itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; take back what was not committed."""
        if self._path != STDOUT:
            os.close(self._descriptor)
        if self._temporary:
            os.unlink(self._temporary)

    @property
    def inode(self) -> Inode:
        """Which file is written: who reads a tree meanwhile may meet it there."""
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def write(self, data: bytes | memoryview) -> None:
        """Write all of ``data``.

        Raises ImageError, and BrokenPipeError where the reader of standard
        output went away.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._cannot(error) from error

    @contextmanager
    def writing(self) -> Iterator[Callable[[bytes], object]]:
        """Give what writes: into a file by a thread beside the caller's.

        All is written at the end of the context. Raises as ``write``, for
        an earlier piece as well. A pipe is written by the caller, whom its
        reader may have wait, and an interrupt must reach.
        """
        if not self._is_file:
            yield self.write
            return
        from rootgen.layer.beside import Beside

        with Beside(self.write) as beside:
            yield beside.give
            beside.finish()

    def commit(self) -> None:
        """Give the file its name; raise UsageError where something else got it meanwhile."""
        if not self._is_file:
            return
        try:
            if self._force:
                self._replace()
            elif self._temporary:
                os.link(self._temporary, self._path)
            else:
                self._link(self._path)
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            raise self._cannot(error) from error

    def _open(self) -> int:
        if self._path == STDOUT:
            if os.isatty(1):
                raise UsageError(
                    "an archive is not for a terminal", hint="name a file, or pipe it somewhere"
                )
            return 1
        try:
            mode = os.stat(self._path).st_mode
        except FileNotFoundError:
            mode = 0
        if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
            return os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        if stat.S_ISDIR(mode) or not self._name:
            raise UsageError(f"{self._path} is a directory: name the file to write")
        if os.path.lexists(self._path) and not self._force:
            raise self._exists()
        self._is_file = True
        directory = self._directory or "."
        try:
            return os.open(directory, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, _MODE)
        except OSError as error:
            if error.errno not in _NO_UNNAMED or not os.path.isdir(directory):
                raise
        self._temporary = os.path.join(directory, f".{self._name}.{os.urandom(6).hex()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self._temporary, flags, _MODE)
        except OSError:
            self._temporary = ""
            raise

    def _replace(self) -> None:
        """Rename over what is there, once the bytes are on the disk."""
        os.fsync(self._descriptor)
        if not self._temporary:
            aside = os.path.join(self._directory, f".{self._name}.{os.urandom(6).hex()}")
            self._link(aside)
            self._temporary = aside
        os.rename(self._temporary, self._path)
        self._temporary = ""

    def _link(self, path: str) -> None:
        # open(2), O_TMPFILE: linkat through /proc needs no privilege. Python calls linkat only
        # where there is a directory descriptor: any will do, as the path is absolute.
        source = f"/proc/self/fd/{self._descriptor}"
        os.link(source, path, src_dir_fd=self._descriptor, follow_symlinks=True)

    def _exists(self) -> UsageError:
        return UsageError(f"{self._path} is there already", hint="replace it with --force")

    def _cannot(self, error: OSError) -> ImageError:
        shown = "standard output" if self._path == STDOUT else self._path
        return ImageError(f"cannot write {shown}: {error.strerror or error}")
