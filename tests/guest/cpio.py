"""The cpio format that the kernel unpacks.

Source: Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

_ALIGNMENT = 4
_END = "TRAILER!!!"


class Archive:
    """A newc archive being written. All in it belongs to root, and no two names share an inode."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inode = 0

    def add(self, path: str, mode: int, data: bytes = b"") -> None:
        """Add a file, a directory, or a link (whose data is its target); ``mode`` has its type."""
        self._inode += 1
        name = path.encode("utf-8", "surrogateescape") + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._write(header + name)
        self._write(data)

    def add_file(self, path: str, data: bytes, mode: int = 0o755) -> None:
        """Add a file; its directories must be there already."""
        self.add(path.lstrip("/"), stat.S_IFREG | mode, data)

    def add_tree(self, root: Path, under: str = "") -> None:
        """Add what is beneath ``root``, beneath the directory ``under`` of the archive."""
        for directory, names, files in os.walk(root):
            names.sort()
            for name in sorted([*names, *files]):
                path = os.path.join(directory, name)
                inside = os.path.join(under, os.path.relpath(path, root))
                mode = os.lstat(path).st_mode
                if stat.S_ISLNK(mode):
                    self.add(inside, mode, os.fsencode(os.readlink(path)))
                elif stat.S_ISREG(mode):
                    with open(path, "rb") as file:
                        self.add(inside, mode, file.read())
                else:
                    self.add(inside, mode)

    def close(self) -> None:
        """Write the end."""
        self.add(_END, 0)

    def _write(self, data: bytes) -> None:
        self._file.write(data + b"\0" * (-len(data) % _ALIGNMENT))
