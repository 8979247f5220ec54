"""Making the entries of a Plan in an empty directory of our own."""

from __future__ import annotations

import os

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind
from rootgen.plan.plan import Plan
from rootgen.rootfs.blame import Blaming, write_error
from rootgen.rootfs.content import copy_content, digest_of, length_of
from rootgen.rootfs.flush import Flush, begin_flush, flush_file
from rootgen.rootfs.walk import Directories, parent_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.named import Progress
    from rootgen.rootfs.content import Sources
    from rootgen.rootfs.metadata import Metadata
    from rootgen.rootfs.note import Notes
    from rootgen.sysroot.port import OpenFile


# Files that may stay open until they are hashed and flushed, and their bytes.
_FEW = 128
_LITTLE = 32 << 20
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Place(NamedTuple):
    """The empty directory to fill, and what it is called in messages."""

    descriptor: int
    name: str


class Population:
    """Fills a directory: ``fill``, then ``add_manifest``, then ``settle``, then ``flush``.

    What stops it is a TreeError that names the entry, or the SysrootError of
    a source.
    """

    def __init__(
        self,
        place: Place,
        sources: Sources,
        metadata: Metadata,
        notes: Notes,
        *,
        durable: bool,
        progress: Progress | None = None,
    ) -> None:
        """Start with nothing made; ``durable``: what is made will be on the disk."""
        self._place = place
        self._sources = sources
        self._metadata = metadata
        self._notes = notes
        self._progress = progress
        self._durable = durable
        self._flush: Flush | None = None
        self._links: list[Entry] = []
        self._copied = 0

    def fill(self, plan: Plan) -> Plan:
        """Make all entries but the owners, modes and times of directories.

        Returns ``plan`` with the digest of every file.
        """
        files = list(plan.files())
        total = sum(entry.size for entry in files)
        few = len(files) <= _FEW and total <= _LITTLE
        filled = self._fill_few(plan, total) if few else self._fill_many(plan, total)
        known = {entry.path: entry for entry in filled}
        return Plan(known.get(entry.path, entry) for entry in plan.entries())

    def add_manifest(self, data: bytes, entry: Entry) -> None:
        """Write ``data`` as the file ``entry``."""
        directory, name = parent_of(entry.path)
        with self._blaming(entry), Directories(self._place.descriptor) as directories:
            target = os.open(name, _NEW, 0o600, dir_fd=directories.at(directory))
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(target, view) :]
                self._metadata.of_file(target, entry)
                begin_flush(target)
                if self._durable:
                    flush_file(target)
            finally:
                os.close(target)

    def settle(self, plan: Plan) -> None:
        """Give directories their owners, modes and times, those within before their parents."""
        with Directories(self._place.descriptor) as directories:
            for entry in reversed(list(plan.entries())):
                if entry.kind is EntryKind.DIRECTORY:
                    with self._blaming(entry):
                        self._metadata.of_file(directories.at(entry.path), entry)

    def flush(self) -> None:
        """Wait until the contents are on the disk, if they are to be durable."""
        if self._flush is None and self._durable:
            from rootgen.linux.sync import sync_filesystem

            with self._blaming(None):
                sync_filesystem(self._place.descriptor)
        failures = [] if self._flush is None else self._flush.wait()
        if failures:
            raise write_error(self._place.name, failures[0])

    def _fill_few(self, plan: Plan, total: int) -> list[Entry]:
        """Copy, then hash while another thread flushes: each leaves the other a processor."""
        copied: list[Entry] = []
        targets: list[int] = []

        def start(entry: Entry, file: OpenFile, target: int) -> None:
            targets.append(target)
            copied.append(self._copy(entry, file, target))

        try:
            self._make(plan, total, start)
            self._flush = Flush(targets, durable=self._durable)
            pairs = zip(copied, targets, strict=True)
            return [entry._replace(sha256=digest_of(target)[0]) for entry, target in pairs]
        finally:
            if self._flush is not None:
                self._flush.wait()
            for target in targets:
                os.close(target)

    def _fill_many(self, plan: Plan, total: int) -> list[Entry]:
        from rootgen.rootfs.work import Work

        with Work() as work:

            def start(entry: Entry, file: OpenFile, descriptor: int) -> None:
                work.do(entry.size, lambda: self._copy_and_hash(entry, file, descriptor))

            self._make(plan, total, start)
            return work.results()

    def _make(self, plan: Plan, total: int, start: Callable[[Entry, OpenFile, int], None]) -> None:
        """Make every entry; ``start`` owns the open source and target of a file."""
        with Directories(self._place.descriptor) as directories:
            for entry in plan.entries():
                if entry.path == "/":
                    continue
                parent, name = parent_of(entry.path)
                with self._blaming(entry):
                    directory = directories.at(parent)
                    if entry.kind is EntryKind.FILE:
                        self._start(entry, directory, name, start)
                    elif entry.kind is EntryKind.HARDLINK:
                        self._links.append(entry)
                    else:
                        self._make_other(entry, directory, name)
                if self._progress is not None and entry.kind is EntryKind.FILE:
                    self._copied += entry.size
                    self._progress("copying", self._copied, total)
            for entry in self._links:
                with self._blaming(entry):
                    self._link(entry, directories)

    def _start(
        self,
        entry: Entry,
        directory: int,
        name: str,
        start: Callable[[Entry, OpenFile, int], None],
    ) -> None:
        file = self._sources.open(entry)
        try:
            descriptor = os.open(name, _NEW, 0o600, dir_fd=directory)
        except BaseException:
            file.__exit__(None, None, None)
            raise
        start(entry, file, descriptor)

    def _make_other(self, entry: Entry, directory: int, name: str) -> None:
        if entry.kind is EntryKind.DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=directory)
        elif entry.kind is EntryKind.SYMLINK:
            os.symlink(entry.target, name, dir_fd=directory)
            self._metadata.of_name(directory, name, entry)
        else:
            self._metadata.make_node(directory, name, entry)

    def _link(self, entry: Entry, directories: Directories) -> None:
        source, source_name = parent_of(entry.target)
        parent, name = parent_of(entry.path)
        from_directory = os.dup(directories.at(source))
        try:
            os.link(
                source_name,
                name,
                src_dir_fd=from_directory,
                dst_dir_fd=directories.at(parent),
                follow_symlinks=False,
            )
        finally:
            os.close(from_directory)

    def _copy_and_hash(self, entry: Entry, file: OpenFile, descriptor: int) -> Entry:
        try:
            copied = self._copy(entry, file, descriptor)
            with self._blaming(entry):
                begin_flush(descriptor)
            return copied._replace(sha256=digest_of(descriptor)[0])
        finally:
            os.close(descriptor)

    def _copy(self, entry: Entry, file: OpenFile, descriptor: int) -> Entry:
        with self._blaming(entry), file:
            size = copy_content(file, descriptor, entry.size)
            now = length_of(file, size)
            if size != entry.size or now != size:
                what = (
                    f"it changed while it was read: {entry.size} bytes, then {now}; {size} are kept"
                )
                self._notes.add(entry.path, what)
            self._metadata.of_file(descriptor, entry)
        return entry._replace(size=size)

    def _blaming(self, entry: Entry | None) -> Blaming:
        return Blaming(self._place.name, entry)
