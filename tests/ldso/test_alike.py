"""Programs that say the same are resolved once, unless where they are counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot
from tests.elf.image import DT_NEEDED, DT_RUNPATH, Recipe, build

if TYPE_CHECKING:
    from pathlib import Path

_LOADER = b"/lib64/ld-linux-x86-64.so.2"


@pytest.mark.parametrize(
    ("runpath", "library_path", "found"),
    [
        (b"/one", (), ["/one/liba.so", "/one/liba.so"]),
        (b"$ORIGIN", (), ["/one/liba.so", "/two/liba.so"]),
        (b"", ("$ORIGIN",), ["/one/liba.so", "/two/liba.so"]),
        (b"", ("/two",), ["/two/liba.so", "/two/liba.so"]),
    ],
)
def test_place(
    runpath: bytes, library_path: tuple[str, ...], found: list[str], tmp_path: Path
) -> None:
    """Two equal programs in two directories find their libraries, and are each their own."""
    dynamic = ((DT_NEEDED, b"liba.so"), (DT_RUNPATH, runpath))
    program = build(Recipe(interpreter=_LOADER, dynamic=dynamic)).data
    library = build(Recipe(dynamic=())).data
    for directory in ("one", "two", "lib64"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "liba.so").write_bytes(library)
        (tmp_path / directory / "prog").write_bytes(program)
    (tmp_path / _LOADER.decode().lstrip("/")).write_bytes(library)
    system = System(DirectorySysroot(str(tmp_path)))
    programs = ["/one/prog", "/two/prog"]
    loads = [system.load(path, library_path=library_path) for path in programs]
    assert [load.objects[0].path for load in loads] == programs
    assert [load.objects[1].path for load in loads] == found


def test_set_user_id(tmp_path: Path) -> None:
    """A program that runs as somebody else follows its own rules, whoever is like it."""
    dynamic = ((DT_NEEDED, b"liba.so"),)
    program = build(Recipe(interpreter=_LOADER, dynamic=dynamic)).data
    library = build(Recipe(dynamic=())).data
    for directory in ("one", "lib64"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "liba.so").write_bytes(library)
    (tmp_path / _LOADER.decode().lstrip("/")).write_bytes(library)
    for name, mode in (("plain", 0o755), ("secure", 0o4755)):
        (tmp_path / name).write_bytes(program)
        (tmp_path / name).chmod(mode)
    system = System(DirectorySysroot(str(tmp_path)))
    plain, secure = (
        system.load(f"/{name}", library_path=("/one",)).objects[1].path
        for name in ("plain", "secure")
    )
    assert (plain, secure) == ("/one/liba.so", "/lib64/liba.so")
