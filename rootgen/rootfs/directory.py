"""A directory of files that is no tree: beside its destination, then in its place in one rename."""

from __future__ import annotations

import os

from rootgen.errors import TreeError
from rootgen.named import TYPE_CHECKING
from rootgen.rootfs.blame import Blaming
from rootgen.rootfs.commit import Endable, Undisturbed
from rootgen.rootfs.destination import Destination, lock
from rootgen.rootfs.note import Note, Notes
from rootgen.rootfs.walk import DIRECTORY
from rootgen.rootfs.write import Old, put_in_place, take_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO

    from rootgen.layer.write import Contents
    from rootgen.plan.plan import Plan

    # Fills the open directory; what could not be kept is noted.
    Fill = Callable[[int, Notes], None]

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_directory(out: str, fill: Fill, *, apart: str, force: bool) -> tuple[Note, ...]:
    """Write the directory ``out``, whole or not at all; return what ``fill`` could not keep.

    ``apart`` is a directory that is read meanwhile, and must not be replaced.
    What stands there is replaced with ``force`` only, if it is not empty.
    Raises TreeError, and what ``fill`` raises.
    """
    notes = Notes()
    destination = Destination(out, os.path.realpath(apart))
    try:
        old = _examine(destination, force=force)
        try:
            destination.sweep(notes)
            with Endable():
                _write(destination, fill, notes, old)
        finally:
            if old is not None:
                os.close(old.descriptor)
    finally:
        destination.close()
    return notes.all()


def fill_plainly(plan: Plan, contents: Contents, directory: int, shown: str) -> None:
    """Write the directories and files of ``plan`` into ``directory``, as their writer's own.

    The files are on the disk then. Raises TreeError, LayerError for a file
    that is not as long as its entry says, and what ``contents`` raises.
    """
    from rootgen.layer.packed import read_exactly
    from rootgen.plan.entry import EntryKind, Inline

    for entry in plan.entries():
        with Blaming(f"{shown}{entry.path}", None):
            if entry.kind is EntryKind.DIRECTORY:
                if entry.path != "/":
                    os.mkdir(entry.path[1:], entry.mode, dir_fd=directory)
                continue
            file = open(os.open(entry.path[1:], _NEW, entry.mode, dir_fd=directory), "wb")  # noqa: SIM115
        with file:
            if isinstance(entry.content, Inline):
                _add(file, (entry.content.data,), f"{shown}{entry.path}")
            else:
                with contents(entry) as source:
                    _add(file, read_exactly(source, entry), f"{shown}{entry.path}")


def _add(file: IO[bytes], pieces: Iterable[bytes], shown: str) -> None:
    for piece in pieces:
        with Blaming(shown, None):
            file.write(piece)
    with Blaming(shown, None):
        file.flush()
        os.fsync(file.fileno())


def _examine(destination: Destination, *, force: bool) -> Old | None:
    identity = destination.standing()
    if identity is None:
        return None
    with Blaming(destination.shown, None):
        descriptor = os.open(destination.name, DIRECTORY, dir_fd=destination.parent)
    names = sorted(os.listdir(descriptor))
    if not lock(descriptor) or (names and not force):
        os.close(descriptor)
        what = ", ".join(names[:5]) + (", …" if names[5:] else "")
        raise TreeError(
            f"{destination.shown} is there already",
            why=(f"it holds {what}",) if names else ("another rootgen is writing it",),
            hint="name another directory, or replace this one: --force",
        )
    return Old(descriptor, identity, not names)


def _write(destination: Destination, fill: Fill, notes: Notes, old: Old | None) -> None:
    temporary = destination.begin()
    try:
        try:
            fill(temporary.descriptor, notes)
            os.fchmod(temporary.descriptor, 0o755)
            with Undisturbed():
                put_in_place(destination, temporary, old, notes)
        except BaseException:
            take_back(destination, temporary)
            raise
    finally:
        os.close(temporary.descriptor)
