"""Mounts made where nobody sees them, restricted there, and then attached where they belong.

So no name is looked up a second time: not a mount's own, which somebody who
can rename directories of the tree would let lead to another (the race of
CVE-2021-30465), and at no moment is a mount there without its flags.
"""

from __future__ import annotations

import os
from functools import partial

from rootgen.linux import detached
from rootgen.linux import mount as mounts
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    from rootgen.linux.calls import Handler, Recorder, Slot

    class Mounter(Protocol):
        """Makes mounts that are nowhere yet, as descriptors; each call raises OSError."""

        def bind(self, source: int, flags: int, *, directory: bool) -> int:
            """Return a mount of what ``source`` is open on, and of all beneath, restricted."""

        def make(self, fstype: str, source: str, flags: int, data: str) -> int:
            """Return a fresh file system."""

        def attach(self, mount: int, target: int) -> None:
            """Attach a mount to what ``target`` is open on."""

        def record_bind(
            self, recorder: Recorder, source: Slot, flags: int, *, directory: bool, failed: Handler
        ) -> Slot:
            """Record a ``bind``."""

        def record_make(
            self,
            recorder: Recorder,
            fstype: str,
            source: str,
            flags: int,
            data: str,
            *,
            failed: Handler,
        ) -> Slot:
            """Record a ``make``."""

        def record_attach(
            self, recorder: Recorder, mount: Slot, target: Slot, *, failed: Handler
        ) -> None:
            """Record an ``attach``."""


class Detached:
    """By the calls that make mounts before they are anywhere (Linux 5.12)."""

    def bind(self, source: int, flags: int, *, directory: bool) -> int:  # noqa: ARG002 - as Staged
        """Return a mount of what ``source`` is open on, and of all beneath, restricted."""
        return detached.clone(source, flags)

    def make(self, fstype: str, source: str, flags: int, data: str) -> int:
        """Return a fresh file system."""
        return detached.make(fstype, source, flags, data)

    def attach(self, mount: int, target: int) -> None:
        """Attach a mount to what ``target`` is open on."""
        detached.attach(mount, target)

    def record_bind(
        self,
        recorder: Recorder,
        source: Slot,
        flags: int,
        *,
        directory: bool,  # noqa: ARG002 - as Staged
        failed: Handler,
    ) -> Slot:
        """Record a ``bind``."""
        return detached.record_clone(recorder, source, flags, failed)

    def record_make(
        self,
        recorder: Recorder,
        fstype: str,
        source: str,
        flags: int,
        data: str,
        *,
        failed: Handler,
    ) -> Slot:
        """Record a ``make``."""
        return detached.record_make(recorder, fstype, source, flags, data, failed)

    def record_attach(
        self, recorder: Recorder, mount: Slot, target: Slot, *, failed: Handler
    ) -> None:
        """Record an ``attach``."""
        detached.record_attach(recorder, mount, target, failed)


class Staged:
    """By mount(2), on a small file system of our own, to be moved from there.

    It lies over /, where names do not lead: they are looked up from what
    lies beneath it. Only "/.." crosses to it. It goes with the old root.
    """

    def __init__(self) -> None:
        """Mount it; raise OSError."""
        mounts.mount("tmpfs", "/", "tmpfs", mounts.MS_NOSUID | mounts.MS_NODEV, "mode=700")
        self._stage = os.open("/..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        # A tree that is / would be bound with it, and lie beneath it (mount_namespaces(7)).
        mounts.mount("", mounts.descriptor_path(self._stage), "", mounts.MS_UNBINDABLE)
        os.mkdir("directory", dir_fd=self._stage)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open("file", flags, 0o600, dir_fd=self._stage))

    def bind(self, source: int, flags: int, *, directory: bool) -> int:
        """Return a mount of what ``source`` is open on, and of all beneath, restricted."""
        name = "directory" if directory else "file"
        how = mounts.MS_BIND | mounts.MS_REC
        made = self._mount(name, mounts.descriptor_path(source), "", how, "")
        if flags:
            mounts.restrict(made, flags, recursive=True)
        return made

    def make(self, fstype: str, source: str, flags: int, data: str) -> int:
        """Return a fresh file system."""
        return self._mount("directory", source, fstype, flags, data)

    def attach(self, mount: int, target: int) -> None:
        """Attach a mount to what ``target`` is open on."""
        mounts.mount_on(mounts.descriptor_path(mount), target, "", mounts.MS_MOVE)

    def record_bind(
        self, recorder: Recorder, source: Slot, flags: int, *, directory: bool, failed: Handler
    ) -> Slot:
        """Record a ``bind``."""
        made = recorder.value()
        bind = partial(self.bind, flags=flags, directory=directory)
        recorder.call(bind, source, into=made, failed=failed)
        return made

    def record_make(
        self,
        recorder: Recorder,
        fstype: str,
        source: str,
        flags: int,
        data: str,
        *,
        failed: Handler,
    ) -> Slot:
        """Record a ``make``."""
        made = recorder.value()
        recorder.call(self.make, fstype, source, flags, data, into=made, failed=failed)
        return made

    def record_attach(
        self, recorder: Recorder, mount: Slot, target: Slot, *, failed: Handler
    ) -> None:
        """Record an ``attach``."""
        recorder.call(self.attach, mount, target, failed=failed)

    def close(self) -> None:
        """Let go of the stage."""
        os.close(self._stage)

    def _mount(self, name: str, source: str, fstype: str, flags: int, data: str) -> int:
        place = f"{mounts.descriptor_path(self._stage)}/{name}"
        mounts.mount(source, place, fstype, flags, data)
        return os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=self._stage)
