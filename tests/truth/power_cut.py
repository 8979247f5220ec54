"""Makes whose disk is recorded, and the trees that a power cut leaves of them.

Run as a program in a mount namespace of its own, so that what it mounts is in
nobody's way: python -m tests.truth.power_cut DIRECTORY MODE PROGRAMS…
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

_SIZE = 64 << 20
_CUTS = 80


class Recording(NamedTuple):
    """A disk: what it began as, what was written, and from where on a cut is of interest."""

    image: str
    writes: Sequence[Write]
    first: int
    digests: dict[str, str]


def _image(path: Path) -> str:
    with open(path, "xb") as file:
        file.truncate(_SIZE)
    options = ["-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"]
    subprocess.run(["mkfs.ext4", *options, str(path)], check=True, capture_output=True)
    return str(path)


@contextmanager
def mounted(image: str, directory: str, mode: str) -> Iterator[str]:
    """Mount the ext4 that the file ``image`` is."""
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", f"loop,data={mode}", image, directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


def record(directory: Path, mode: str, made: Sequence[str]) -> Recording:
    """Record makes of ``made``, each over the one before; the first is on the disk already."""
    image = _image(directory / "image")
    digests = {}
    with recorded_disk(image, str(directory)) as disk:
        first = 0
        with mounted(disk.file, str(directory / "mnt"), mode) as top:
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


def state(recording: Recording, writes: Sequence[Write], directory: Path, mode: str) -> str:
    """Return which tree there is on the disk after ``writes``: its programs, "" for none.

    Asserts that it is whole, and that the next make leaves nothing beside it.
    """
    target = str(directory / "after")
    write_image(recording.image, writes, target)
    with mounted(target, str(directory / "mnt"), mode) as top:
        found = ""
        if os.path.lexists(f"{top}/out"):
            found = recording.digests[_digest(f"{top}/out")]
        succeed("make", "true", "--out", f"{top}/out")
        assert sorted(os.listdir(top)) == ["lost+found", "out"]
    return found


def cut(recording: Recording, directory: Path, mode: str) -> dict[str, int]:
    """Cut the power at many moments; return how often each tree was found."""
    dice = random.Random(0)
    span = range(recording.first, len(recording.writes) + 1)
    states: dict[str, int] = {}
    for number in range(_CUTS):
        count = dice.choice(span)
        kept = after_cut(recording.writes, count, dice if number % 3 else None)
        found = state(recording, kept, directory, mode)
        states[found] = states.get(found, 0) + 1
    return states


def main(directory: str, mode: str, *made: str) -> None:
    """Print what was found, as JSON."""
    place = Path(directory)
    recording = record(place, mode, made)
    flushes = sum(write.is_flush for write in recording.writes)
    states = cut(recording, place, mode)
    print(json.dumps({"writes": len(recording.writes), "flushes": flushes, "states": states}))


if __name__ == "__main__":
    main(*sys.argv[1:])
