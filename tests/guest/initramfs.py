"""The guest's files: a tree that ``rootgen make`` writes, and what one boot adds to it."""

from __future__ import annotations

import atexit
import compileall
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING, BinaryIO

from tests.guest.cpio import Archive
from tests.guest.kernel import modules
from tests.sandbox.tree import build_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HERE = Path(__file__).parent
_FILES = ("guest.yaml", "systemd.yaml", "init", "as_user", "rootgen-command")
# In every tree, for the scripts of a boot and for what is mounted.
_DIRECTORIES = ("guest", "guest/modules", "guest/scripts", "usr/local", "usr/local/bin", "over")
# A disk on the bus that QEMU has by default.
_DISK_MODULES = ("virtio_pci", "virtio_blk")


@cache
def base(profile: str) -> Path:
    """Return the archive that every boot of ``profile`` begins with; a process makes it once."""
    directory = Path(tempfile.mkdtemp(prefix="rootgen-guest-"))
    atexit.register(shutil.rmtree, directory)
    tree = _make_tree(directory, profile)
    path = directory / "base.cpio"
    with path.open("wb") as file:
        archive = Archive(file)
        archive.add_tree(tree)
        for name in _DIRECTORIES:
            if not (tree / name).is_dir():
                archive.add(name, stat.S_IFDIR | 0o755)
        archive.add("tree", stat.S_IFDIR | 0o755)
        archive.add_tree(build_tree(directory / "launched"), "tree")
        archive.close()
    shutil.rmtree(tree)
    return path


def write_boot(
    file: BinaryIO,
    profile: str,
    scripts: Mapping[str, str],
    settings: Mapping[str, str],
    wanted: Iterable[str],
    files: Mapping[str, bytes],
) -> None:
    """Write the initramfs of one boot: the base, and an archive with what is its own."""
    with base(profile).open("rb") as source:
        shutil.copyfileobj(source, file, 1 << 20)
    archive = Archive(file)
    needed = modules((*_DISK_MODULES, *wanted))
    archive.add_file("guest/modules/order", "".join(f"{name}\n" for name in needed).encode())
    for name, data in needed.items():
        archive.add_file(f"guest/modules/{name}.ko", data)
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    archive.add_file("guest/settings", lines.encode())
    for number, (name, text) in enumerate(scripts.items()):
        archive.add_file(f"guest/scripts/{number:02}-{name}", text.encode())
    for path, content in files.items():
        archive.add_file(path, content)
    archive.close()


def _make_tree(directory: Path, profile: str) -> Path:
    """Have this checkout's rootgen make the tree; return where it is."""
    _copy_packages(directory / "python")
    for name in _FILES:
        shutil.copy(_HERE / name, directory)
    tree = directory / "tree"
    rootgen = str(Path(sys.executable).with_name("rootgen"))
    command = [rootgen, "make", "-f", str(directory / f"{profile}.yaml"), "--out", str(tree)]
    # The host's own programs, not those of whoever runs the tests.
    environment = os.environ | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tree


def _copy_packages(place: Path) -> None:
    """Copy rootgen and what its ``run`` imports, compiled: the guest is slow at that."""
    for name in ("rootgen", "click"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent
        shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(place, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
