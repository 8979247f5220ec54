"""A directory back into a Plan: as it stands, and as it was meant."""

from __future__ import annotations

import errno
import os
import stat

from rootgen.errors import TreeError
from rootgen.linux.path import open_beneath
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, hard_link
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.manifest_reader import parse_manifest
from rootgen.plan.plan import Plan
from rootgen.rootfs.attributes import AttributesAt, attributes
from rootgen.rootfs.content import digest_of
from rootgen.rootfs.note import Note, Notes
from rootgen.rootfs.walk import FILE, Directories, mount_of
from rootgen.rootfs.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterator

    from rootgen.named import Progress
    from rootgen.plan.manifest import Manifest


_KINDS = {
    stat.S_IFREG: EntryKind.FILE,
    stat.S_IFDIR: EntryKind.DIRECTORY,
    stat.S_IFLNK: EntryKind.SYMLINK,
    stat.S_IFCHR: EntryKind.CHARACTER,
    stat.S_IFBLK: EntryKind.BLOCK,
    stat.S_IFIFO: EntryKind.FIFO,
}
_DEVICES = {EntryKind.CHARACTER, EntryKind.BLOCK}
# Far above the largest distribution; a tree that a program fills without end stops here.
_MOST = 8_000_000
_LARGEST_MANIFEST = 1 << 30


class Seen(NamedTuple):
    """A tree as it stands, without its manifest.

    ``owner`` is that of the top; ``unheld`` is what a Plan cannot hold or we
    may not see: sockets, what is mounted over, directories kept from us.
    """

    plan: Plan
    owner: tuple[int, int]
    unheld: tuple[Note, ...]
    unread: frozenset[str]


def open_tree(directory: str) -> int:
    """Open the top of a tree; raise TreeError where there is none."""
    try:
        # The name may well be a link to a tree: reading through it harms nobody.
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise TreeError(f"cannot read the tree {directory}: {error.strerror}") from error


