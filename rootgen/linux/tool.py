"""Programs of the host that do a part of the work beside: started, read, and never left behind."""

from __future__ import annotations

import resource
import subprocess
from contextlib import contextmanager
from shutil import which
from tempfile import TemporaryFile

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

_SAID_LIMIT = 4096
_LINES = 3


class Reader:
    """A tool that writes to a pipe, read as a file is."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        """Take a process with a pipe for its output, and the file of its standard error."""
        assert process.stdout is not None  # noqa: S101 - who calls made it a pipe
        self._process = process
        self._output = process.stdout
        self._said = said

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none where it has closed its output."""
        return self._output.read(size)

    def end(self, rest: int) -> int:
        """Return its exit status: -9, killed, where it had ``rest`` bytes or more to write."""
        if len(self._output.read(rest)) >= rest:
            self._process.kill()
        return self._process.wait()

    def said(self) -> tuple[str, ...]:
        """Return the first lines of its standard error."""
        self._said.seek(0)
        return tuple(self._said.read(_SAID_LIMIT).decode("utf-8", "replace").strip().splitlines())


@contextmanager
def reading(command: Sequence[str], *, memory: int) -> Iterator[Reader]:
    """Run a tool that is killed at the end of the block, if it still runs.

    ``memory`` is the most address space in bytes (RLIMIT_AS, setrlimit(2)).
    Raises OSError where it cannot be started.
    """
    with TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
        with process:
            try:
                resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
                yield Reader(process, said)
            finally:
                process.kill()


def answer_of(command: Sequence[str]) -> tuple[bytes, tuple[str, ...]]:
    """Run a program of ours to its end; return what it answers, and what it said in its last lines.

    Safe in a process that has threads. Raises OSError where it cannot be started.
    """
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    said = done.stderr[-_SAID_LIMIT:].decode("utf-8", "replace").strip().splitlines()
    return done.stdout, tuple(said[-_LINES:])


def find_tool(name: str) -> str | None:
    """Return the path of a program of the host on PATH, None where there is none."""
    return which(name)
