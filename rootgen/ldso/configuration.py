"""``ld.so.conf``: the directories that ldconfig(8) would look through.

The loader itself never reads it. It matters for a root that has no
``ld.so.cache`` yet: what ldconfig would find there, the target's own cache
will hold.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rootgen.errors import SysrootError
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sysroot.port import Sysroot

CONFIGURATION_PATH = "/etc/ld.so.conf"
# elf/ldconfig.c, parse_conf: it refuses more than ten includes in each other.
_DEPTH_LIMIT = 10
_SIZE_LIMIT = 1 << 20
_FILES_LIMIT = 1000


def read_configuration(sysroot: Sysroot, path: str = CONFIGURATION_PATH) -> tuple[str, ...]:
    """Return the directories that ``path`` and what it includes name, each once, in order.

    A file that is not there, or cannot be read, names none, as for ldconfig.
    """
    seen: dict[str, None] = {}
    files: set[str] = set()
    for directory in _read(sysroot, path, 0, files):
        seen[directory] = None
    return tuple(seen)


def parse_line(line: str) -> tuple[str, str]:
    """Return what one line says: ``directory`` or ``include`` and its argument, or two empty.

    After elf/ldconfig.c, parse_conf: ``#`` begins a comment, ``hwcap`` lines
    are ignored, ``dir=TYPE`` is the old way to tell a library's type.
    """
    text = line.partition("#")[0].strip()
    if not text:
        return "", ""
    word, _, rest = text.partition(" ") if " " in text else text.partition("\t")
    if word == "include" and rest.strip():
        return "include", rest.strip()
    if word == "hwcap" and rest.strip():
        return "", ""
    return "directory", text.partition("=")[0].rstrip()


def _read(sysroot: Sysroot, path: str, depth: int, files: set[str]) -> Iterator[str]:
    found = sysroot.lookup(path)
    if found is None or found.node.kind is not Kind.FILE or found.path in files:
        return
    if depth > _DEPTH_LIMIT or len(files) >= _FILES_LIMIT:
        return
    files.add(found.path)
    try:
        with sysroot.open(found.path) as file:
            text = file.pread(_SIZE_LIMIT, 0).decode("utf-8", "surrogateescape")
    except SysrootError:
        # ldconfig warns and goes on; what it would have named is then not found, and told.
        return
    for line in text.splitlines():
        what, argument = parse_line(line)
        if what == "directory" and argument.startswith("/"):
            yield posixpath.normpath(argument)
        elif what == "include":
            for pattern in argument.split():
                whole = (
                    pattern if pattern.startswith("/") else f"{posixpath.dirname(path)}/{pattern}"
                )
                for one in _matching(sysroot, whole):
                    yield from _read(sysroot, one, depth + 1, files)


def _matching(sysroot: Sysroot, pattern: str) -> list[str]:
    """Return the files that an include names: glob(3) in its last component, sorted."""
    directory, _, name = pattern.rpartition("/")
    if not any(sign in name for sign in "*?["):
        return [pattern]
    found = sysroot.lookup(directory or "/")
    if found is None or found.node.kind is not Kind.DIRECTORY:
        return []
    try:
        names = sysroot.names(found.path)
    except SysrootError:
        return []
    return [f"{directory}/{one}" for one in names if one[0] != "." and fnmatchcase(one, name)]
