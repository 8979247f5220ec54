"""The contents of a tree's files, for who packs it."""

from __future__ import annotations

import os
import stat

from rootgen.errors import TreeError
from rootgen.named import TYPE_CHECKING
from rootgen.rootfs.walk import FILE, Directories, parent_of
from rootgen.sysroot.directory import DescriptorFile

if TYPE_CHECKING:
    from rootgen.plan.entry import Entry


class TreeContents:
    """Opens the files of an open tree, each from its directory, no link followed.

    Asked for in the order of a Plan, each directory is opened once.
    """

    def __init__(self, root: int) -> None:
        """Begin at the open top ``root``, which stays the caller's."""
        self._directories = Directories(root)

    def __enter__(self) -> TreeContents:
        """Return the contents themselves."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the directories."""
        self._directories.__exit__(*exc)

    def open(self, entry: Entry) -> DescriptorFile:
        """Open the file that ``entry`` is; raise TreeError where it is none, or not readable."""
        parent, name = parent_of(entry.path)
        try:
            descriptor = os.open(name, FILE, dir_fd=self._directories.at(parent))
        except OSError as error:
            raise TreeError(f"cannot read {entry.path} of the tree: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise TreeError(f"{entry.path} of the tree changed while it was read: no file now")
        return DescriptorFile(descriptor)
