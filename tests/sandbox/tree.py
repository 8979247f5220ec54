"""A small tree to launch, and the command line that launches it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOTGEN = str(Path(sys.executable).with_name("rootgen"))

_DIRECTORIES = ("bin", "dev", "etc", "home/app", "lib", "proc", "root", "run", "sys", "tmp", "var")
_APPLETS = (
    "sh cat ls id env hostname sleep ps tty stty seq true false mkdir touch rm readlink stat "
    "setsid kill grep head tail wc nc mount umount dd test od sort pwd ln mknod chroot ip"
).split()


def build_tree(root: Path) -> Path:
    """Make a tree of busybox and bash beneath ``root``; return ``root``."""
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(_required("busybox"), root / "bin/busybox")
    for applet in _APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    _copy_with_libraries(_required("bash"), root)
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1000::/home/app:/bin/sh\n"
    )
    (root / "etc/group").write_text("root:x:0:\napp:x:1000:\naudio:x:2000:app,other\n")
    return root


def _required(program: str) -> str:
    found = shutil.which(program)
    assert found is not None, f"{program} is not installed; tests/run installs it"
    return found


def _copy_with_libraries(program: str, root: Path) -> None:
    """Copy a program to /bin, and what its loader maps to where it finds it."""
    shutil.copy(program, root / "bin" / Path(program).name)
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(0x", listing):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)


def command_line(root: Path, *command: str, options: Sequence[str] = ()) -> list[str]:
    """Return the argument list that runs ``command`` in the tree."""
    return [ROOTGEN, "run", *options, str(root), "--", *command]


def launch(
    root: Path,
    *command: str,
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    stdin: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """Run ``command`` in the tree with plain descriptors; return status and output."""
    return subprocess.run(
        command_line(root, *command, options=options),
        input=stdin,
        capture_output=True,
        env=dict(os.environ if env is None else env),
        pass_fds=tuple(pass_fds),
        timeout=60,
        check=False,
    )


def output(root: Path, *command: str, options: Sequence[str] = ()) -> str:
    """Return what a command that must succeed prints, stripped."""
    done = launch(root, *command, options=options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def shell(root: Path, script: str, options: Sequence[str] = ()) -> str:
    """Return what a script of the tree's own sh prints; it must succeed."""
    return output(root, "sh", "-c", script, options=options)
