"""A stack of directories by fuse-overlayfs, where the kernel's overlayfs refuses it.

Process 1 mounts, and hands out the descriptor of the connection (fuse(4)).
The program that answers is of the host, and stays out of reach: in the
launch's user namespace, for its ids, and its limits, but in none of its others.
"""

from __future__ import annotations

import os

from rootgen.linux import mount as mounts
from rootgen.linux import namespace
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.beside import end, spawn
from rootgen.sandbox.overlay import make_upper
from rootgen.sandbox.place import failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.sandbox.launch import Launch

_OUTPUT_LIMIT = 4096
# What libfuse says of options that it does not know, and the kernel does.
_NOISE = "unknown argument ignored"
# A directory of every machine that no layer is in: what is mounted there hides none of them.
_PLACE = "/sys"


class FuseStack:
    """fuse-overlayfs, answering for one launch."""

    def __init__(self, launch: Launch, child: int, connection: int) -> None:
        """Start it for process 1, ``child``, on the connection that is open; raise LaunchError."""
        self._said = os.memfd_create("fuse-overlayfs", os.MFD_CLOEXEC)
        self.process = 0
        opened: list[int] = []
        try:
            user = -1
            if launch.id_map is not None:
                user = os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
                opened.append(user)
            flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
            opened.extend(os.open(path, flags) for path in launch.root.layers)
            layers = opened[-len(launch.root.layers) :]
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            self.process = spawn(
                lambda: _prepare(launch, user, layers, connection),
                (opened[-1], self._said),
                (*layers, connection),
            )
        except OSError as error:
            raise failure(f"start {launch.fuse} for {launch.root.shown}", error) from error
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def said(self) -> tuple[str, ...]:
        """Return the lines of what went wrong with it."""
        text = os.pread(self._said, _OUTPUT_LIMIT, 0).decode("utf-8", "replace")
        return tuple(line for line in text.splitlines() if line and not line.startswith(_NOISE))

    def end(self) -> None:
        """Kill it, which nobody needs any longer."""
        if self.process:
            end(self.process)
            self.process = 0
        if self._said >= 0:
            os.close(self._said)
            self._said = -1


def _prepare(launch: Launch, user: int, layers: Sequence[int], connection: int) -> list[str]:
    """Enter the launch's ids, make a place for what is written, and return the command."""
    if user >= 0:
        namespace.join(user, namespace.CLONE_NEWUSER)
    # The first is the topmost there. By descriptors: what a path has of ":" and "," is no matter.
    lower = ":".join(f"/proc/self/fd/{one}" for one in reversed(layers))
    options = [f"lowerdir={lower}"]
    upper = launch.root.upper
    if upper is not None:
        namespace.unshare(namespace.CLONE_NEWNS)
        mounts.make_private()
        size = f",size={upper.size}" if upper.size else ""
        flags = mounts.MS_NOSUID | mounts.MS_NODEV
        mounts.mount("tmpfs", _PLACE, "tmpfs", flags, f"mode=700{size}")
        place = os.open(_PLACE, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for descriptor in make_upper(place, upper.like or launch.root.top):
            os.close(descriptor)
        os.close(place)
        options += [f"upperdir={_PLACE}/upper", f"workdir={_PLACE}/work"]
    return [launch.fuse, "-f", "-o", ",".join(options), f"/dev/fd/{connection}"]
