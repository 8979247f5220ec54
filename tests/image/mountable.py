"""A tree that asks all of a file system that is written whole: sizes at every edge, many names."""

from __future__ import annotations

import io
import os
import struct
from functools import cache
from typing import TYPE_CHECKING

from rootgen.image.erofs import write_erofs
from rootgen.image.squashfs import write_squashfs
from rootgen.plan.entry import Entry, EntryKind, hard_link
from rootgen.plan.plan import Plan
from tests.layer.archives import directory, file, symlink
from tests.truth.archive_tree import whole

if TYPE_CHECKING:
    from rootgen.sysroot.port import OpenFile

# Around the ends of blocks, of what stands beside an inode, of metadata blocks.
_SIZES = sorted(
    {
        max(0, block * times + more)
        for block, times in ((4096, 1), (4096, 2), (8192, 1), (131072, 1), (131072, 2))
        for more in (-65, -64, -63, -1, 0, 1)
    }
    | {0, 1, 2, 4031, 4032, 4033, 2_000_001}
)
# POSIX.1e, in the form of Linux (posix_acl_xattr.h): owner, user 1234, group, mask, others.
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *one)
    for one in ((1, 6, 0xFFFFFFFF), (2, 4, 1234), (4, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF),
                (32, 0, 0xFFFFFFFF))
)  # fmt: skip


@cache
def mountable(many: int = 3000) -> Plan:
    """Return the Plan, with ``many`` names in one directory; the same whoever asks."""
    entries = {entry.path: entry for entry in whole(root=True).entries()}
    for size in _SIZES:
        content = (b"%d " % size * size)[:size]
        attributes = (("user.size", b"%d" % size),) if size % 3 == 0 else ()
        made = file(f"/sizes/{size}", content, mtime=size, xattrs=attributes)
        entries[made.path] = made
        entries[f"/links/{size}"] = hard_link(made._replace(path=f"/links/{size}"), made.path)
    names = [f"/many/{'n' * (number % 200)}{number}" for number in range(many)]
    odd = ("-", "+", ".a", "..b", "...", "\udcff", "\x01", "z" * 255, "\N{SNOWMAN}")
    names += [f"/many/{name}" for name in odd]
    entries.update((name, file(name, name.encode("utf-8", "surrogateescape"))) for name in names)
    more = [
        *(directory(f"/deep{'/d' * depth}") for depth in range(30)),
        *(directory(f"/directories/{number:04}") for number in range(many // 4)),
        symlink("/short", "x"),
        symlink("/longest", "t" * 4095),
        symlink("/long-target", "u" * 4032),
        Entry("/tape", EntryKind.CHARACTER, 0o600, device=(4095, 1048575)),
        file("/trusted", b"t", xattrs=(("trusted.x", b""), ("user.large", b"v" * 9000))),
        file("/alike", b"a", xattrs=(("trusted.x", b""), ("user.large", b"v" * 9000))),
        file("/acl", b"a", 0o640, xattrs=(("system.posix_acl_access", ACL),)),
        directory("/sizes"), directory("/links"), directory("/many", mtime=3_000_000_000),
        directory("/deep"), directory("/directories"),
        file("/future", b"f", mtime=9_000_000_000),
    ]  # fmt: skip
    entries.update((one.path, one) for one in more)
    return Plan(entries.values())


def squashfs(plan: Plan, compress: str = "zstd") -> bytes:
    """Return a Plan of inline contents as a squashfs."""
    written = io.BytesIO()
    directory = os.environ.get("TMPDIR", "/tmp")
    write_squashfs(tuple(plan.entries()), _nothing, written.write, compress, directory)
    return written.getvalue()


def erofs(plan: Plan) -> bytes:
    """Return a Plan of inline contents as an EROFS image."""
    written = io.BytesIO()
    write_erofs(tuple(plan.entries()), _nothing, written.write)
    return written.getvalue()


def _nothing(entry: Entry) -> OpenFile:
    raise AssertionError(entry.path)
