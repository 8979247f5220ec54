"""A launcher as people write it by hand: chroot, with the host's /proc and /sys and a few devices.

``naive.py [--user UID] [--workdir DIR] [--bind SRC:DEST] TREE COMMAND…``, as
root, or as root of a user namespace. Everything that is wrong with it is
there to be seen: it trusts the tree, keeps descriptors, capabilities,
environment and terminal, and shares the host's processes and network.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys

_LIBC = ctypes.CDLL(None, use_errno=True)
_BIND, _PRIVATE, _REC = 0x1000, 0x40000, 0x4000
_NEW_MOUNTS = 0x20000
_DETACH = 2
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def main(arguments: list[str]) -> None:
    """Do as the command line says; nothing of it is checked."""
    options: dict[str, str] = {}
    while arguments[0].startswith("--"):
        options[arguments[0]], arguments = arguments[1], arguments[2:]
    tree, command = arguments[0], arguments[1:]
    _LIBC.unshare(_NEW_MOUNTS)
    _mount("none", "/", _PRIVATE | _REC)
    for name in ("proc", "sys"):
        _bind(f"/{name}", f"{tree}/{name}")
    for name in _DEVICES:
        with open(f"{tree}/dev/{name}", "a"):
            _mount(f"/dev/{name}", f"{tree}/dev/{name}", _BIND)
    shutil.copy("/etc/resolv.conf", f"{tree}/etc/resolv.conf")
    if "--bind" in options:
        source, target = options["--bind"].split(":")
        _bind(source, f"{tree}{target}")
    if "--pivot" in options:
        _bind(tree, tree)
        os.chdir(tree)
        _LIBC.pivot_root(b".", b".")
        _LIBC.umount2(b".", _DETACH)
    else:
        os.chroot(tree)
    if "--workdir" in options:
        os.chdir(options["--workdir"])
    if "--user" in options:
        os.setgid(int(options["--user"]))
        os.setuid(int(options["--user"]))
    os.execv(command[0], command)


def _bind(source: str, target: str) -> None:
    os.makedirs(target, exist_ok=True)
    _mount(source, target, _BIND | _REC)


def _mount(source: str, target: str, flags: int) -> None:
    if _LIBC.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


if __name__ == "__main__":
    main(sys.argv[1:])
