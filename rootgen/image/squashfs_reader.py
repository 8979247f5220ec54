"""A squashfs as the tar archive of what is in it, by sqfs2tar(1) of squashfs-tools-ng."""

from __future__ import annotations

import os
from contextlib import contextmanager

from rootgen.errors import LayerError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from typing import IO

MAGIC = b"hsqs"  # SQUASHFS_MAGIC, little-endian: the format has no other (squashfs 4.0)

_TOOL = "sqfs2tar"
# The whole of "." with its attributes; what a tar archive cannot hold is an error, not left out.
_OPTIONS = ("--root-becomes", ".", "--no-skip")
# It holds all inodes at once; what wants more than this is not meant for this machine.
_MEMORY = 2 << 30
_SAID_LIMIT = 4096
_PADDING = 1 << 20  # tar(5) fills the last record, of 10 kB, with zeros


@contextmanager
def squashfs_as_tar(path: str) -> Iterator[Callable[[int], bytes]]:
    """Give what reads a squashfs as a tar archive: at most as many bytes as asked for.

    The tool runs beside, and is gone at the end of the block. Raises
    LayerError where there is no such tool, or it fails.
    """
    import resource
    import subprocess
    from shutil import which
    from tempfile import TemporaryFile

    tool = which(_TOOL)
    if tool is None:
        raise LayerError(
            f"{path} is a squashfs, which only {_TOOL} reads as an archive",
            hint="install squashfs-tools-ng; or unpack it (unsquashfs -d DIR), and name DIR",
        )
    with TemporaryFile() as said:
        command = [tool, *_OPTIONS, os.path.abspath(path)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
        stdout = process.stdout
        assert stdout is not None  # noqa: S101 - it is a pipe
        with process:
            try:
                resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
                yield stdout.read
                _end(process, stdout)
            except LayerError:
                # The archive that it began breaks off where it fails: then its own word counts.
                if _end(process, stdout) <= 0:
                    raise
            finally:
                process.kill()
        if process.returncode > 0:
            said.seek(0)
            lines = said.read(_SAID_LIMIT).decode("utf-8", "replace").strip().splitlines()
            raise LayerError(f"{_TOOL} cannot read the squashfs {path}", why=tuple(lines))


def _end(process: subprocess.Popen[bytes], stdout: IO[bytes]) -> int:
    """Return the status of a process that has but the padding to write; kill any other (-9)."""
    if len(stdout.read(_PADDING)) == _PADDING:
        process.kill()
    return process.wait()
