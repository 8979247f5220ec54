"""Archives of Plans whose contents are inline: written by us to memory, read back, applied."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from rootgen.layer.apply import apply_layer
from rootgen.layer.read import read_archive
from rootgen.layer.whiteout import layer_of
from rootgen.layer.write import write_tar
from rootgen.plan.entry import Entry, EntryKind, Inline
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from rootgen.layer.packed import Packed
    from rootgen.layer.read import Archive
    from rootgen.sysroot.memory import BytesFile


def file(path: str, data: bytes = b"", mode: int = 0o644, **more: Any) -> Entry:
    """Return a file with its content and its digest."""
    entry = Entry(
        path, EntryKind.FILE, mode, size=len(data), content=Inline(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    return entry._replace(**more)


def directory(path: str, mode: int = 0o755, **more: Any) -> Entry:
    """Return a directory."""
    return Entry(path, EntryKind.DIRECTORY, mode)._replace(**more)


def symlink(path: str, target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(path, EntryKind.SYMLINK, 0o777, target=target)


def plan(*entries: Entry) -> Plan:
    """Return the Plan of ``entries`` and the top."""
    return Plan([directory("/"), *entries])


def no_contents(entry: Entry) -> BytesFile:
    """Say that contents are asked for that should be inline."""
    raise AssertionError(entry.path)


def packed(entries: Collection[Entry]) -> tuple[bytes, Packed]:
    """Return the archive of ``entries``, and what its writer says of it."""
    buffer = io.BytesIO()
    written = write_tar(entries, no_contents, buffer.write)
    return buffer.getvalue(), written


def read(data: bytes) -> Archive:
    """Return what an archive says."""
    return read_archive(io.BytesIO(data).read)


def unpacked(data: bytes, base: Plan | None = None) -> Plan:
    """Return what is there after the archive was applied to ``base``, or to nothing."""
    return apply_layer(base or Plan(), read(data))


def bare(whole: Plan) -> Plan:
    """Return ``whole`` as an archive has it: without reasons, and without where its bytes are."""
    return Plan(entry._replace(content=None, reasons=()) for entry in whole.entries())


def over(base: Plan, new: Plan) -> Plan:
    """Return what is there after the layer that makes ``new`` was unpacked over ``base``."""
    data, _ = packed(layer_of(base, new).members())
    return unpacked(data, base)
