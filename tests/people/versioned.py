"""A library with symbol versions, and programs of each of them, built with gcc."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "libversioned.so.1"


def library(directory: Path, versions: str, functions: str = "first") -> Path:
    """Build the library with ``versions``, each with a function; none: with ``functions``."""
    directory.mkdir(parents=True, exist_ok=True)
    names = versions.lower().split() or functions.split()
    code = "".join(f"int {name}(void) {{ return 0; }}\n" for name in names)
    flags = []
    if versions:
        script = directory / "versions.map"
        script.write_text("".join(f"{name} {{ {name.lower()}; }};\n" for name in versions.split()))
        flags = [f"-Wl,--version-script={script}"]
    path = directory / NAME
    command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{NAME}", "-x", "c", "-", "-o", str(path)]
    subprocess.run([*command, *flags], input=code.encode(), check=True)
    (directory / "versions.map").unlink(missing_ok=True)
    return path


def program(path: Path, directory: Path, version: str, function: str = "first") -> None:
    """Build a program that needs ``version`` (or ``function``) of the library in ``directory``."""
    name = version.lower() or function
    code = f"int {name}(void); int main(void) {{ return {name}(); }}"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["gcc", "-x", "c", "-", "-x", "none", str(directory / NAME), "-o", str(path)]
    subprocess.run(command, input=code.encode(), check=True)
