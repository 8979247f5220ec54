"""The program's own pseudo-terminal, of the container's own devpts (pty(7), ioctl_tty(2))."""

from __future__ import annotations

import fcntl
import os
import sys

from rootgen.linux.path import open_beneath
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure

if TYPE_CHECKING:
    from types import ModuleType

# asm-generic/ioctls.h; alpha, mips, powerpc and sparc have their own, which Python's termios
# knows by name only from 3.13 on.
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_MODE = 0o620


def load_termios() -> ModuleType:
    """Return the termios module, imported only where there is a terminal."""
    import termios

    return termios


def open_terminal(devpts: int, owner: int) -> tuple[int, int]:
    """Open a new terminal of a devpts, given as a descriptor: its outer, its inner end.

    It has the modes and the size of the terminal that we are on
    (descriptor 0), and belongs to ``owner``. Raises LaunchError.
    """
    termios = load_termios()
    try:
        outer = open_beneath(devpts, "ptmx", os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(outer, _TIOCSPTLCK, (0).to_bytes(4, sys.byteorder))
        inner = fcntl.ioctl(outer, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        os.fchown(inner, owner, -1)
        os.fchmod(inner, _MODE)
        termios.tcsetattr(inner, termios.TCSANOW, termios.tcgetattr(0))
        copy_size(0, inner)
    except OSError as error:
        raise failure("open a terminal in /dev/pts", error) from error
    except termios.error as error:
        text = str(error.args[-1])
        raise failure(
            f"give the terminal its modes ({text})", OSError(error.args[0], text)
        ) from error
    return outer, inner


def copy_size(source: int, target: int) -> None:
    """Give one terminal the size of another; the kernel then tells who is in front (SIGWINCH)."""
    termios = load_termios()
    size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
    fcntl.ioctl(target, termios.TIOCSWINSZ, size)
