"""Which records of ld.so.cache a loader takes, by their flags: asked of each one itself."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rootgen.ldso.cache import Record, encode_cache
from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot
from tests.elf.image import DT_NEEDED, build
from tests.truth.architecture import AMD64, ARCHITECTURES, CROSS
from tests.truth.foreign import emulator, loader_of, recipe_of, run_all, usual_root
from tests.truth.loader import parse

if TYPE_CHECKING:
    from pathlib import Path

EVERY = {"amd64": AMD64, **ARCHITECTURES, **CROSS}
# FLAG_ELF, FLAG_ELF_LIBC6, and every architecture's (sysdeps/generic/ldconfig.h).
FLAGS = (1, 3, *(number << 8 | 3 for number in range(1, 0x13)))
_SAMPLE = {"amd64", "arm64", "s390x"}


def _marked(name: str) -> object:
    return pytest.param(name, marks=[] if name in _SAMPLE else [pytest.mark.long])


@pytest.mark.parametrize("name", [_marked(name) for name in EVERY])
def test_flags(name: str, tmp_path: Path) -> None:
    """A record of one kind, and two of different kinds for one name."""
    architecture = EVERY[name]
    kind = recipe_of(architecture)
    wanted: dict[str, tuple[int, ...]] = {f"lib{one:x}.so": (one,) for one in FLAGS}
    for two in (1, 3):
        wanted |= {f"lib{one:x}and{two:x}.so": (one, two) for one in FLAGS if one > two}
    root = str(tmp_path)
    for directory in ("proc", "dev", "etc", "lib", "lib32", "lib64"):
        os.makedirs(f"{root}/{directory}")
    records = []
    library = build(replace(kind, dynamic=())).data
    for soname, flags in wanted.items():
        for one in flags:
            path = f"/{one:x}/{soname}"
            os.makedirs(f"{root}/{one:x}", exist_ok=True)
            _write(root + path, library)
            records.append((soname, Record(one, path)))
    _write(f"{root}/etc/ld.so.cache", encode_cache(records, architecture.byte_order))
    needed = tuple((DT_NEEDED, soname.encode()) for soname in wanted)
    program = replace(kind, type=2, interpreter=architecture.loader.encode(), dynamic=needed)
    _write(f"{root}/prog", build(program).data)
    if name == "amd64":
        shutil.copy(architecture.loader, root + architecture.loader)
    else:
        shutil.copy(loader_of(usual_root(architecture), architecture), root + architecture.loader)
    shutil.copy(emulator(architecture), f"{root}/qemu")
    [done] = run_all(root, [["-E", "LD_TRACE_LOADED_OBJECTS=1", "/prog"]])
    truth = parse(done.output, done.errors)
    load = System(DirectorySysroot(root)).load("/prog")
    ours = [one.path for one in load.objects[1:] if one.path != architecture.loader]
    assert ours == [path for path in truth.paths if path != architecture.loader]
    assert [one.name for one in load.missing] == list(truth.missing)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o755)
