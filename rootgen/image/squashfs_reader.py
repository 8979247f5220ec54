"""A squashfs as the tar archive of what is in it, by sqfs2tar(1) of squashfs-tools-ng."""

from __future__ import annotations

import os
from contextlib import contextmanager

from rootgen.errors import LayerError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGIC = b"hsqs"  # SQUASHFS_MAGIC, little-endian: the format has no other (squashfs 4.0)

_TOOL = "sqfs2tar"
# The whole of "." with its attributes; what a tar archive cannot hold is an error, not left out.
_OPTIONS = ("--root-becomes", ".", "--no-skip")
# It holds all inodes at once; what wants more than this is not meant for this machine.
_MEMORY = 2 << 30
_PADDING = 1 << 20  # tar(5) fills the last record, of 10 kB, with zeros


@contextmanager
def squashfs_as_tar(path: str) -> Iterator[Callable[[int], bytes]]:
    """Give what reads a squashfs as a tar archive: at most as many bytes as asked for.

    The tool runs beside, and is gone at the end of the block. Raises
    LayerError where there is no such tool, or it fails; OSError where it cannot be started.
    """
    from rootgen.linux.tool import find_tool, reading

    tool = find_tool(_TOOL)
    if tool is None:
        raise LayerError(
            f"{path} is a squashfs, which only {_TOOL} reads as an archive",
            hint="install squashfs-tools-ng; or unpack it (unsquashfs -d DIR), and name DIR",
        )
    with reading((tool, *_OPTIONS, os.path.abspath(path)), memory=_MEMORY) as reader:
        broken: LayerError | None = None
        try:
            yield reader.read
        except LayerError as error:
            broken = error
        # The archive that it began breaks off where it fails: then its own word counts.
        if reader.end(_PADDING) > 0:
            why = reader.said()
            raise LayerError(f"{_TOOL} cannot read the squashfs {path}", why=why) from broken
        if broken is not None:
            raise broken
