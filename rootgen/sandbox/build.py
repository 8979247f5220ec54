"""The steps of a Launch that build its root, performed one after the other."""

from __future__ import annotations

import errno
import os

from rootgen.errors import LaunchError
from rootgen.linux import mount as mounts
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox import pty
from rootgen.sandbox.launch import DeviceNode, Link, Mount, Node, Protect, Text
from rootgen.sandbox.mounter import open_mounter
from rootgen.sandbox.place import Places, failure
from rootgen.sandbox.root import cut_off, open_as_mount
from rootgen.sandbox.text import show_text

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch, Step

_FORMAT, _DIRECTORY, _BLOCK, _CHARACTER = 0o170000, 0o040000, 0o060000, 0o020000
_NULL_DEVICE = os.makedev(1, 3)  # Documentation/admin-guide/devices.txt


class Built(NamedTuple):
    """A root that is ready, as descriptors.

    ``tree`` is its mount, ``null`` the host's null device, ``terminal`` both
    ends (outer, inner) of its terminal, if it has one.
    """

    tree: int
    null: int
    terminal: tuple[int, int] | None


def build_root(launch: Launch) -> Built:
    """Build the root of a launch in this process's mount namespace; nothing is changed to it yet.

    Raises LaunchError.
    """
    os.umask(0)
    cut_off()
    builder = Builder(launch)
    try:
        for step in launch.steps:
            builder.perform(step)
        if launch.read_only:
            builder.make_read_only()
        return Built(os.dup(builder.places.tree), os.dup(builder.null), builder.terminal)
    finally:
        builder.close()


class Builder:
    """A root that is being built: the host's files that it takes, and the places in it."""

    def __init__(self, launch: Launch) -> None:
        """Open all that is taken from the host, before anything is mounted over it."""
        self._uid = launch.credentials.uid
        self._sources = _open_sources(launch)
        self.null = _open_null()
        self._covers: dict[bool, int] = {}  # of a directory, or not: one that is in use
        self.terminal: tuple[int, int] | None = None
        try:
            self._mounter = open_mounter()
        except OSError as error:
            raise failure("make a place for mounts", error) from error
        self.places = Places(open_as_mount(launch, self._mounter))

    def perform(self, step: Step) -> None:
        """Perform one step; raise LaunchError."""
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
                show_text(step, self.places, self._mounter)
            case _:
                self._open_terminal(step.path)

    def make_read_only(self) -> None:
        """Make the tree's own mount read-only; those beneath it were from the start."""
        try:
            mounts.restrict(self.places.tree, mounts.MS_RDONLY, recursive=False)
        except OSError as error:
            raise failure("make the tree read-only", error) from error

    def close(self) -> None:
        """Close what is needed no longer; the terminal stays open."""
        self.places.close()
        self._mounter.close()
        for descriptor in (self.null, *self._sources.values(), *self._covers.values()):
            os.close(descriptor)

    def _mount(self, step: Mount) -> None:
        target = self.places.open(step.target, directory=not step.file)
        try:
            made = self._attach_new(step, target)
        except OSError as error:
            what = f"bind {step.source} to" if step.bind else f"mount {step.fstype} on"
            raise failure(f"{what} {step.target}", error, _mount_hint(step, error)) from error
        finally:
            os.close(target)
        if step.file:
            os.close(made)
        else:
            self.places.add(step.target, made)

    def _attach_new(self, step: Mount, target: int) -> int:
        if step.bind:
            source = self._sources[step.source]
            made = self._mounter.bind(source, step.flags, directory=not step.file)
        else:
            made = self._mounter.make(step.fstype, step.source, step.flags, step.data)
        try:
            self._mounter.attach(made, target)
        except OSError:
            os.close(made)
            raise
        return made

    def _make_node(self, node: Node) -> None:
        parent = self.places.open(os.path.dirname(node.path), directory=True)
        try:
            device = os.makedev(node.major, node.minor)
            os.mknod(os.path.basename(node.path), _CHARACTER | node.mode, device, dir_fd=parent)
        except OSError as error:
            doing = f"make the device {node.path} ({node.major}:{node.minor})"
            raise failure(doing, error) from error
        finally:
            os.close(parent)

    def _bind_device(self, step: DeviceNode) -> None:
        source = self._sources[step.source]
        found = os.fstat(source)
        kind = _BLOCK if step.block else _CHARACTER
        device = os.makedev(step.major, step.minor)
        if found.st_mode & _FORMAT != kind or found.st_rdev != device:
            raise LaunchError(f"{step.source} was replaced while it was being bound")
        target = self.places.open(step.target, directory=False)
        flags = mounts.MS_RDONLY | mounts.MS_NOSUID | mounts.MS_NOEXEC
        try:
            self._attach_bind(source, flags, target)
        except OSError as error:
            raise failure(f"bind the device {step.source} to {step.target}", error) from error
        finally:
            os.close(target)

    def _attach_bind(self, source: int, flags: int, target: int) -> None:
        """Bind a file, to what ``target`` is open on."""
        made = self._mounter.bind(source, flags, directory=False)
        try:
            self._mounter.attach(made, target)
        finally:
            os.close(made)

    def _make_link(self, link: Link) -> None:
        parent = self.places.open(os.path.dirname(link.path), directory=True)
        try:
            os.symlink(link.target, os.path.basename(link.path), dir_fd=parent)
        except OSError as error:
            raise failure(f"make the link {link.path}", error) from error
        finally:
            os.close(parent)

    def _protect(self, step: Protect) -> None:
        """Hide a path or make it read-only; what is not there needs neither.

        What is hidden in procfs is looked for in the procfs that we mounted,
        wherever in the tree it may have got to (CVE-2025-31133, -52881).
        """
        try:
            target = self.places.open_existing(step.path)
        except OSError as error:
            raise failure(f"open {step.path} to protect it", error) from error
        if target is None:
            return
        try:
            directory = os.fstat(target).st_mode & _FORMAT == _DIRECTORY
            made = self._cover(step, target, directory=directory)
            try:
                self._mounter.attach(made, target)
            finally:
                os.close(made)
        except OSError as error:
            raise failure(f"mount over {step.path} to protect it", error) from error
        finally:
            os.close(target)

    def _cover(self, step: Protect, target: int, *, directory: bool) -> int:
        if not step.masked:
            return self._mounter.bind(target, mounts.MS_RDONLY, directory=directory)
        if directory in self._covers:
            # A copy of a mount has its flags: they are asked for once.
            return self._mounter.bind(self._covers[directory], 0, directory=directory)
        if directory:
            made = self._mounter.make("tmpfs", "tmpfs", mounts.MS_RDONLY, "size=0k,mode=555")
        else:
            # It is the host's: root inside could change its mode for everybody.
            made = self._mounter.bind(self.null, mounts.MS_RDONLY, directory=False)
        self._covers[directory] = os.dup(made)
        return made

    def _open_terminal(self, path: str) -> None:
        devpts = self.places.open("/dev/pts", directory=True)
        try:
            self.terminal = pty.open_terminal(devpts, self._uid)
        finally:
            os.close(devpts)
        target = self.places.open(path, directory=False)
        try:
            self._attach_bind(self.terminal[1], 0, target)
        except OSError as error:
            raise failure(f"bind the terminal to {path}", error) from error
        finally:
            os.close(target)


