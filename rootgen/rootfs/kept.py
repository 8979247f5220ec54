"""Files of an archive that may be read again: kept in one temporary file, by their digest."""

from __future__ import annotations

import os

from rootgen.errors import SysrootError, TreeError
from rootgen.layer.read import Whiteout
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, FromSysroot
from rootgen.plan.manifest import MANIFEST_PATH
from rootgen.plan.plan import Plan
from rootgen.sysroot.owner import is_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.layer.read import Archive

# What resolving reads is an ELF file or a script, whatever its size, or a small file; what
# records are made of are databases of packages.
_SMALL = 4 << 20
_MAGIC = (b"\x7fELF", b"#!")


class Kept:
    """Contents of archives, by SHA-256; with ``everything``, large data as well."""

    def __init__(self, *, everything: bool = False) -> None:
        """Make the temporary file, which has no name; raise TreeError where there is no room."""
        from tempfile import TemporaryFile
        from weakref import finalize

        # /tmp may be memory, and a distribution takes some of it.
        directory = None if os.environ.get("TMPDIR") else "/var/tmp"  # noqa: S108 - no name in it
        try:
            self._file = TemporaryFile(dir=directory)  # noqa: SIM115 - ours for as long as we are
        except OSError as error:
            raise TreeError(f"cannot make a temporary file: {error.strerror}") from error
        # A base is a value that nobody closes: the file goes with the last who reads it.
        finalize(self, self._file.close)
        self._everything = everything
        self._end = 0
        self._begun: list[tuple[int, int] | None] = []
        self._places: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Kept:
        """Return itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go of what was kept; else that is with the last who knows of it."""
        self._file.close()

    def keep(self, entry: Entry, content: Iterator[bytes]) -> None:
        """Keep a file that is being read (``layer.read.read_archive``)."""
        start, wanted = self._end, self._is_wanted(entry)
        for number, data in enumerate(content):
            if not (wanted or (number == 0 and data.startswith(_MAGIC))):
                self._begun.append(None)
                return
            wanted = True
            try:
                self._file.write(data)
            except OSError as error:
                raise TreeError(f"cannot keep {entry.path}: {error.strerror}") from error
            self._end += len(data)
        self._begun.append((start, self._end - start))

    def _is_wanted(self, entry: Entry) -> bool:
        small = entry.size <= _SMALL or entry.path == MANIFEST_PATH
        return self._everything or small or is_record(entry.path)

    def settle(self, archive: Archive) -> None:
        """Take the digests of what was kept while ``archive`` was read."""
        files = [
            one.entry
            for one in archive.members
            if not isinstance(one, Whiteout) and one.entry.kind is EntryKind.FILE
        ]
        for entry, place in zip(files, self._begun, strict=True):
            if place is not None:
                self._places.setdefault(entry.sha256, place)
        self._begun.clear()
        self._file.flush()

    def open(self, path: str) -> KeptFile:
        """Open the file whose digest is ``path``; raise SysrootError where it was not kept."""
        place = self._places.get(path)
        if place is None:
            raise SysrootError(f"cannot read the base's file sha256:{path}: it was not kept")
        return KeptFile(self._file.fileno(), *place)


class KeptFile:
    """One file among those kept (``sysroot.port.OpenFile``)."""

    __slots__ = ("_descriptor", "_size", "_start")

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        """Read from ``descriptor``, which stays its owner's."""
        self._descriptor = descriptor
        self._start = start
        self._size = size

    def __enter__(self) -> KeptFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go; the descriptor is not ours."""

    def pread(self, size: int, offset: int) -> bytes:
        """Read at most ``size`` bytes at ``offset``."""
        return os.pread(
            self._descriptor, max(0, min(size, self._size - offset)), self._start + offset
        )

    def fileno(self) -> int:
        """Raise SysrootError: the descriptor is of more than this file."""
        message = "a file of an archive has no descriptor of its own"
        raise SysrootError(message)


def by_digest(plan: Plan) -> Plan:
    """Return ``plan`` with its files' contents where ``Kept`` has them."""
    return Plan(
        entry._replace(content=FromSysroot(entry.sha256)) if entry.kind is EntryKind.FILE else entry
        for entry in plan.entries()
    )
