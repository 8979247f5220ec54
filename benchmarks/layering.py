"""How images are best divided into layers: bytes stored, and bytes sent again on an update.

Usage: ``python -m benchmarks.layering [--json]``, on a Debian. Nothing is
written: Plans of images of this machine's programs are divided by each scheme
and compared. A layer's size is that of its files, each compressed by itself
(zlib, level 6); layers of the same files are stored, and sent, once. Manifests,
directories and requests do not count.

An update is that of one Debian source package: each of its files changes. How
often that happens is what Debian counts itself, the N of ``+debVuN`` in the
package's version. What is of which package, dpkg says; and of what Python
compiled at installation, where its source is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from rootgen import MakeRequest, make
from rootgen.layer.split import split
from rootgen.layer.unit import unit_of
from rootgen.plan.entry import FromHost, FromSysroot, Inline, ReasonKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rootgen.layer.split import Part
    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan

    Scheme = Callable[[Sequence["Image"], int], list[list["Layer"]]]

_COUNTS = (5, 10, 20)
_IMAGES: dict[str, tuple[str, ...]] = {
    "tools": ("bash", "ls", "cat", "cp", "grep", "sed", "find", "tar", "gzip"),
    "git": ("git", "ssh"),
    "python": ("python3",),
    "web": ("python3", "bash"),
    "perl": ("perl", "bash"),
    "curl": ("curl", "bash"),
    "rsync": ("rsync", "ssh"),
    "gpg": ("gpg", "bash"),
    "ssh": ("ssh", "scp", "sftp", "bash"),
    "editor": ("vim.tiny", "tmux", "less", "bash"),
}
# The image that has a file of its own as well, and what that is: as large as a small application.
_APPLICATION, _OWN = "web", "/srv/app"
_LINKS = {ReasonKind.NEEDED, ReasonKind.INTERPRETER, ReasonKind.SCRIPT, ReasonKind.PRELOAD}


class File(NamedTuple):
    """One file of an image: what names its content, and its size when compressed."""

    path: str
    digest: str
    size: int


Layer = frozenset[File]


class Package(NamedTuple):
    """A binary package, the source that it is built of, and that one's updates so far."""

    name: str
    source: str
    updates: int


class Image(NamedTuple):
    """An image: its Plan, its files by path, and whose they are."""

    name: str
    plan: Plan
    files: dict[str, File]
    owners: dict[str, Package]


def packages() -> dict[str, Package]:
    """Return whose each path is, by dpkg's lists; both spellings of a merged /usr."""
    query = ("dpkg-query", "-W", "-f", "${binary:Package} ${source:Package} ${source:Version}\n")
    lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    owners: dict[str, Package] = {}
    for line in lines:
        name, source, version = line.split()
        updates = re.search(r"[+~]deb\d+u(\d+)", version)
        package = Package(name, source, int(updates[1]) if updates else 0)
        for file in (
            f"/var/lib/dpkg/info/{name}.list",
            f"/var/lib/dpkg/info/{name.partition(':')[0]}.list",
        ):
            if os.path.exists(file):
                with open(file, encoding="utf-8", errors="surrogateescape") as listed:
                    for path in listed.read().splitlines():
                        owners[path] = package
                break
    return owners | {f"/usr{path}": one for path, one in owners.items() if _is_merged(path)}


def _is_merged(path: str) -> bool:
    return path.startswith(("/bin/", "/sbin/", "/lib/", "/lib64/"))


def images(application: str) -> list[Image]:
    """Make the Plans; ``application`` is the file of one's own."""
    owners, sizes, made = packages(), {}, []
    for name, programs in _IMAGES.items():
        add = ((application, _OWN),) if name == _APPLICATION else ()
        plan = make(MakeRequest(programs=programs, add=add, dry_run=True, out="")).plan
        files = {}
        for entry in plan.files():
            if entry.sha256 not in sizes:
                sizes[entry.sha256] = len(zlib.compress(_content(entry), 6))
            files[entry.path] = File(entry.path, entry.sha256, sizes[entry.sha256])
        found = {path: owners[_listed(path)] for path in files if _listed(path) in owners}
        made.append(Image(name, plan, files, found))
    return made


