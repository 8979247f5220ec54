"""The steps of a Launch that build its root, recorded as calls to be made one after the other."""

from __future__ import annotations

import errno
import os
from functools import partial

from rootgen.errors import LaunchError
from rootgen.linux import mount as mounts
from rootgen.linux.calls import Label, Slot, going_on
from rootgen.linux.descriptor import record_closing, record_copy, record_opening
from rootgen.linux.entry import record_device, record_directory, record_file, record_link
from rootgen.linux.path import record_open
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox import pty
from rootgen.sandbox.launch import DeviceNode, Link, Mount, Node, Protect, Terminal, Text
from rootgen.sandbox.place import Places, check_kind, failing, failure, nearest
from rootgen.sandbox.root import record_tree
from rootgen.sandbox.text import show_text

if TYPE_CHECKING:
    from typing import Any

    from rootgen.linux.calls import Handler, Recorder
    from rootgen.sandbox.launch import Launch, Step
    from rootgen.sandbox.mounter import Mounter

_FORMAT, _DIRECTORY, _BLOCK, _CHARACTER = 0o170000, 0o040000, 0o060000, 0o020000
_NULL_DEVICE = os.makedev(1, 3)  # Documentation/admin-guide/devices.txt
# What move_mount(2), mount(2) say where one of the two is a directory and the other is none.
_OTHER_KIND = (errno.EINVAL, errno.ENOTDIR)
# What hides a directory. A file is hidden by the null device of the host: read-only, as root inside
# could change its mode for everybody else.
_EMPTY = ("tmpfs", "tmpfs", mounts.MS_RDONLY, "size=0k,mode=555")
# Of what is hidden, these are directories; the others are tried as files first.
_DIRECTORIES = ("/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware")


class Built(NamedTuple):
    """Where the descriptors of a root that is ready will be.

    ``tree`` is its mount, ``null`` the host's null device, ``terminal`` both
    ends (outer, inner) of its terminal, if it has one.
    """

    tree: Slot
    null: Slot
    terminal: Slot | None


def record_root(recorder: Recorder, launch: Launch, mounter: Mounter) -> Built:
    """Record how the root of a launch is built; nothing is changed to it yet.

    What is recorded raises LaunchError.
    """
    builder = Builder(recorder, launch, mounter)
    for step in launch.steps:
        builder.record(step)
    if launch.read_only:
        builder.make_read_only()
    builder.close()
    return Built(builder.tree, builder.null, builder.terminal)


