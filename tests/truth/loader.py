"""What the real loader says that it maps, without running the program itself (ld.so(8))."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# Before a command that calls chroot(2): an ordinary user may in a user namespace.
AS_ROOT = () if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user")

_LINE = re.compile(r"\t(?:(?P<name>.+?) => )?(?P<path>\S.*?)(?: \(0x[0-9a-f]+\))?")


class Traced(NamedTuple):
    """The loader's answer: paths in its order, names that it did not find, its complaint."""

    paths: tuple[str, ...]
    missing: tuple[str, ...]
    complaint: str = ""


def trace(
    program: str,
    *,
    interpreter: str = "",
    environment: Mapping[str, str] | None = None,
    directory: str = "/",
) -> Traced:
    """Ask the real loader for the objects of ``program``.

    Through its own interpreter, as the kernel starts it; for a library, or a
    set-user-ID program (whose loader would ignore us), through ``interpreter``.
    """
    command = [program]
    variables = {"LD_TRACE_LOADED_OBJECTS": "1", **(environment or {})}
    if interpreter:
        command = [interpreter, program]
    done = subprocess.run(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        cwd=directory,
        timeout=20,
        check=False,
    )
    return parse(done.stdout, done.stderr.strip())


def parse(text: str, complaint: str = "") -> Traced:
    """Read the output of a trace; the vDSO, which no file holds, is left out."""
    paths: list[str] = []
    missing: list[str] = []
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or line == "\tstatically linked":
            continue
        if found["path"] == "not found":
            missing.append(found["name"])
        elif not found["path"].startswith("linux-"):
            paths.append(found["path"])
    return Traced(tuple(paths), tuple(missing), complaint)


def is_privileged(path: str) -> bool:
    """Tell whether the loader of ``path`` would run under secure-execution rules for us."""
    status = os.stat(path)
    sets_user = status.st_mode & stat.S_ISUID and status.st_uid != os.geteuid()
    sets_group = status.st_mode & stat.S_ISGID and status.st_gid != os.getegid()
    return bool(sets_user or sets_group) or "security.capability" in os.listxattr(path)
