"""``rootgen pack`` beside GNU tar, tarfile, ``tar | zstd -T4``, umoci, buildah and mksquashfs.

Usage: ``python -m benchmarks.pack [--runs N] [--json]``. What is packed is a
made tree of 15,000 files, 239 MB, of which most are small; it has no manifest.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Case, Outcome, measure
from benchmarks.peers import absent
from benchmarks.place import ROOTGEN, Target, options, removing, tell, workplace

if TYPE_CHECKING:
    from collections.abc import Callable

_FILES, _IN_ONE_DIRECTORY = 15_000, 100
_SIZE = 239_000_000
_ZSTD_RATIO = 1.2
_UMOCI_RATIO = 0.2
_PEAK_MB = 150.0
_TARFILE = """\
import sys, tarfile
with tarfile.open(sys.argv[2], "w") as archive:
    archive.add(sys.argv[1], ".")
"""


def make_tree(top: str) -> None:
    """Write the files: sizes as those of a system are spread, bytes that compress to a third."""
    dice = random.Random(1)
    words = [dice.randbytes(dice.randrange(2, 12)) for _ in range(400)]
    material = b"".join(dice.choices(words, k=900_000))
    sizes = [min(int(dice.lognormvariate(8.4, 1.6)), 3_000_000) for _ in range(_FILES)]
    share = _SIZE / sum(sizes)
    for number, size in enumerate(sizes):
        directory = f"{top}/usr/lib/d{number // _IN_ONE_DIRECTORY}"
        os.makedirs(directory, exist_ok=True)
        start = dice.randrange(len(material))
        with open(f"{directory}/f{number}", "wb") as file:
            file.write((material[start:] + material)[: int(size * share)])


def cases(place: str, tree: str) -> list[Case]:
    """Return what is timed; each writes its output anew."""
    made = []
    for name, words in (
        ("rootgen pack", ("tar",)),
        ("rootgen pack, zstd", ("tar", "--compress", "zstd")),
        ("rootgen pack, gzip", ("tar", "--compress", "gzip")),
        ("rootgen pack, image", ("oci",)),
        ("rootgen pack, image, zstd", ("oci", "--compress", "zstd")),
        ("rootgen pack, squashfs", ("squashfs",)),
        ("rootgen pack, erofs", ("erofs",)),
    ):
        out = os.path.join(place, name.replace(" ", "-") + ".tar")
        command = (ROOTGEN, "pack", tree, "--to", *words, out)
        made.append(Case(name, command, removing_file(out)))
    out = os.path.join(place, "peer")
    clean = removing_file(out)
    made.append(Case("tar", ("tar", "-C", tree, "-cf", out, "."), clean))
    made.append(Case("tarfile", (sys.executable, "-c", _TARFILE, tree, out), clean))
    pipe = 'tar -C "$1" -cf - . | zstd -q -T4 -o "$2"'
    made.append(Case("tar | zstd -T4", ("sh", "-c", pipe, "-", tree, out), clean))
    level = ("-comp", "zstd", "-Xcompression-level", "9", "-no-progress", "-quiet")
    for tool, command in (
        ("mksquashfs", ("mksquashfs", tree, out, *level)),
        ("mkfs.erofs", ("mkfs.erofs", "--quiet", out, tree)),
    ):
        if shutil.which(tool):
            made.append(Case(tool, command, clean))
    if shutil.which("umoci"):
        made.extend((umoci(place, tree), umoci_repack(place, tree)))
    if shutil.which("buildah"):
        made.append(buildah(place, tree))
    return made


_BUILDAH = """\
set -e
made=$(buildah from scratch)
buildah add --quiet "$made" "$1" /
buildah commit --quiet "$made" "oci:$2"
"""
_STORAGE = """\
[storage]
driver="overlay"
graphroot="{0}/graph"
runroot="{0}/run"
"""


def buildah(place: str, tree: str) -> Case:
    """Return buildah making an image (gzip) of a directory, in a layout."""
    layout, storage = os.path.join(place, "made"), os.path.join(place, "buildah")
    os.makedirs(storage)
    with open(f"{storage}/storage.conf", "w", encoding="ascii") as file:
        file.write(_STORAGE.format(storage))
    environment = {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": f"{storage}/storage.conf",
        "BUILDAH_ISOLATION": "chroot",
    }
    inside = ("buildah", "unshare") if os.geteuid() else ()
    command = (*inside, "sh", "-c", _BUILDAH, "-", tree, layout)
    return Case("buildah", command, removing(layout), environment)


def umoci(place: str, tree: str) -> Case:
    """Return ``umoci insert``, which makes a layer (gzip) of a directory in an image."""
    image = f"{place}/layout:made"
    command = ("umoci", "insert", *_rootless(), "--image", image, tree, "/")
    return Case("umoci insert", command, lambda: _empty_image(image))


def umoci_repack(place: str, tree: str) -> Case:
    """Return ``umoci repack``, by which what was copied into an unpacked image becomes a layer.

    Unpacking the empty image (8 ms) and copying the tree into it are not
    counted: what a build writes may be written there at once.
    """
    image, bundle = f"{place}/layout:made", f"{place}/unpacked"

    def anew() -> None:
        removing(bundle)()
        _empty_image(image)
        subprocess.run(["umoci", "unpack", *_rootless(), "--image", image, bundle], check=True)
        subprocess.run(["cp", "-a", f"{tree}/.", f"{bundle}/rootfs/"], check=True)

    return Case("umoci repack", ("umoci", "repack", "--image", image, bundle), anew)


def _empty_image(image: str) -> None:
    layout = image.rpartition(":")[0]
    removing(layout)()
    subprocess.run(["umoci", "init", "--layout", layout], check=True)
    subprocess.run(["umoci", "new", "--image", image], check=True)


def _rootless() -> tuple[str, ...]:
    return ("--rootless",) if os.geteuid() else ()


def removing_file(path: str) -> Callable[[], None]:
    """Return what removes the file ``path`` where it is there."""

    def remove() -> None:
        if os.path.lexists(path):
            os.unlink(path)

    return remove


def targets(outcomes: dict[str, Outcome]) -> list[Target]:
    """Return what is to be reached, with what was."""
    reached = []
    for own, peer, ratio in (
        ("rootgen pack, zstd", "tar | zstd -T4", _ZSTD_RATIO),
        *(
            (f"rootgen pack{how}", f"umoci {command}", _UMOCI_RATIO)
            for command in ("insert", "repack")
            for how in ("", ", zstd", ", image, zstd")
        ),
        ("rootgen pack, image", "umoci insert", 1.0),
        ("rootgen pack, image", "buildah", 1.0),
        ("rootgen pack", "tarfile", 0.5),
    ):
        one, other = outcomes.get(own), outcomes.get(peer)
        if one is not None and other is not None and not (one.problem or other.problem):
            what = f"{own}, against {ratio} of {peer}"
            reached.append(Target(what, one.median, ratio * other.median, "ms"))
    peak = max((one.peak for name, one in outcomes.items() if "rootgen" in name), default=0)
    reached.append(Target("peak memory of pack", peak, _PEAK_MB, "MB"))
    return reached


def main() -> int:
    """Measure, and print."""
    chosen = options("rootgen pack beside its peers")
    with workplace() as place:
        tree = os.path.join(place, "tree")
        make_tree(tree)
        outcomes = measure(cases(place, tree), chosen.runs)
    named = {one.name: one for one in outcomes}
    told = [*outcomes, *absent(("umoci", "zstd", "buildah", "mksquashfs", "mkfs.erofs"))]
    return tell(told, named["rootgen pack"], targets(named), as_data=chosen.json)


if __name__ == "__main__":
    sys.exit(main())
