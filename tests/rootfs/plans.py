"""Small Plans to write, from a text of entries, and a tree written from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig
from rootgen.rootfs.write import write_tree
from rootgen.sysroot.memory import MemorySysroot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rootgen.rootfs.write import Written

WHY = (Reason(ReasonKind.ADDED, "a test"),)
NOWHERE = MemorySysroot({}, {})


def directory(path: str, mode: int = 0o755) -> Entry:
    """Return a directory."""
    return Entry(path, EntryKind.DIRECTORY, mode, reasons=WHY)


def file(path: str, data: bytes = b"data", mode: int = 0o644) -> Entry:
    """Return a file with ``data``."""
    return Entry(path, EntryKind.FILE, mode, size=len(data), content=Inline(data), reasons=WHY)


def link(path: str, target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(path, EntryKind.SYMLINK, 0o777, target=target, reasons=WHY)


def plan_of(*entries: Entry) -> Plan:
    """Return the Plan of ``entries`` and the top."""
    return Plan([directory("/"), *entries])


def write(
    plan: Plan | Iterable[Entry], out: Path | str, *, force: bool = False, sysroot: object = NOWHERE
) -> Written:
    """Write ``plan`` as the tree ``out``."""
    whole = plan if isinstance(plan, Plan) else plan_of(*plan)
    return write_tree(
        whole,
        str(out),
        sysroot=sysroot,  # type: ignore[arg-type]
        host=NOWHERE,
        programs=(),
        image=ImageConfig(),
        force=force,
    )
