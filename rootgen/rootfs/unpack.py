"""A layer unpacked into a directory of its own, for overlayfs to stack.

An archive is read once. Its files are written as they come, under numbers;
once all of it is read and verified, it is known what is where, and they are
renamed to their places. No name of the archive leads anywhere before that,
and none then: each place is beneath directories that were just made.
"""

from __future__ import annotations

import os
import stat

from rootgen.layer.read import Archive, Whiteout, Written
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import EntryKind, FromSysroot
from rootgen.rootfs.blame import Blaming
from rootgen.rootfs.content import copy_content
from rootgen.rootfs.metadata import Metadata
from rootgen.rootfs.walk import DIRECTORY, Directories, parent_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.layer.overlay import Overlay
    from rootgen.plan.entry import Entry
    from rootgen.rootfs.note import Notes
    from rootgen.sysroot.port import OpenFile

    Contents = Callable[[Entry], OpenFile]

LAYER = "fs"
_FILES = "files"
# What overlayfs itself notes on files of a stack is no layer's to say.
OVERLAY_ATTRIBUTES = "user.overlay."
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HOLE = 4096
_WHITEOUT = stat.S_IFCHR


class Unpacking:
    """A layer on its way into the empty directory ``place``; its tree is in ``fs`` there.

    ``keep`` takes the files while the archive is read, ``numbered`` tells of
    each which it is, ``arrange`` puts them in their places. What stops it is
    a TreeError that names the entry.
    """

    def __init__(self, place: int, name: str, notes: Notes, *, opaque: str) -> None:
        """Begin; ``name`` is for messages, ``opaque`` the attribute that overlayfs looks for."""
        self._name = name
        self._opaque = opaque
        self._count = 0
        with Blaming(name, None):
            os.mkdir(_FILES, 0o700, dir_fd=place)
            os.mkdir(LAYER, 0o700, dir_fd=place)
            self._place = place
            self._files = os.open(_FILES, DIRECTORY, dir_fd=place)
            self._top = os.open(LAYER, DIRECTORY, dir_fd=place)
            found = os.fstat(self._top)
        owner = (found.st_uid, found.st_gid)
        self._metadata = Metadata(notes, owner, privileged=os.geteuid() == 0)

    def __enter__(self) -> Unpacking:
        """Return itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close what is open."""
        os.close(self._files)
        os.close(self._top)

    def keep(self, entry: Entry, content: Iterator[bytes]) -> None:
        """Write a file of the archive, with all that it has but a name."""
        with Blaming(self._name, entry):
            target = os.open(str(self._count), _NEW, 0o600, dir_fd=self._files)
            self._count += 1
            try:
                _write(target, content)
                self._metadata.of_file(target, _plain(entry))
            finally:
                os.close(target)

    def numbered(self, archive: Archive) -> Archive:
        """Return the archive whose files were kept; the content of each is its number."""
        members: list[Written | Whiteout] = []
        count = 0
        for member in archive.members:
            if isinstance(member, Written) and member.entry.kind is EntryKind.FILE:
                content = FromSysroot(str(count))
                count += 1
                members.append(member._replace(entry=member.entry._replace(content=content)))
            else:
                members.append(member)
        return archive._replace(members=tuple(members))

    def arrange(self, overlay: Overlay, below: Contents) -> None:
        """Put everything in its place; ``below`` opens a file of the layers below."""
        links: list[Entry] = []
        with Directories(self._top) as directories:
            for entry in overlay.plan.entries():
                if entry.kind is EntryKind.HARDLINK:
                    links.append(entry)
                elif entry.path != "/":
                    with Blaming(self._name, entry):
                        self._make(entry, directories, below)
            for entry in links:
                with Blaming(self._name, entry):
                    _link(entry, directories)
            with Blaming(self._name, None):
                for path in overlay.removed:
                    parent, name = parent_of(path)
                    os.mknod(name, _WHITEOUT, 0, dir_fd=directories.at(parent))
            for entry in reversed(list(overlay.plan.entries())):
                if entry.kind is EntryKind.DIRECTORY:
                    with Blaming(self._name, entry):
                        self._settle(entry, directories.at(entry.path), overlay)
        self._remove_rest()

    def _make(self, entry: Entry, directories: Directories, below: Contents) -> None:
        parent, name = parent_of(entry.path)
        directory = directories.at(parent)
        if entry.kind is EntryKind.DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=directory)
        elif entry.kind is EntryKind.SYMLINK:
            os.symlink(entry.target, name, dir_fd=directory)
            self._metadata.of_name(directory, name, _plain(entry))
        elif entry.kind is not EntryKind.FILE:
            self._metadata.make_node(directory, name, _plain(entry))
        elif isinstance(entry.content, FromSysroot):
            os.rename(entry.content.path, name, src_dir_fd=self._files, dst_dir_fd=directory)
        else:
            self._copy(entry, directory, name, below)

    def _copy(self, entry: Entry, directory: int, name: str, below: Contents) -> None:
        target = os.open(name, _NEW, 0o600, dir_fd=directory)
        try:
            with below(entry) as file:
                copy_content(file, target, entry.size)
            self._metadata.of_file(target, _plain(entry))
        finally:
            os.close(target)

    def _settle(self, entry: Entry, directory: int, overlay: Overlay) -> None:
        self._metadata.of_file(directory, _plain(entry))
        if entry.path in overlay.opaque:
            os.setxattr(directory, self._opaque, b"y")

    def _remove_rest(self) -> None:
        """Remove the files that a later member of the archive replaced."""
        with Blaming(self._name, None):
            for name in os.listdir(self._files):
                os.unlink(name, dir_fd=self._files)
            os.rmdir(_FILES, dir_fd=self._place)


def _plain(entry: Entry) -> Entry:
    kept = tuple(one for one in entry.xattrs if not one[0].startswith(OVERLAY_ATTRIBUTES))
    return entry if len(kept) == len(entry.xattrs) else entry._replace(xattrs=kept)


def _write(target: int, content: Iterator[bytes]) -> None:
    """Write what ``content`` gives; blocks of zeros become holes."""
    size = 0
    for data in content:
        if len(data) < _HOLE or data.strip(b"\0"):
            view = memoryview(data)
            at = size
            while view:
                written = os.pwrite(target, view, at)
                view, at = view[written:], at + written
        size += len(data)
    os.ftruncate(target, size)


def _link(entry: Entry, directories: Directories) -> None:
    source, source_name = parent_of(entry.target)
    parent, name = parent_of(entry.path)
    held = os.dup(directories.at(source))
    try:
        target = directories.at(parent)
        os.link(source_name, name, src_dir_fd=held, dst_dir_fd=target, follow_symlinks=False)
    finally:
        os.close(held)
