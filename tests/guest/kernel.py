"""A kernel to boot and its modules: Debian's package, fetched once, unpacked, never installed."""

from __future__ import annotations

import fcntl
import lzma
import os
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PACKAGE = "linux-image-cloud-amd64"
# The first that can be used: root's is everybody's to read.
_CACHES = ("/var/cache/rootgen-tests", os.path.expanduser("~/.cache/rootgen-tests"))
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


@cache
def kernel() -> Path:
    """Return the directory that the kernel is unpacked to; fetch it where that was not done yet."""
    for place in map(Path, _CACHES):
        if (place / "complete").exists():
            return place
    place = next(place for place in map(Path, _CACHES) if _is_writable(place))
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            _fetch(place)
            (place / "complete").touch()
    return place


def image() -> Path:
    """Return the compressed kernel."""
    return next(iter(sorted(kernel().glob("boot/vmlinuz-*"))))


def modules(names: Iterable[str]) -> dict[str, bytes]:
    """Return the named modules and all that they need, each behind what it needs."""
    files = {_module_name(path): path for path in kernel().glob("**/*.ko*")}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in found:
            return
        path = files[name]
        data = path.read_bytes()
        if path.suffix == ".xz":  # since Debian 13
            data = lzma.decompress(data)
        match = _DEPENDS.search(data)
        for needed in match[1].decode().split(",") if match else ():
            if needed:
                add(needed.replace("-", "_"))
        found[name] = data

    for name in names:
        add(name)
    return found


def _module_name(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")


def _is_writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK)


def _fetch(place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        _download(scratch)
        (package,) = Path(scratch).glob("*.deb")
        _run(["dpkg-deb", "--extract", str(package), str(place)], scratch)
    # Who comes after us may be somebody else.
    _run(["chmod", "-R", "a+rX", str(place)], str(place))


def _download(directory: str) -> None:
    try:
        _run(["apt-get", "download", "-qq", _kernel_package()], directory)
    except AssertionError:
        # Lists that are old name packages that are gone.
        _run(["apt-get", "update", "-qq"], directory)
        _run(["apt-get", "download", "-qq", _kernel_package()], directory)


def _kernel_package() -> str:
    """Return the package that the one without a version depends on."""
    command = ["apt-cache", "depends", "--important", _PACKAGE]
    found = re.search(r"Depends: (linux-image-\S+)", _run(command, "/"))
    assert found, f"apt-cache knows no {_PACKAGE}: apt-get update"
    return found[1]


def _run(command: list[str], directory: str) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
