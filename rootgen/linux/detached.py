"""Mounts that are nowhere yet: made, restricted, and only then attached (Linux 5.2 and 5.12).

A mount that mount(2) makes is seen at once, and its flags are added later,
by its name. These calls give a descriptor of the mount itself, before it is
anywhere: no name has to be looked up again (open_tree(2), fsopen(2),
fsmount(2), move_mount(2), mount_setattr(2)).
"""

from __future__ import annotations

import os

from rootgen.linux.descriptor import record_closing
from rootgen.linux.libc import (
    FSCONFIG,
    FSMOUNT,
    FSOPEN,
    MOVE_MOUNT,
    OPEN_TREE,
    error,
    last_errno,
    system_call,
)
from rootgen.linux.mount import record_attributes, set_attributes
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder, Slot

# linux/mount.h
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_BOTH_EMPTY = 0x4 | 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6  # FSCONFIG_*
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000


def record_probe(recorder: Recorder, failed: Handler) -> None:
    """Record what fails where the kernel lacks these calls, or a filter from before refuses them.

    It asks the youngest of them for nothing. Only who may mount is told.
    """
    record_attributes(recorder, -1, 0, failed)


def clone(descriptor: int, flags: int) -> int:
    """Return a detached copy of the mount at what ``descriptor`` is open on, ``flags`` added.

    It shows that file or directory, with what is mounted beneath, which gets
    the flags as well. Raises OSError.
    """
    how = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
    made = _call("open_tree", OPEN_TREE, descriptor, b"", how)
    if flags:
        try:
            set_attributes(made, flags, recursive=True)
        except OSError:
            os.close(made)
            raise
    return made


def record_clone(recorder: Recorder, source: Slot, flags: int, failed: Handler) -> Slot:
    """Record a ``clone``; return where its descriptor will be."""
    made = recorder.value()
    how = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
    recorder.system_call(OPEN_TREE, source, b"", how, into=made, failed=failed)
    if flags:
        record_attributes(recorder, made, flags, failed)
    return made


def make(fstype: str, source: str, flags: int, data: str) -> int:
    """Return a fresh, detached file system; ``data`` are its options as mount(8) has them.

    Raises OSError.
    """
    context = _call("fsopen", FSOPEN, fstype.encode(), _FSOPEN_CLOEXEC)
    try:
        for name, value in (("source", source), *(_option(one) for one in data.split(",") if one)):
            kind = _SET_FLAG if value is None else _SET_STRING
            text = None if value is None else value.encode()
            _call(f"fsconfig {name}", FSCONFIG, context, kind, name.encode(), text, 0)
        _call(f"fsconfig {fstype}", FSCONFIG, context, _CREATE, None, None, 0)
        return _call("fsmount", FSMOUNT, context, _FSMOUNT_CLOEXEC, flags)
    finally:
        os.close(context)


def record_make(
    recorder: Recorder, fstype: str, source: str, flags: int, data: str, failed: Handler
) -> Slot:
    """Record a ``make``; return where its descriptor will be."""
    context, made = recorder.value(), recorder.value()
    recorder.system_call(FSOPEN, fstype.encode(), _FSOPEN_CLOEXEC, into=context, failed=failed)
    for name, value in (("source", source), *(_option(one) for one in data.split(",") if one)):
        kind = _SET_FLAG if value is None else _SET_STRING
        text = 0 if value is None else value.encode()
        recorder.system_call(FSCONFIG, context, kind, name.encode(), text, 0, failed=failed)
    recorder.system_call(FSCONFIG, context, _CREATE, 0, 0, 0, failed=failed)
    recorder.system_call(FSMOUNT, context, _FSMOUNT_CLOEXEC, flags, into=made, failed=failed)
    record_closing(recorder, context, failed)
    return made


def attach(mount: int, target: int) -> None:
    """Attach a detached mount to the file or directory ``target`` is open on. Raises OSError."""
    _call("move_mount", MOVE_MOUNT, mount, b"", target, b"", _MOVE_MOUNT_BOTH_EMPTY)


def record_attach(recorder: Recorder, mount: Slot, target: Slot, failed: Handler) -> None:
    """Record an ``attach``."""
    how = _MOVE_MOUNT_BOTH_EMPTY
    recorder.system_call(MOVE_MOUNT, mount, b"", target, b"", how, failed=failed)


def _option(written: str) -> tuple[str, str | None]:
    name, equals, value = written.partition("=")
    return name, value if equals else None


def _call(name: str, number: int, *arguments: int | bytes | None) -> int:
    result = system_call(number, *arguments)
    if result < 0:
        raise error(last_errno(), name)
    return result