def _open_sources(launch: Launch) -> dict[str, int]:
    """Open what is to be bound before anything is mounted, as the host has it."""
    opened: dict[str, int] = {}
    for step in launch.steps:
        if not isinstance(step, (Mount, DeviceNode)) or (isinstance(step, Mount) and not step.bind):
            continue
        if step.source not in opened:
            try:
                opened[step.source] = os.open(step.source, os.O_PATH | os.O_CLOEXEC)
            except OSError as error:
                raise failure(f"open {step.source} to bind it to {step.target}", error) from error
    return opened


def _open_null() -> int:
    """Open the host's /dev/null, which hides files; what else is there would hide nothing.

    What replaces it could be read, and written (CVE-2025-31133).
    """
    try:
        opened = os.open("/dev/null", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise failure("open /dev/null to hide files with it", error) from error
    found = os.fstat(opened)
    if found.st_mode & _FORMAT != _CHARACTER or found.st_rdev != _NULL_DEVICE:
        os.close(opened)
        raise LaunchError(
            "/dev/null of this machine is not the null device",
            hint="make it again: rm /dev/null; mknod -m 666 /dev/null c 1 3",
        )
    return opened


def _mount_hint(step: Mount, error: OSError) -> str:
    if error.errno == errno.EPERM and step.fstype in ("proc", "sysfs"):
        return (
            f"the kernel allows this only where all of the host's /{step.target.strip('/')} is "
            "visible; inside another container it is partly hidden: start that one with it "
            "unmasked (podman run --security-opt unmask=ALL), or, as root, hardly contained then, "
            "with --cap-add SYS_ADMIN --cap-add NET_ADMIN"
        )
    return ""
