"""Makes whose disk is recorded, and the trees that a power cut leaves of them.

Run as a program in a mount namespace of its own, so that what it mounts is in
nobody's way: python -m tests.truth.power_cut DIRECTORY FILE-SYSTEM PROGRAMS…
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.people.command import rootgen, succeed
from tests.truth.recorded_disk import Write, after_cut, recorded_disk, write_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CUTS = 50


class FileSystem(NamedTuple):
    """How one is made and mounted."""

    type: str
    options: str
    size: int
    make: tuple[str, ...]


_EXT4 = ("-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0")
FILE_SYSTEMS = {
    "ext4": FileSystem("ext4", "data=ordered", 64 << 20, _EXT4),
    # It orders nothing by itself: what has to be kept is waited for by us.
    "ext4 with data=writeback": FileSystem("ext4", "data=writeback", 64 << 20, _EXT4),
    "btrfs": FileSystem("btrfs", "rw", 128 << 20, ("-q", "-K")),
    "xfs": FileSystem("xfs", "rw", 320 << 20, ("-q", "-K")),
}


class Recording(NamedTuple):
    """A disk: what it began as, what was written, and from where on a cut is of interest."""

    image: str
    writes: Sequence[Write]
    first: int
    digests: dict[str, str]


def _image(kind: FileSystem, path: Path) -> str:
    with open(path, "xb") as file:
        file.truncate(kind.size)
    command = [f"mkfs.{kind.type}", *kind.make, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return str(path)


@contextmanager
def mounted(kind: FileSystem, image: str, directory: str) -> Iterator[str]:
    """Mount the file ``image``."""
    os.makedirs(directory, exist_ok=True)
    subprocess.run(
        ["mount", "-t", kind.type, "-o", f"loop,{kind.options}", image, directory], check=True
    )
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


def record(kind: FileSystem, directory: Path, made: Sequence[str]) -> Recording:
    """Record makes of ``made``, each over the one before; the first is on the disk already."""
    image = _image(kind, directory / "image")
    digests = {}
    with recorded_disk(image, str(directory)) as disk:
        first = 0
        with mounted(kind, disk.file, str(directory / "mnt")) as top:
            for programs in made:
                if programs:
                    succeed("make", *programs.split(), "--out", f"{top}/out")
                    digests[_digest(f"{top}/out")] = programs
                if not first:
                    os.sync()
                    first = len(disk.writes())
            os.sync()
        writes = disk.writes()
    return Recording(image, writes, first, digests)


def _digest(tree: str) -> str:
    """Return the digest of a tree that is whole."""
    done = rootgen("check", "--json", tree)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    return str(report["digest"])


def state(kind: FileSystem, recording: Recording, writes: Sequence[Write], directory: Path) -> str:
    """Return which tree there is on the disk after ``writes``: its programs, "" for none.

    Asserts that it is whole, and that the next make leaves nothing beside it.
    """
    target = str(directory / "after")
    write_image(recording.image, writes, target)
    with mounted(kind, target, str(directory / "mnt")) as top:
        found = ""
        if os.path.lexists(f"{top}/out"):
            found = recording.digests[_digest(f"{top}/out")]
        succeed("make", "true", "--out", f"{top}/out")
        assert set(os.listdir(top)) <= {"lost+found", "out"}
    return found


def cut(kind: FileSystem, recording: Recording, directory: Path) -> dict[str, int]:
    """Cut the power at many moments; return how often each tree was found."""
    dice = random.Random(0)
    span = range(recording.first, len(recording.writes) + 1)
    states: dict[str, int] = {}
    for number in range(_CUTS):
        count = dice.choice(span)
        kept = after_cut(recording.writes, count, dice if number % 3 else None)
        found = state(kind, recording, kept, directory)
        states[found] = states.get(found, 0) + 1
    return states


def main(directory: str, name: str, *made: str) -> None:
    """Print what was found, as JSON."""
    kind, place = FILE_SYSTEMS[name], Path(directory)
    recording = record(kind, place, made)
    flushes = sum(write.is_flush for write in recording.writes)
    states = cut(kind, recording, place)
    print(json.dumps({"writes": len(recording.writes), "flushes": flushes, "states": states}))


if __name__ == "__main__":
    main(*sys.argv[1:])
