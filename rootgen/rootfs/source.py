"""The contents of a tree's files, for who packs it."""

from __future__ import annotations

import os
import stat

from rootgen.errors import TreeError
from rootgen.linux.path import open_beneath
from rootgen.named import TYPE_CHECKING
from rootgen.rootfs.walk import FILE, Directories, parent_of
from rootgen.sysroot.directory import DescriptorFile

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class StackContents:
    """Opens the files of a stack of directories, each in the topmost that has its path.

    For files that the stack is known to have: what a whiteout hides is not asked for.
    """

    def __init__(self, directories: Iterable[str]) -> None:
        """Open the directories, of which the last is on top; raise TreeError."""
        self._layers: list[int] = []
        for one in directories:
            try:
                self._layers.insert(0, os.open(one, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            except OSError as error:
                self.__exit__()
                raise TreeError(f"cannot read the layer {one}: {error.strerror}") from error

    def __enter__(self) -> StackContents:
        """Return the contents themselves."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the directories."""
        while self._layers:
            os.close(self._layers.pop())

    def open(self, entry: Entry) -> DescriptorFile:
        """Open the file that ``entry`` is; raise TreeError where none of the directories has it."""
        for layer in self._layers:
            try:
                descriptor = open_beneath(layer, entry.path, FILE)
            except OSError:
                continue
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return DescriptorFile(descriptor)
            os.close(descriptor)
        raise TreeError(f"cannot read {entry.path}: no layer has it any more")