class Builder:
    """A root that is being built: the host's files that it takes, and the places in it."""

    def __init__(self, recorder: Recorder, launch: Launch, mounter: Mounter) -> None:
        """Open all that is taken from the host, before anything is mounted over it."""
        self._recorder = recorder
        self._mounter = mounter
        self._uid = launch.credentials.uid
        self._sources = self._open_sources(launch)
        failed = failing("open /dev/null to hide files with it")
        how = os.O_RDWR | os.O_NOFOLLOW
        self.null = record_opening(recorder, os.devnull, how, failed)
        recorder.call(_check_null, self.null, failed=failed)
        self.terminal: Slot | None = None
        self.tree = record_tree(recorder, launch, mounter)
        self._mounted = {"": self.tree}
        # File systems that are made here are empty, as long as nothing was put there by us.
        self._fresh: set[str] = set()

    def record(self, step: Step) -> None:
        """Record one step."""
        match step:
            case Mount():
                self._mount(step)
            case Node():
                self._make_node(step)
            case DeviceNode():
                self._bind_device(step)
            case Link():
                self._make_link(step)
            case Protect():
                self._protect(step)
            case Text():
                self._show_text(step)
            case Terminal():
                self._open_terminal(step.path)

    def make_read_only(self) -> None:
        """Make the tree's own mount read-only; those beneath it were from the start."""
        restrict = partial(mounts.restrict, flags=mounts.MS_RDONLY, recursive=False)
        self._recorder.call(restrict, self.tree, failed=failing("make the tree read-only"))

    def close(self) -> None:
        """Close what is needed no longer: all but the tree, the null device and the terminal."""
        mounted = [slot for path, slot in self._mounted.items() if path]
        for slot in (*mounted, *self._sources.values()):
            self._close(slot)

    def _open_sources(self, launch: Launch) -> dict[str, Slot]:
        """Open what is to be bound before anything is mounted, as the host has it."""
        opened: dict[str, Slot] = {}
        for step in launch.steps:
            if not isinstance(step, Mount | DeviceNode):
                continue
            if (isinstance(step, Mount) and not step.bind) or step.source in opened:
                continue
            failed = failing(f"open {step.source} to bind it to {step.target}")
            opened[step.source] = record_opening(self._recorder, step.source, os.O_PATH, failed)
        return opened

    def _close(self, slot: Slot) -> None:
        record_closing(self._recorder, slot, failing("close a descriptor"))

    def _place(self, path: str, *, directory: bool) -> Slot:
        """Open a mount point, made where it lacks, in the tree or in what is mounted there."""
        mounted, rest = nearest(self._mounted, path)
        base = self._mounted[mounted]
        if not rest:
            return self._again(base)
        if mounted in self._fresh and "/" not in rest:
            # It is not there yet; if it is, it is opened all the same.
            record_entry = record_directory if directory else record_file
            record_entry(self._recorder, base, rest, going_on)
        opened: Slot

        def slowly(values: list[Any], position: int, _error: OSError) -> int:
            """Make what lacks of it, or say what is in the way."""
            places = Places({mounted: values[base.at]})
            values[opened.at] = places.open(path, directory=directory)
            return position + 1

        flags = os.O_PATH | (os.O_DIRECTORY if directory else 0)
        opened = record_open(self._recorder, base, rest, flags, slowly)
        return opened

    def _again(self, slot: Slot) -> Slot:
        """Open once more what is open, so that each is closed once."""
        return record_copy(self._recorder, slot, 0, failing("open a directory once more"))

    def _add(self, path: str, mount: Slot) -> None:
        """Remember that ``mount`` is at ``path`` now; what was beneath it is no more."""
        path = path.rstrip("/")
        for one in [one for one in self._mounted if one == path or one.startswith(f"{path}/")]:
            self._fresh.discard(one)
            covered = self._mounted.pop(one)
            if one:
                self._close(covered)
        self._mounted[path] = mount

    def _mount(self, step: Mount) -> None:
        target = self._place(step.target, directory=not step.file)
        failed = _mount_failed(step, target)
        if step.bind:
            source = self._sources[step.source]
            made = self._mounter.record_bind(
                self._recorder, source, step.flags, directory=not step.file, failed=failed
            )
        else:
            made = self._mounter.record_make(
                self._recorder, step.fstype, step.source, step.flags, step.data, failed=failed
            )
        self._mounter.record_attach(self._recorder, made, target, failed=failed)
        self._close(target)
        if step.file:
            self._close(made)
            return
        self._add(step.target, made)
        if step.fstype == "tmpfs":
            self._fresh.add(step.target.rstrip("/"))

    def _parent(self, path: str) -> tuple[Slot, bool]:
        """Open the directory that ``path`` is in; say whether it is to be closed."""
        directory = os.path.dirname(path)
        mounted, rest = nearest(self._mounted, directory)
        if not rest:
            return self._mounted[mounted], False
        return self._place(directory, directory=True), True

    def _make_node(self, node: Node) -> None:
        parent, opened = self._parent(node.path)
        name, device = os.path.basename(node.path), os.makedev(node.major, node.minor)
        failed = failing(f"make the device {node.path} ({node.major}:{node.minor})")
        record_device(self._recorder, parent, name, _CHARACTER | node.mode, device, failed)
        if opened:
            self._close(parent)

    def _make_link(self, link: Link) -> None:
        parent, opened = self._parent(link.path)
        failed = failing(f"make the link {link.path}")
        record_link(self._recorder, parent, os.path.basename(link.path), link.target, failed)
        if opened:
            self._close(parent)

    def _bind_device(self, step: DeviceNode) -> None:
        source = self._sources[step.source]
        failed = failing(f"bind the device {step.source} to {step.target}")
        self._recorder.call(_check_device, source, step, failed=failed)
        target = self._place(step.target, directory=False)
        flags = mounts.MS_RDONLY | mounts.MS_NOSUID | mounts.MS_NOEXEC
        self._bind_file(source, flags, target, _on_file(step.target, target, failed))
        self._close(target)

    def _bind_file(self, source: Slot, flags: int, target: Slot, failed: Handler) -> None:
        """Bind a file, to what ``target`` is open on."""
        made = self._mounter.record_bind(
            self._recorder, source, flags, directory=False, failed=failed
        )
        self._mounter.record_attach(self._recorder, made, target, failed=failed)
        self._close(made)

    def _protect(self, step: Protect) -> None:
        """Hide a path or make it read-only; what is not there needs neither.

        What is hidden in procfs is looked for in the procfs that we mounted,
        wherever in the tree it may have got to (CVE-2025-31133, -52881).
        """
        mounted, rest = nearest(self._mounted, step.path)
        done = Label()

        failed = failing(f"open {step.path} to protect it")
        base = self._mounted[mounted]
        target = record_open(self._recorder, base, rest or ".", os.O_PATH, failed, done)
        failed = failing(f"mount over {step.path} to protect it")
        if step.masked:
            self._cover(step.path, target, failed)
        else:
            made = self._mounter.record_bind(
                self._recorder, target, mounts.MS_RDONLY, directory=True, failed=failed
            )
            self._mounter.record_attach(self._recorder, made, target, failed=failed)
            self._close(made)
        self._close(target)
        self._recorder.mark(done)

    def _cover(self, path: str, target: Slot, failed: Handler) -> None:
        """Mount over what ``target`` is open on, be it a directory or not.

        Which of the two it is the kernel knows: it mounts none on the other. Each is made anew: of
        a mount that is nowhere yet Linux before 6.15 makes no copy.
        """
        mounter, null = self._mounter, self.null
        expected = path in _DIRECTORIES
        if expected:
            made = mounter.record_make(self._recorder, *_EMPTY, failed=failed)
        else:
            made = mounter.record_bind(
                self._recorder, null, mounts.MS_RDONLY, directory=False, failed=failed
            )

        def of_other_kind(values: list[Any], position: int, error: OSError) -> int:
            directory = os.fstat(values[target.at]).st_mode & _FORMAT == _DIRECTORY
            if error.errno not in _OTHER_KIND or directory == expected:
                return failed(values, position, error)
            os.close(values[made.at])
            try:
                values[made.at] = (
                    mounter.make(*_EMPTY)
                    if directory
                    else mounter.bind(values[null.at], mounts.MS_RDONLY, directory=False)
                )
                mounter.attach(values[made.at], values[target.at])
            except OSError as refused:
                return failed(values, position, refused)
            return position + 1

        mounter.record_attach(self._recorder, made, target, failed=of_other_kind)
        self._close(made)

    def _show_text(self, step: Text) -> None:
        names = tuple(self._mounted)

        def show(*descriptors: int) -> None:
            show_text(step, Places(dict(zip(names, descriptors, strict=True))), self._mounter)

        failed = failing(f"show a file of ours as {step.path}")
        self._recorder.call(show, *self._mounted.values(), failed=failed)

    def _open_terminal(self, path: str) -> None:
        failed = failing(f"bind the terminal to {path}")
        devpts = self._place("/dev/pts", directory=True)
        self.terminal, inner = self._recorder.value(), self._recorder.value()
        self._recorder.call(pty.open_terminal, devpts, self._uid, into=self.terminal, failed=failed)
        self._close(devpts)
        target = self._place(path, directory=False)
        self._recorder.call(_inner_end, self.terminal, into=inner, failed=failed)
        self._bind_file(inner, 0, target, _on_file(path, target, failed))
        self._close(target)


