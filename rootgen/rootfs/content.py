"""The bytes of an entry: where they come from, into a file, and their digest."""

from __future__ import annotations

import os

from rootgen.errors import PlanError, SysrootError
from rootgen.linux.copy import copy_data
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import FromHost, FromSysroot, Inline, wanted_by
from rootgen.sysroot.memory import BytesFile

if TYPE_CHECKING:
    from rootgen.plan.entry import Entry
    from rootgen.sysroot.port import OpenFile, Sysroot

_CHUNK = 1 << 18


class Sources(NamedTuple):
    """The roots that contents are read from."""

    sysroot: Sysroot
    host: Sysroot

    def open(self, entry: Entry) -> OpenFile:
        """Open the bytes of a file.

        Raises SysrootError, with the reason for the entry, where they may
        not be read, and PlanError for an entry that does not say where its
        bytes are.
        """
        try:
            match entry.content:
                case FromSysroot(path):
                    return self.sysroot.open(path)
                case FromHost(path):
                    return self.host.open(path)
                case Inline(data):
                    return BytesFile(data, entry.path)
        except SysrootError as error:
            raise SysrootError(error.what, why=wanted_by(entry.reasons), hint=error.hint) from error
        raise PlanError(f"{entry.path} has no content to read")


def copy_content(file: OpenFile, target: int, size: int) -> int:
    """Copy at most ``size`` bytes into the empty file ``target``; return how many there were.

    Raises OSError, or SysrootError where the source cannot be read.
    """
    descriptor = _descriptor(file)
    if descriptor is not None:
        return copy_data(descriptor, target, size)
    offset = 0
    while offset < size and (data := file.pread(min(_CHUNK, size - offset), offset)):
        view = memoryview(data)
        while view:
            written = os.pwrite(target, view, offset)
            view, offset = view[written:], offset + written
    return offset


def length_of(file: OpenFile, size: int) -> int:
    """Return how long ``file`` is now; ``size`` where only reading would tell."""
    descriptor = _descriptor(file)
    return size if descriptor is None else os.fstat(descriptor).st_size


def digest_of(descriptor: int) -> tuple[str, int]:
    """Return the SHA-256 of an open file, in hexadecimal, and its length; raise OSError."""
    from hashlib import sha256  # OpenSSL costs 3 ms, which a thread that flushes has use for

    digest = sha256()
    buffer = memoryview(bytearray(_CHUNK))
    offset = 0
    while count := os.preadv(descriptor, [buffer], offset):
        digest.update(buffer[:count])
        offset += count
    return digest.hexdigest(), offset


def digest_content(file: OpenFile) -> tuple[str, int]:
    """Return the SHA-256 of what ``file`` holds, and its length.

    Raises OSError or SysrootError.
    """
    descriptor = _descriptor(file)
    if descriptor is not None:
        return digest_of(descriptor)
    from hashlib import sha256

    digest = sha256()
    offset = 0
    while data := file.pread(_CHUNK, offset):
        digest.update(data)
        offset += len(data)
    return digest.hexdigest(), offset


def _descriptor(file: OpenFile) -> int | None:
    if isinstance(file, BytesFile):
        return None
    try:
        return file.fileno()
    except SysrootError:
        return None  # a source in memory: its bytes are read instead
