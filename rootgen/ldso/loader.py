"""What a glibc loader's own bytes say of it: the directories and the version it was built with."""

from __future__ import annotations

# A loader is some 200 KiB; its strings are in the first half.
from rootgen.named import NamedTuple

SIZE_LIMIT = 4 << 20

_BETWEEN = b"/\0/"  # the end of one directory and the beginning of the next
# csu/version.c: "ld.so (…) stable release version 2.36."
_RELEASE = b"release version "
# What one says that is older than ``ld.so --version`` (NEWS of 2.33), and its place among them.
_PRIVATE, _OLD = b"GLIBC_PRIVATE", (2, 32)


class Loader(NamedTuple):
    """``directories``: the default ones, in order; ``version``: (2, 36), () where it says none.

    Those before 2.33 say none, and are told apart from no glibc's: (2, 32).
    """

    directories: tuple[str, ...]
    version: tuple[int, ...]

    def searches_hwcaps(self) -> bool:
        """Tell whether it looks into glibc-hwcaps subdirectories (NEWS of 2.33)."""
        return not self.version or self.version >= (2, 33)

    def searches_legacy(self) -> bool:
        """Tell whether it looks into tls and platform subdirectories (NEWS of 2.37: gone)."""
        return bool(self.version) and self.version < (2, 37)

    def skips_files(self) -> bool:
        """Tell whether a search goes on after a path through a file (NEWS of 2.39, bug 31035)."""
        return not self.version or self.version >= (2, 39)


UNKNOWN = Loader((), ())


def parse_loader(data: bytes) -> Loader:
    """Return what the loader with these bytes says; nothing where it is not glibc's."""
    return Loader(_system_directories(data), _version(data))


def _version(data: bytes) -> tuple[int, ...]:
    at = data.find(_RELEASE)
    if at < 0:
        return _OLD if _PRIVATE in data else ()
    text = data[at + len(_RELEASE) : at + len(_RELEASE) + 16]
    numbers: list[int] = []
    for part in text.split(b"."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers[:2])


def _system_directories(data: bytes) -> tuple[str, ...]:
    """Return the longest run of library directories, each ending in a slash and a zero byte.

    That is how ``SYSTEM_DIRS`` stands in a loader: ``/lib/x/\\0/usr/lib/x/\\0…``.
    """
    best: list[bytes] = []
    at = data.find(_BETWEEN)
    while at >= 0:
        start = data.rfind(b"\0", 0, at) + 1
        run: list[bytes] = []
        end = at + 1
        while end > start and data[start : start + 1] == b"/" and data[end - 1 : end] == b"/":
            run.append(data[start : end - 1])
            start = end + 1
            end = data.find(b"\0", start)
        if len(run) > len(best) and any(b"lib" in directory for directory in run):
            best = run
        at = data.find(_BETWEEN, max(start - 1, at + 1))
    return tuple(directory.decode("utf-8", "surrogateescape") for directory in best)