def _inner_end(terminal: tuple[int, int]) -> int:
    return terminal[1]


def _check_device(source: int, step: DeviceNode) -> None:
    found = os.fstat(source)
    kind = _BLOCK if step.block else _CHARACTER
    device = os.makedev(step.major, step.minor)
    if found.st_mode & _FORMAT != kind or found.st_rdev != device:
        raise LaunchError(f"{step.source} was replaced while it was being bound")


def _on_file(path: str, target: Slot, failed: Handler) -> Handler:
    """Return ``failed``, that first looks whether it was a directory that was to be mounted on."""

    def fail(values: list[Any], position: int, error: OSError) -> int:
        check_kind(values[target.at], path, directory=False)
        return failed(values, position, error)

    return fail


def _mount_failed(step: Mount, target: Slot) -> Handler:
    what = f"bind {step.source} to" if step.bind else f"mount {step.fstype} on"

    def fail(values: list[Any], _position: int, error: OSError) -> int:
        check_kind(values[target.at], step.target, directory=not step.file)
        raise failure(f"{what} {step.target}", error, _mount_hint(step, error)) from error

    return fail


def _check_null(opened: int) -> None:
    """Raise LaunchError where the host's /dev/null, which hides files, is another device.

    What replaces it could be read, and written (CVE-2025-31133).
    """
    found = os.fstat(opened)
    if found.st_mode & _FORMAT != _CHARACTER or found.st_rdev != _NULL_DEVICE:
        raise LaunchError(
            "/dev/null of this machine is not the null device",
            hint="make it again: rm /dev/null; mknod -m 666 /dev/null c 1 3",
        )


def _mount_hint(step: Mount, error: OSError) -> str:
    if error.errno == errno.EPERM and step.fstype in ("proc", "sysfs"):
        return (
            f"the kernel allows this only where all of the host's /{step.target.strip('/')} is "
            "visible; inside another container it is partly hidden: start that one with it "
            "unmasked (podman run --security-opt unmask=ALL), or, as root, hardly contained then, "
            "with --cap-add SYS_ADMIN --cap-add NET_ADMIN"
        )
    return ""