def _listed(path: str) -> str:
    """Return what dpkg lists: of what Python compiled at installation, the source."""
    return re.sub(r"/__pycache__/([^/]+)\.cpython-\d+\.pyc$", r"/\1.py", path)


def _content(entry: Entry) -> bytes:
    match entry.content:
        case Inline(data):
            return data
        case FromSysroot(path) | FromHost(path):
            with open(path, "rb") as file:
                return file.read()
    raise AssertionError(entry)


# Schemes: each gives the layers of each image, of which none is empty.


def one_layer(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Give all of an image as one."""
    del count
    return [[frozenset(image.files.values())] for image in built]


def layer_per_file(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Give each file by itself: no image can have so many, and none can share better."""
    del count
    return [[frozenset((file,)) for file in image.files.values()] for image in built]


def ours(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Divide each image by itself, as ``make --layers`` does."""
    return [
        _layers(one, split([one.plan], [""], count, origins=[_origins(one)])[0]) for one in built
    ]


def ours_by_files(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Divide each image by itself, where no database says what files are of one package."""
    return [_layers(image, split([image.plan], [""], count)[0]) for image in built]


def ours_together(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Divide them together, as ``build --layers`` does of several."""
    plans, names = [one.plan for one in built], [one.name for one in built]
    divided = split(plans, names, count, origins=[_origins(one) for one in built])
    return [_layers(image, parts) for image, parts in zip(built, divided, strict=True)]


def _origins(image: Image) -> dict[str, str]:
    return {path: one.source for path, one in image.owners.items()}


def _layers(image: Image, parts: Iterable[Part]) -> list[Layer]:
    return _whole(frozenset(image.files[one.path] for one in part.plan.files()) for part in parts)


def _whole(layers: Iterable[Layer]) -> list[Layer]:
    return [layer for layer in layers if layer]


def by_role(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Give the C library, libraries, programs and one's own files as layers, the largest alone."""
    made = []
    for image in built:
        groups: dict[str, set[File]] = defaultdict(set)
        for entry in image.plan.files():
            unit = unit_of(entry, "").name
            needed = any(reason.kind in _LINKS for reason in entry.reasons)
            role = unit if unit in {"libc", "own"} else "libraries" if needed else "programs"
            groups[role].add(image.files[entry.path])
        large = sorted(groups["libraries"] | groups["programs"], key=lambda file: -file.size)
        alone = large[: max(count - len(groups), 0)]
        kept = (frozenset(files.difference(alone)) for files in groups.values())
        made.append(_whole([*(frozenset((file,)) for file in alone), *kept]))
    return made


def by_origin(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Give source packages as layers, the largest alone, the rest as one, what is of none as one.

    apko, docs/layering.md, strategy ``origin``; its budget is so that the layers are ``count``.
    """
    made = []
    for image in built:
        groups: dict[str, set[File]] = defaultdict(set)
        for path, file in image.files.items():
            owner = image.owners.get(path)
            groups[owner.source if owner else ""].add(file)
        top = groups.pop("", set())
        largest = sorted(groups, key=lambda name: (-_size(groups[name]), name))
        alone, rest = largest[: count - 2], largest[count - 2 :]
        overflow = frozenset(file for name in rest for file in groups[name])
        made.append(_whole([*(frozenset(groups[one]) for one in alone), overflow, frozenset(top)]))
    return made


def by_popularity(built: Sequence[Image], count: int) -> list[list[Layer]]:
    """Give the packages that are needed by most, each as a layer, and the rest as one.

    nixpkgs, dockerTools.buildLayeredImage: a path is as popular as it is often met, with its
    depth, when what refers to what is written out as a tree. A package is the store's path here.
    """
    made = []
    for image in built:
        groups: dict[str, set[File]] = defaultdict(set)
        for path, file in image.files.items():
            owner = image.owners.get(path)
            groups[owner.name if owner else ""].add(file)
        rest = groups.pop("", set())
        popularity = _popularity(_references(image), sorted(groups))
        ordered = sorted(groups, key=lambda name: (-popularity[name], name))
        for name in ordered[count - 1 :]:
            rest |= groups[name]
        made.append(
            _whole([*(frozenset(groups[one]) for one in ordered[: count - 1]), frozenset(rest)])
        )
    return made


def _references(image: Image) -> dict[str, set[str]]:
    """Return which packages of an image need which, by the files that need each other."""
    needs: dict[str, set[str]] = defaultdict(set)
    for entry in image.plan.files():
        owner = image.owners.get(entry.path)
        for reason in entry.reasons:
            asks = image.owners.get(reason.by)
            if reason.kind in _LINKS and owner and asks and asks.name != owner.name:
                needs[asks.name].add(owner.name)
    return needs


def _popularity(needs: dict[str, set[str]], names: Sequence[str]) -> dict[str, int]:
    """Count as nixpkgs' closure-graph.py does; what needs itself in a circle counts once."""
    known: dict[str, dict[str, int]] = {}

    def contest(name: str, above: frozenset[str]) -> dict[str, int]:
        if name not in known:
            counted: dict[str, int] = defaultdict(int)
            for one in sorted(needs.get(name, set()) - above):
                counted[one] += 1
                for other, times in contest(one, above | {one}).items():
                    counted[other] += times + 1
            known[name] = counted
        return known[name]

    wanted = {one for name in names for one in needs.get(name, ())}
    total: dict[str, int] = defaultdict(int)
    for root in [name for name in names if name not in wanted] or list(names):
        total[root] += 1
        for other, times in contest(root, frozenset((root,))).items():
            total[other] += times + 1
    return total


# Figures


class Row(NamedTuple):
    """What a scheme costs, in bytes: stored once, sent again by updates, by one's own change."""

    scheme: str
    layers: int
    stored: int
    updates: int
    own: int


def measure(built: Sequence[Image], name: str, divided: list[list[Layer]]) -> Row:
    """Return what the layers ``divided`` of the images ``built`` cost."""
    stored = {layer for layers in divided for layer in layers}
    sources: dict[Package, set[str]] = defaultdict(set)
    for image in built:
        for path, owner in image.owners.items():
            sources[owner._replace(name="")].add(path)
    updates = sum(
        source.updates * _size_of(_changed(stored, paths)) for source, paths in sources.items()
    )
    most = max(len(layers) for layers in divided)
    return Row(name, most, _size_of(stored), updates, _size_of(_changed(stored, {_OWN})))


def _changed(layers: Iterable[Layer], paths: set[str]) -> list[Layer]:
    return [layer for layer in layers if any(file.path in paths for file in layer)]


def _size(files: Iterable[File]) -> int:
    return sum(file.size for file in files)


def _size_of(layers: Iterable[Layer]) -> int:
    return sum(map(_size, layers))


def rows(built: Sequence[Image]) -> list[Row]:
    """Return the table, from the most that is stored and sent to the least that can be."""
    made = [measure(built, "one layer an image", one_layer(built, 1))]
    schemes: list[tuple[str, Scheme]] = [
        ("by popularity (Nix)", by_popularity),
        ("by role, the largest files alone", by_role),
        ("by origin (apko)", by_origin),
        ("rootgen, no database of packages", ours_by_files),
        ("rootgen", ours),
        ("rootgen, built together", ours_together),
    ]
    for count in _COUNTS:
        made += [measure(built, name, scheme(built, count)) for name, scheme in schemes]
    return [*made, measure(built, "a layer a file (the bound)", layer_per_file(built, 1))]


def main() -> int:
    """Print the table."""
    import tempfile

    with tempfile.NamedTemporaryFile() as application:
        application.write(os.urandom(150_000).hex().encode())
        application.flush()
        built = images(application.name)
    table = rows(built)
    if "--json" in sys.argv[1:]:
        print(json.dumps([row._asdict() for row in table], indent=2))
        return 0
    print(f"{len(built)} images, {sum(len(one.files) for one in built)} files")
    print(
        "| scheme | layers at most | stored, MB | sent by updates, MB | by one's own change, MB |"
    )
    print("| --- | --- | --- | --- | --- |")
    for row in table:
        figures = (f"{number / 1e6:.1f}" for number in row[2:])
        print(f"| {row.scheme} | {row.layers} | {' | '.join(figures)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
