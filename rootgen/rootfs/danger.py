"""Directories that a tree must never replace, --force or not."""

from __future__ import annotations

import os
import sys

from rootgen.errors import TreeError

# What a running system is made of (Filesystem Hierarchy Standard 3.0, chapter 3).
_SYSTEM = frozenset(
    (
        *"/bin /boot /dev /etc /home /lib /lib32 /lib64 /libx32 /media /mnt /opt /proc".split(),
        *"/root /run /sbin /srv /sys /tmp /usr /var".split(),
        *"/usr/bin /usr/include /usr/lib /usr/lib32 /usr/lib64 /usr/libexec /usr/local".split(),
        *"/usr/sbin /usr/share /usr/src /var/cache /var/lib /var/lock /var/log".split(),
        *"/var/mail /var/opt /var/run /var/spool /var/tmp".split(),
    )
)


def refuse_within(shown: str, real: str, sysroot: str) -> None:
    """Raise TreeError where ``real`` is within the root being read (the host's apart)."""
    top = os.path.realpath(sysroot)
    if top != "/" and _beneath(real, top):
        raise TreeError(
            f"{shown} is within {sysroot}, the root that is being read",
            hint="give --out a directory outside it",
        )


def refuse_dangerous(shown: str, real: str, sysroot: str) -> None:
    """Raise TreeError where ``real`` is, or has within it, what must stay."""
    if real in _SYSTEM:
        raise TreeError(f"{shown} is a directory of this system: it is never replaced")
    for path, what in _precious(sysroot):
        inside = os.path.realpath(path)
        if inside != "/" and _beneath(inside, real):
            is_it = inside == os.path.normpath(real)
            raise TreeError(
                f"{shown} {'is' if is_it else 'contains'} {what}: it is never replaced",
                why=() if is_it else (f"that is {inside}",),
                hint="give --out another directory",
            )


def _precious(sysroot: str) -> list[tuple[str, str]]:
    found = [
        (sysroot, "the root that is being read"),
        (os.path.expanduser("~"), "your home directory"),
        (sys.prefix, "the Python that runs rootgen"),
        (os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rootgen itself"),
    ]
    try:
        found.insert(0, (os.getcwd(), "the current directory"))
    except FileNotFoundError:
        return found  # removed under our feet: it cannot be within anything
    return found


def _beneath(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")
