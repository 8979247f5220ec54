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

    A path ``LINK -> TARGET`` is a symbolic link instead (of ``build_tree``).

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


# Says what is mapped, without a libc: /proc/self/maps as it is.
_TELLING = """
static long call(long number, long a, const void *b, long c) {
    long result;
    __asm__ volatile ("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c)
                      : "rcx", "r11", "memory");
    return result;
}
static char path[] = "/proc/self/maps", buffer[4096];
void _start(void) {
    long file = call(2, (long)path, 0, 0), size;
    while ((size = call(0, file, buffer, sizeof buffer)) > 0)
        call(1, 1, buffer, size);
    call(231, size < 0, 0, 0);
}
"""


def build_tree(things: Sequence[Thing], root: Path, interpreter: str = LOADER) -> None:
    """Make the links of ``things`` beneath ``root``, and link the others.

    ``@`` in a name needed and in a path string stands for ``root``.
    """
    objects = []
    for thing in things:
        path, arrow, target = thing.path.partition(" -> ")
        if arrow:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
            continue
        needed = tuple(name.replace("@", str(root)) for name in thing.needed)
        rpath, runpath = (text.replace("@", str(root)) for text in (thing.rpath, thing.runpath))
        objects.append(thing._replace(needed=needed, rpath=rpath, runpath=runpath))
    link(objects, root, interpreter)


def link(
    things: Sequence[Thing], root: Path, interpreter: str = LOADER, *, telling: bool = False
) -> None:
    """Link every one of ``things`` beneath ``root``.

    DT_NEEDED is what an object was linked with: a stub whose SONAME is the
    string wanted stands in for each. A ``telling`` program can be run: it
    writes what is mapped, and ends.
    """
    root.mkdir(parents=True, exist_ok=True)
    nothing = root / "nothing.o"
    _compile("int x;", nothing)
    for thing in things:
        stubs = [_stub(name, number, root, nothing) for number, name in enumerate(thing.needed)]
        target = root / thing.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        source = nothing
        if telling and thing.program:
            source = root / "telling.o"
            _compile(_TELLING, source)
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


def _compile(code: str, target: Path) -> None:
    command = ["gcc", "-c", "-x", "c", "-", "-o", str(target), "-fPIC", "-fno-stack-protector"]
    subprocess.run(command, input=code.encode(), check=True)


def _stub(name: str, number: int, root: Path, nothing: Path) -> str:
    path = os.path.join(root, f"stub{number}.so")
    command = ["ld", "-shared", "-soname", name, "-o", path, str(nothing)]
    subprocess.run(command, check=True)
    return path
