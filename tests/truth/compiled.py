"""Tiny real ELF objects, linked on the spot, for the real loader and for us."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOADER = "/lib64/ld-linux-x86-64.so.2"


class Thing(NamedTuple):
    """One object to link: ``path`` within the tree; a program where ``program`` is true.

    ``needed`` are DT_NEEDED strings, whatever they are; ``flags`` go to the
    linker as they are (``-z nodefaultlib``, ``--auxiliary=NAME``).
    """

    path: str
    needed: tuple[str, ...] = ()
    soname: str = ""
    rpath: str = ""
    runpath: str = ""
    flags: tuple[str, ...] = ()
    program: bool = False


def link(things: Sequence[Thing], root: Path, interpreter: str = LOADER) -> None:
    """Link every one of ``things`` beneath ``root``.

    DT_NEEDED is what an object was linked with: a stub whose SONAME is the
    string wanted stands in for each.
    """
    root.mkdir(parents=True, exist_ok=True)
    source = root / "nothing.o"
    subprocess.run(
        ["gcc", "-c", "-x", "c", "-", "-o", source, "-fPIC"], input=b"int x;", check=True
    )
    for thing in things:
        stubs = [_stub(name, number, root, source) for number, name in enumerate(thing.needed)]
        target = root / thing.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        command = ["ld", "--no-as-needed", "--hash-style=gnu", "-o", str(target), str(source)]
        command += ["-pie", f"--dynamic-linker={interpreter}"] if thing.program else ["-shared"]
        command += ["-soname", thing.soname] if thing.soname else []
        if thing.rpath:
            command += ["--disable-new-dtags", "-rpath", thing.rpath]
        elif thing.runpath:
            command += ["--enable-new-dtags", "-rpath", thing.runpath]
        done = subprocess.run(
            [*command, *thing.flags, *stubs], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def _stub(name: str, number: int, root: Path, source: Path) -> str:
    path = os.path.join(root, f"stub{number}.so")
    command = ["ld", "-shared", "-soname", name, "-o", path, str(source)]
    subprocess.run(command, check=True)
    return path
