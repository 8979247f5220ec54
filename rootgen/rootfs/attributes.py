"""The extended attributes of a file that belong to it, and not to the host."""

from __future__ import annotations

import os

from rootgen.linux.attribute import can_ask, has_none
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import HOST_ATTRIBUTES

if TYPE_CHECKING:
    Attributes = tuple[tuple[str, bytes], ...]


class AttributesAt:
    """The attributes of names in open directories, no link followed."""

    def __init__(self, root: int) -> None:
        """Find out, at the open directory ``root``, in which way the kernel is asked."""
        self._can_ask = can_ask(root)

    def of(self, directory: int, name: str) -> Attributes:
        """Return those of ``name`` in the open ``directory``, sorted."""
        if self._can_ask and has_none(directory, name):
            return ()
        return attributes(f"/proc/self/fd/{directory}/{name}")


def attributes(place: int | str) -> Attributes:
    """Return those of an open file, or of a path whose last component is not followed; sorted."""
    follow = isinstance(place, int)
    try:
        names = os.listxattr(place, follow_symlinks=follow)
        if not names:
            return ()
        return tuple(
            (name, os.getxattr(place, name, follow_symlinks=follow))
            for name in sorted(names)
            if not name.startswith(HOST_ATTRIBUTES)
        )
    except OSError:
        return ()  # a file system without attributes, or a file that went away
