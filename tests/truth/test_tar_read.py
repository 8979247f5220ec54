"""Archives of every format, by GNU tar, libarchive and Python, read by us: the same entries."""

from __future__ import annotations

import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from rootgen.layer.apply import apply_layer
from rootgen.layer.read import read_archive
from rootgen.plan.entry import EntryKind
from rootgen.plan.plan import Plan
from rootgen.rootfs.scan import scan_tree
from tests.rootfs.plans import write
from tests.truth.archive_tree import plain, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROOT = os.geteuid() == 0
GNU = ("tar", "--sort=name", "--numeric-owner", "--create", "--file=-", "--directory")
BSD = ("bsdtar", "--numeric-owner", "-c", "-f", "-")
ROWS: dict[str, tuple[Sequence[str], bool]] = {
    "GNU tar, v7": ((*GNU, "{}", "--format=v7", "."), False),
    "GNU tar, ustar": ((*GNU, "{}", "--format=ustar", "."), False),
    "GNU tar, oldgnu": ((*GNU, "{}", "--format=oldgnu", "."), True),
    "GNU tar, gnu": ((*GNU, "{}", "--format=gnu", "."), True),
    "GNU tar, gnu, sparse": ((*GNU, "{}", "--format=gnu", "--sparse", "."), True),
    "GNU tar, posix": ((*GNU, "{}", "--format=posix", "--xattrs", "--xattrs-include=*", "."), True),
    **{
        f"GNU tar, posix, sparse {version}": (
            (
                *(*GNU, "{}", "--format=posix", "--xattrs", "--xattrs-include=*"),
                *("--sparse", f"--sparse-version={version}", "."),
            ),
            True,
        )
        for version in ("0.0", "0.1", "1.0")
    },
    "GNU tar, global records": (
        (*GNU, "{}", "--format=posix", "--xattrs", "--pax-option=globexthdr.name=g,comment=x", "."),
        True,
    ),
    "GNU tar, absolute names": ((*GNU, "{}", "--format=gnu", "--transform=s,^\\.,/,", "."), True),
    "bsdtar, v7": ((*BSD, "--format=v7", "-C", "{}", "."), False),
    "bsdtar, ustar": ((*BSD, "--format=ustar", "-C", "{}", "."), False),
    "bsdtar, gnutar": ((*BSD, "--format=gnutar", "-C", "{}", "."), True),
    "bsdtar, pax": ((*BSD, "--format=pax", "--xattrs", "-C", "{}", "."), True),
    "bsdtar, restricted pax": ((*BSD, "--xattrs", "-C", "{}", "."), True),
}
ATTRIBUTES = ("posix", "records", "pax")


@pytest.fixture(name="trees", scope="module")
def _trees(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Return a tree that any format can hold (False), and one with all that can be (True)."""
    top = tmp_path_factory.mktemp("trees")
    for wide, plan in ((False, plain(root=ROOT)), (True, whole(root=ROOT))):
        write(plan, top / str(wide))
        # A file with a hole, one that is nothing else, and one that ends in data.
        for name, ends in (("hole", b"e"), ("only-hole", b"")):
            with open(top / str(wide) / name, "wb") as sparse:
                sparse.write(b"begin" if ends else b"")
                sparse.truncate(3 << 20)
                sparse.seek(1 << 20)
                sparse.write(ends)
    return {wide: top / str(wide) for wide in (False, True)}


def entries_of(archive: bytes | str) -> Plan:
    """Return the Plan that an archive (bytes, or a file) holds."""
    if isinstance(archive, str):
        with open(archive, "rb") as opened:
            return apply_layer(Plan(), read_archive(opened.read))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with open(writing, "wb") as pipe:
            pipe.write(archive)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb", buffering=0) as pipe:
        plan = apply_layer(Plan(), read_archive(pipe.read))
    os.waitpid(child, 0)
    return plan


def expected(tree: Path, *, attributes: bool) -> list[str]:
    """Return the entries of ``tree``, and its manifest's, as an archive may hold them."""
    plan = scan_tree(str(tree), trusting=False)
    return [str(entry if attributes else entry._replace(xattrs=())) for entry in plan.entries()]


def told(plan: Plan) -> list[str]:
    """Return the entries of a Plan in words, without the manifest, which no scan lists."""
    return [str(entry) for entry in plan.entries() if not entry.path.endswith("/manifest.json")]


@pytest.mark.parametrize("name", ROWS)
def test_formats(trees: dict[bool, Path], name: str) -> None:
    """Each format holds what the tree is."""
    command, wide = ROWS[name]
    done = subprocess.run(
        [word.replace("{}", str(trees[wide])) for word in command], capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with_attributes = any(word in name for word in ATTRIBUTES)
    plan = expected(trees[wide], attributes=with_attributes)
    if name == "bsdtar, gnutar":
        # It writes 0 for a time before 1970.
        plan = [line.replace("mtime=-100", "mtime=0") for line in plan]
    assert told(entries_of(done.stdout)) == plan


@pytest.mark.parametrize(
    ("name", "form"),
    [("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)],
)
def test_tarfile(trees: dict[bool, Path], tmp_path: Path, name: str, form: int) -> None:
    """Python's tarfile writes what we read."""
    tree = trees[name != "ustar"]
    with tarfile.open(tmp_path / "t.tar", "w", format=form) as opened:
        opened.add(tree, ".")
    assert told(entries_of(str(tmp_path / "t.tar"))) == expected(tree, attributes=False)


@pytest.mark.parametrize("tool", ["gzip", "bzip2", "xz", "zstd", "zstd -T2", "zstd --long=27"])
def test_compressed(trees: dict[bool, Path], tool: str) -> None:
    """What compressed it is seen from its bytes; streams after one another are one archive."""
    made = subprocess.run([*GNU, str(trees[True]), "."], capture_output=True, check=True).stdout
    plain_entries = told(entries_of(made))
    half = len(made) // 2
    compressed = b"".join(
        subprocess.run([*tool.split(), "-c"], input=part, capture_output=True, check=True).stdout
        for part in (made[:half], made[half:])
    )
    assert told(entries_of(compressed)) == plain_entries
    assert told(entries_of(compressed + bytes(512))) == plain_entries


def test_busybox(trees: dict[bool, Path]) -> None:
    """So does the tar of busybox."""
    done = subprocess.run(
        ["busybox", "tar", "-c", "-f", "-", "-C", str(trees[False]), "."],
        capture_output=True, check=True,
    )  # fmt: skip
    assert told(entries_of(done.stdout)) == expected(trees[False], attributes=False)


def test_kinds_are_all_there() -> None:
    """The tree that is compared has each kind of entry that this user can make."""
    kinds = {entry.kind for entry in whole(root=ROOT).entries()}
    lacking = set() if ROOT else {EntryKind.CHARACTER, EntryKind.BLOCK}
    assert kinds == set(EntryKind) - lacking