def read_manifest(root: int) -> Manifest | None:
    """Return the manifest of the open tree ``root``, or None where it has none.

    Raises PlanError where it is malformed, TreeError where it may not be read.
    """
    try:
        descriptor = open_beneath(root, MANIFEST_PATH, FILE)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            return None
        raise TreeError(f"cannot read {MANIFEST_PATH} of the tree: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        # Looked at first: Python makes no file object of a directory, and closes nothing then.
        os.close(descriptor)
        return None
    with open(descriptor, "rb") as file:
        return parse_manifest(file.read(min(status.st_size, _LARGEST_MANIFEST)))


def tree_manifest(root: int, name: str) -> Manifest:
    """Return the manifest of the open tree ``root``, called ``name``.

    Raises TreeError where it has none, PlanError where it is malformed.
    """
    manifest = read_manifest(root)
    if manifest is None:
        raise TreeError(
            f"{name} has no manifest: rootgen did not make it",
            why=(f"there is no {MANIFEST_PATH} in it",),
        )
    return manifest


def manifest_file(path: str) -> Manifest:
    """Return the manifest in the file ``path``.

    Raises TreeError where it may not be read, PlanError where it is malformed.
    """
    try:
        # O_NONBLOCK: a fifo must not hold us until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TreeError(f"{path} is neither a tree nor the file of a manifest")
            return parse_manifest(file.read(_LARGEST_MANIFEST))
    except OSError as error:
        raise TreeError(f"cannot read the manifest {path}: {error.strerror}") from error


def scan_tree(directory: str, *, trusting: bool = True, progress: Progress | None = None) -> Plan:
    """Return the Plan that the tree at ``directory`` is.

    With ``trusting``, what an ordinary user's tree cannot hold (owners,
    devices, privileged attributes), and the reasons, are the manifest's.
    Raises TreeError, and PlanError for a malformed manifest.
    """
    root = open_tree(directory)
    try:
        seen = look(root, progress=progress)
        manifest = read_manifest(root) if trusting else None
    finally:
        os.close(root)
    return seen.plan if manifest is None else intended(seen, manifest.plan)


def look(root: int, *, contents: bool = True, progress: Progress | None = None) -> Seen:
    """Read all of the open tree ``root``; raise TreeError where it is past all bounds.

    No link is followed and no other file system is entered. Without
    ``contents`` no file is opened, and none has a digest.
    """
    with Work() as work:
        done = 0

        def digest(entry: Entry, descriptor: int) -> None:
            nonlocal done
            done += entry.size
            if progress is not None:
                progress("reading", done, 0)
            work.do(entry.size, lambda: _hashed(entry, descriptor))

        looking = Looking(root, digest if contents else None)
        entries = {entry.path: entry for entry in looking.entries()}
        entries.update((entry.path, entry) for entry in work.results())
    plan = Plan(entries.values())
    unread: frozenset[str] = frozenset()
    if contents:
        unread = frozenset(entry.path for entry in plan.files() if not entry.sha256)
    return Seen(plan, looking.owner, looking.unheld.all(), unread)


def intended(seen: Seen, claimed: Plan) -> Plan:
    """Return what ``seen`` stands for, where ``claimed`` is the Plan that it was made from.

    A tree whose top has not the intended owner, or is not root's, was made by
    an ordinary user: what belongs to the owner of the top has the owner that is
    claimed, or where it was added since that of the top; devices that are not
    there could not be made (nor could any where none is), and so with the
    attributes that only root sets.
    """
    intent = Intent(claimed, seen.owner, seen.unread)
    entries = {entry.path: intent.of(entry) for entry in seen.plan.entries()}
    devices = intent.devices
    if intent.ordinary or not any(entry.path in entries for entry in devices):
        entries.update((entry.path, entry) for entry in devices if entry.path not in entries)
    return Plan(entries.values())


class Intent:
    """What each entry of a tree stands for, where a Plan is claimed; ``intended`` says how.

    ``ordinary``: an ordinary user made it. ``devices`` are those of the Plan.
    """

    def __init__(
        self, claimed: Plan, owner: tuple[int, int], unread: Container[str] = frozenset()
    ) -> None:
        """Take the Plan, who owns the top of the tree, and which files could not be read."""
        top = claimed.get("/")
        self.ordinary = top is not None and (owner[0] != 0 or (top.uid, top.gid) != owner)
        self.devices = tuple(entry for entry in claimed.entries() if entry.kind in _DEVICES)
        self._claimed = claimed
        self._top = top if self.ordinary else None
        self._owner = owner
        self._unread = unread

    def of(self, entry: Entry) -> Entry:
        """Return what one entry stands for."""
        claim, top = self._claimed.get(entry.path), self._top
        is_owners = (entry.uid, entry.gid) == self._owner
        if claim is None:
            if top is not None and is_owners:
                return entry._replace(uid=top.uid, gid=top.gid)
            return entry
        entry = entry._replace(reasons=claim.reasons)
        if entry.path in self._unread and (entry.size, entry.mode) == (claim.size, claim.mode):
            # Its own mode keeps us out, as it was meant to.
            entry = entry._replace(sha256=claim.sha256, xattrs=claim.xattrs)
        if top is None:
            return entry
        if is_owners:
            entry = entry._replace(uid=claim.uid, gid=claim.gid)
        held = {name for name, _ in entry.xattrs}
        lost = [
            pair
            for pair in claim.xattrs
            if pair[0] not in held and pair[0].startswith(("security.", "trusted."))
        ]
        return entry._replace(xattrs=tuple(sorted([*entry.xattrs, *lost])))


class Looking:
    """One reading of a tree.

    ``owner`` is that of the top; ``unheld`` what was left out of what was
    read so far; ``apart`` the inode of a file that is no part of it.
    """

    def __init__(self, root: int, take: Callable[[Entry, int], None] | None = None) -> None:
        """Begin at the open tree ``root``.

        ``take`` gets each file that may be read, and its descriptor, which is
        to be closed; without it none is opened.
        """
        self.unheld = Notes()
        self.apart: tuple[int, int] | None = None
        status = os.fstat(root)
        self.owner = (status.st_uid, status.st_gid)
        self._root = root
        self._mount = mount_of(root)
        self._attributes = AttributesAt(root)
        self._take = take
        # By inode, the first of several names.
        self._first: dict[tuple[int, int], Entry] = {}
        self._count = 0

    def entries(self) -> Generator[Entry, None, None]:
        """Return everything, read as it is asked for, in the order of a Plan.

        Of the names of one inode the first is the file. Raises TreeError.
        """
        yield self._entry("/", os.fstat(self._root), attributes(self._root))
        with Directories(self._root) as directories:
            # Of each directory on the way down, the names that are still to come.
            levels = [("", self._names(directories, "/"))]
            while levels:
                above, names = levels[-1]
                name, is_file = next(names, ("", False))
                if not name:
                    levels.pop()
                    continue
                path = f"{above}/{name}"
                directory = directories.at(above or "/")
                entry = self._at(path, directory, name, is_file=is_file)
                if entry is None:
                    continue
                yield entry
                if entry.kind is EntryKind.DIRECTORY:
                    levels.append((path, self._names(directories, path)))

    def _names(self, directories: Directories, path: str) -> Iterator[tuple[str, bool]]:
        """Return what is in a directory, in order, and which of it are files.

        What is not ours to read is noted.
        """
        try:
            directory = directories.at(path)
            if mount_of(directory) == self._mount:
                with os.scandir(directory) as found:
                    return iter(
                        sorted([(one.name, one.is_file(follow_symlinks=False)) for one in found])
                    )
            self.unheld.add(path, "a place where a file system is mounted")
        except OSError as error:
            _refuse_exhaustion(path, error)
            self.unheld.add(path, f"a directory that cannot be read: {error.strerror}")
        return iter(())

    def _at(self, path: str, directory: int, name: str, *, is_file: bool) -> Entry | None:
        """Return what is at one name; None for what is no part of the Plan."""
        if path == MANIFEST_PATH:
            return None
        self._count += 1
        if self._count >= _MOST:
            raise TreeError(f"the tree has more than {_MOST} entries")
        try:
            if is_file and self._take is not None:
                return self._opened(path, directory, name)
            return self._seen(path, directory, name)
        except FileNotFoundError:
            return None  # removed while we look

    def _seen(self, path: str, directory: int, name: str) -> Entry | None:
        """Return what is at one name, without opening it."""
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            self.unheld.add(path, "a socket")
            return None
        if kind is EntryKind.FILE and (known := self._known(path, status)):
            return known[0]
        entry = self._entry(path, status, self._attributes.of(directory, name))
        if kind is EntryKind.SYMLINK:
            entry = entry._replace(target=os.readlink(name, dir_fd=directory))
        elif kind is EntryKind.FILE:
            self._remember(entry, status)
        return entry

    def _opened(self, path: str, directory: int, name: str) -> Entry | None:
        """Return what a file is that may be opened, and have it taken."""
        try:
            descriptor = os.open(name, FILE, dir_fd=directory)
        except FileNotFoundError:
            raise
        except OSError as error:
            _refuse_exhaustion(path, error)
            return self._seen(path, directory, name)
        try:
            status = os.fstat(descriptor)
            _check_file(path, status)
            if known := self._known(path, status):
                os.close(descriptor)
                return known[0]
            entry = self._entry(path, status, attributes(descriptor))
        except BaseException:
            os.close(descriptor)
            raise
        self._remember(entry, status)
        if self._take is not None:
            self._take(entry, descriptor)
        return entry

    def _known(self, path: str, status: os.stat_result) -> tuple[Entry | None] | None:
        """Return what is known of a file by its inode: one more name of another, or nothing."""
        inode = (status.st_dev, status.st_ino)
        if inode == self.apart:
            return (None,)
        first = self._first.get(inode) if status.st_nlink > 1 else None
        return first and (hard_link(first._replace(path=path), first.path),)

    def _remember(self, entry: Entry, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            self._first[status.st_dev, status.st_ino] = entry

    @staticmethod
    def _entry(path: str, status: os.stat_result, xattrs: tuple[tuple[str, bytes], ...]) -> Entry:
        mode = status.st_mode
        kind = _KINDS[stat.S_IFMT(mode)]
        device = status.st_rdev if kind in _DEVICES else 0
        # By place: there is one of these for each path, and names would double its cost.
        return Entry(
            path,
            kind,
            stat.S_IMODE(mode),
            status.st_uid,
            status.st_gid,
            status.st_mtime_ns // 1_000_000_000,
            status.st_size if kind is EntryKind.FILE else 0,
            None,
            "",
            (os.major(device), os.minor(device)) if device else (0, 0),
            xattrs,
        )


def _check_file(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise TreeError(f"{path} of the tree changed while it was read")


def _refuse_exhaustion(path: str, error: OSError) -> None:
    """Raise TreeError where it is we who lack something: that says nothing of the tree."""
    if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
        raise TreeError(f"cannot read {path} of the tree: {error.strerror}") from error


def _hashed(entry: Entry, descriptor: int) -> Entry:
    try:
        sha256, size = digest_of(descriptor)
    except OSError as error:
        raise TreeError(f"cannot read {entry.path} of the tree: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return entry._replace(sha256=sha256, size=size)
