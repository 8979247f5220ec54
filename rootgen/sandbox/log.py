"""The output of a launch that goes on without its caller, in two files of bounded size."""

from __future__ import annotations

import os

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A program that is not trusted may print for ever: the older half is forgotten.
HALF = 8 << 20

_NEW, _OLD = "log", "log.old"
_CHUNK = 65536


class Log:
    """What is written last, at least ``half`` bytes of it where there were so many."""

    def __init__(self, directory: str, half: int = HALF) -> None:
        """Begin an empty log in ``directory``."""
        self._directory = directory
        self._half = half
        self._size = 0
        self._file = self._begin()

    def _begin(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        return os.open(f"{self._directory}/{_NEW}", flags, 0o600)

    def write(self, data: bytes) -> None:
        """Write at the end; what the disk refuses is lost, and the program goes on."""
        try:
            if self._size + len(data) > self._half:
                os.close(self._file)
                os.rename(f"{self._directory}/{_NEW}", f"{self._directory}/{_OLD}")
                self._file, self._size = self._begin(), 0
            os.write(self._file, data)
        except OSError:
            return
        self._size += len(data)


def read_log(directory: str) -> Iterator[bytes]:
    """Yield the log in pieces, the older half first."""
    for name in (_OLD, _NEW):
        try:
            descriptor = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with open(descriptor, "rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                yield data
