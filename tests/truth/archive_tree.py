"""A tree that asks all that a tar archive can hold, for what writes and what reads one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rootgen.plan.entry import Entry, EntryKind, hard_link
from rootgen.plan.plan import Plan
from tests.layer.archives import bare, directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Callable

LATIN_1 = "caf\udce9"
LONG = "/long/" + "/".join("d" * 90 for _ in range(3))
UNSPLIT = "/" + "n" * 180


def whole(*, root: bool) -> Plan:
    """Return the Plan: with owners, devices and privileged attributes if we are ``root``."""
    owner, large = (1000, 3_000_000) if root else (os.geteuid(), os.getegid())
    linked = file("/bin/a", b"linked", 0o755, mtime=7, xattrs=(("user.a", b"\0\xff"),))
    entries = [
        directory("/", mtime=11),
        directory("/bin", 0o700, mtime=5),
        linked,
        hard_link(linked._replace(path="/bin/b"), "/bin/a"),
        directory("/empty", 0o1777),
        file("/nothing", b""),
        file("/set", b"s", 0o6755 if root else 0o755),
        file("/large", b"0123456789abcdef" * 200_000),
        file(f"/{LATIN_1}", b"e"),
        file("/new\nline", b"n"),
        file("/old", b"o", mtime=-100),
        symlink("/link", "nowhere"),
        symlink("/far", "t" * 150),
        symlink("/odd", LATIN_1),
        Entry("/fifo", EntryKind.FIFO, 0o600),
        file(UNSPLIT, b"u"),
        directory("/long"),
        *(directory(LONG[: 6 + 91 * count - 1]) for count in (1, 2, 3)),
        file(LONG + "/file", b"deep"),
        file("/.wh", b"no whiteout"),
    ]
    if root:
        entries += [
            Entry("/null", EntryKind.CHARACTER, 0o666, device=(1, 3)),
            Entry("/disk", EntryKind.BLOCK, 0o660, device=(8, 300)),
            file("/theirs", b"t", uid=owner, gid=5),
            file("/far-owner", b"t", uid=large, gid=large + 1),
            file("/capable", b"c", 0o755, xattrs=(("security.capability", CAPABILITY),)),
        ]
        return Plan(entries)
    return Plan(entry._replace(uid=owner, gid=large) for entry in entries)


# VFS_CAP_REVISION_2, effective: cap_net_raw (capability.h)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")[:20]


def plain(*, root: bool) -> Plan:
    """Return what every format can hold: short names, no attributes, nothing special."""
    return Plan(
        entry._replace(xattrs=(), mtime=max(0, entry.mtime))
        for entry in whole(root=root).entries()
        if len(entry.path) < 90
        and len(entry.target) < 90
        and entry.uid < 1 << 20
        and entry.kind not in {EntryKind.FIFO, EntryKind.CHARACTER, EntryKind.BLOCK}
    )


def without(plan: Plan, unlike: Callable[[Entry], bool]) -> Plan:
    """Return ``plan`` without contents and reasons, and without the entries that are ``unlike``."""
    return Plan(entry for entry in bare(plan).entries() if not unlike(entry))
