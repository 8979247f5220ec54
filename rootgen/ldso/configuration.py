"""``ld.so.conf``: the directories that ldconfig(8) would look through.

The loader itself never reads it. It matters for a root that has no
``ld.so.cache`` yet: what ldconfig would find there, the target's own cache
will hold.
"""

from __future__ import annotations

import posixpath

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sysroot.port import Sysroot

CONFIGURATION_PATH = "/etc/ld.so.conf"
# elf/ldconfig.c, parse_conf: it refuses more than ten includes in each other.
_DEPTH_LIMIT = 10
_SIZE_LIMIT = 1 << 20
_FILES_LIMIT = 1000
# NAME_MAX: fnmatch takes the square of a pattern's length for one that is all brackets.
_PATTERN_LIMIT = 255
# Includes, and names that they are compared with; real systems have a hundred.
_WORK_LIMIT = 100_000


def read_configuration(sysroot: Sysroot, path: str = CONFIGURATION_PATH) -> tuple[str, ...]:
    """Return the directories that ``path`` and what it includes name, each once, in order.

    A file that is not there, or cannot be read, names none, as for ldconfig.
    """
    return tuple(dict.fromkeys(_Reading(sysroot).directories(path, 0)))


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


class _Reading:
    """One configuration being read: the files seen, and how much may still be done."""

    __slots__ = ("_files", "_left", "_sysroot")

    def __init__(self, sysroot: Sysroot) -> None:
        self._sysroot = sysroot
        self._files: set[str] = set()
        self._left = _WORK_LIMIT

    def directories(self, path: str, depth: int) -> Iterator[str]:
        """Return what the file ``path`` and those that it includes name."""
        for line in self._text(path, depth).splitlines():
            what, argument = parse_line(line)
            if what == "directory" and argument.startswith("/"):
                yield posixpath.normpath(argument)
            elif what == "include":
                for pattern in argument.split():
                    beside = "" if pattern.startswith("/") else f"{posixpath.dirname(path)}/"
                    for one in self._matching(beside + pattern):
                        yield from self.directories(one, depth + 1)

    def _text(self, path: str, depth: int) -> str:
        """Return what a file says, nothing where it was read or there is too much to read."""
        found = self._sysroot.lookup(path)
        if found is None or found.node.kind is not Kind.FILE or found.path in self._files:
            return ""
        if depth > _DEPTH_LIMIT or len(self._files) >= _FILES_LIMIT:
            return ""
        self._files.add(found.path)
        try:
            with self._sysroot.open(found.path) as file:
                return file.pread(_SIZE_LIMIT, 0).decode("utf-8", "surrogateescape")
        except SysrootError:
            # ldconfig warns and goes on; what it would have named is then not found, and told.
            return ""

    def _matching(self, pattern: str) -> list[str]:
        """Return the files that an include names: glob(3) in its last component, sorted."""
        directory, _, name = pattern.rpartition("/")
        self._left -= 1
        if self._left < 0 or len(name) > _PATTERN_LIMIT:
            return []
        if not any(sign in name for sign in "*?["):
            return [pattern]
        found = self._sysroot.lookup(directory or "/")
        if found is None or found.node.kind is not Kind.DIRECTORY:
            return []
        try:
            names = self._sysroot.names(found.path)
        except SysrootError:
            return []
        self._left -= len(names)
        from fnmatch import fnmatchcase  # brings re, for what few patterns need

        return [f"{directory}/{one}" for one in names if one[0] != "." and fnmatchcase(one, name)]
